"""The state of a run as tensors by name."""

import torch

from sda.training.state import select_model


def test_the_state_holds_all_that_a_continuation_depends_on(run):
    names = run.state.tensors().keys()
    n_parameters = len(list(run.model.parameters()))
    assert sum(name.endswith("/exp_avg") for name in names) == n_parameters
    assert sum(name.endswith("/step") for name in names) == n_parameters
    assert {"rng/cpu", "model/standardise.mean", "average/standardise.mean"} <= names


def test_the_average_is_the_model_to_be_used_where_there_is_one():
    own, averaged = torch.zeros(2), torch.ones(2)
    named = {"model/weight": own, "average/weight": averaged, "optimizer/0/step": own}
    assert select_model(named) == {"weight": averaged}
    assert select_model({"model/weight": own, "optimizer/0/step": own}) == {"weight": own}


def test_tensors_that_only_models_of_former_versions_had_are_left_out():
    names = ("weight", "density.means", "noise_gate.to_raise.weight", "noise_gate.bias")
    former = {f"average/{name}": torch.zeros(1) for name in names}
    assert select_model(former).keys() == {"weight"}
    del former["average/noise_gate.to_raise.weight"]
    assert select_model(former).keys() == {"weight", "noise_gate.bias"}, "a gate of today's kind is loaded"


def test_an_adversary_is_met_from_the_step_on_that_was_settled(run):
    state, somebody = run.state, object()
    assert state.active_adversary is state.last_adversary is None
    state.adversary, state.progress.second_phase_step = somebody, 5
    met = []
    for step in (4, 5, 6):
        state.progress.step = step
        met.append((state.active_adversary is somebody, state.last_adversary is somebody))
    assert met == [(False, False), (True, False), (True, True)]
