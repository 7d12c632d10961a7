"""What is settled before a training."""

import pytest

from sda.runs.plan import plan_run
from tests.composing import compose_verb
from tests.verbs import TINY


@pytest.mark.parametrize(("given", "name"), [("", "mine"), ("name: gentle\n", "gentle")])
def test_a_preset_of_ones_own_is_called_by_its_file_unless_it_says_otherwise(make_sounds, tmp_path, given, name):
    (tmp_path / "preset").mkdir()
    (tmp_path / "preset" / "mine.yaml").write_text(f"{given}dropout: 0.25\n")
    overrides = [f"data.root={make_sounds(6)}", "preset=mine", f"hydra.searchpath=[file://{tmp_path}]", *TINY]
    plan = plan_run(compose_verb("train", *overrides), tmp_path / "run", overrides, "mine", None)
    assert plan.config.preset.name == plan.resolved["preset"]["name"] == name
    assert plan.config.regularization.dropout == 0.25
