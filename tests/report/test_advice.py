"""The command that follows from a verdict can be pasted as it is."""

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sda.config.arguments import prepare_arguments
from sda.config.model import ModelName, PriorName
from sda.config.schema import TrainRunConfig
from sda.evaluation.verdict import WITH_MODEL
from sda.report.advice import Standing, name_evaluation, name_generation, suggest_command
from sda.report.evaluation_lines import format_advice
from sda.roots import join_roots, settle_roots
from sda.training.presets import OverfittingPreset
from tests.verbs import TINY

QUICK = {
    "generate.py": ["n=2", "duration_s=0.5"],
    "evaluate.py": ["n_generated=4", "generated_s=1", "max_clips=4"],
}
"""What makes a command that is pasted short."""

RUN = "/my runs/it's (1)"


def _stand(overrides=(), guard=OverfittingPreset.BALANCED, folds=0, root="/my sounds/it's, [1]", **changes):
    config = TrainRunConfig()
    config.data.root, config.data.folds, config.preset.guard = root, folds, guard
    config.model.name = ModelName.spectral_vae
    values = {"epoch": 6, "n_trained": config.training.max_epochs, "is_finished": True, "n_recordings": 12}
    return Standing(Path(RUN), config, list(overrides), **(values | changes))


def _paste(command):
    """What a shell, and then Hydra, make of a command: verb, flags, and values by key."""
    python, verb, *words = shlex.split(command)
    assert python == "python"
    arguments = prepare_arguments([word for word in words if not word.startswith("-")])
    overrides = OverridesParser.create().parse_overrides(arguments)
    values = {one.key_or_group: [str(part) for part in one.sweep_string_iterator()] if one.is_sweep_override() else
              str(one.value()) for one in overrides}  # fmt: skip
    return verb, [word for word in words if word.startswith("-")], values


@pytest.mark.parametrize(
    ("case", "changes", "verb", "expected"),
    [
        ("underfit", {}, "train.py", {"resume": RUN, "training.max_epochs": "400"}),
        ("unlike", {}, "train.py", {"resume": RUN, "training.max_epochs": "400"}),
        ("silent", {}, "train.py", {"resume": RUN, "training.max_epochs": "400"}),
        ("deformed", {"is_finished": False}, "train.py", {"resume": RUN}),
        ("unlike", {"n_trained": 60}, "generate.py", {"run": RUN, "mode": "interpolate"}),
        ("underfit", {"n_trained": 60}, "train.py", {"training.learning_rate": "0.002"}),
        ("overfit", {}, "train.py", {"preset": "conservative"}),
        ("replaying", {}, "generate.py", {"run": RUN, "novelty": "0.3"}),
        ("replaying", {"is_own": False}, "generate.py", {"run": RUN, "novelty": "0.3"}),
        ("new", {}, "generate.py", {"run": RUN, "n": "8"}),
        ("cannot tell", {"folds": 4}, "generate.py", {"run": RUN}),
        ("cannot tell", {"n_recordings": 3}, "generate.py", {"run": RUN}),
        ("underfit", {"is_own": False}, "generate.py", {"run": RUN}),
        ("overfit", {"is_own": False, "overrides": ["hydra.run.dir=/theirs"]}, "generate.py", {"run": RUN}),
    ],
)
def test_the_command_follows_from_the_case_and_from_where_the_run_stands(case, changes, verb, expected):
    found, flags, values = _paste(suggest_command(case, _stand(**changes)))
    assert (found, flags) == (verb, [])
    assert expected.items() <= values.items()


def test_of_a_guard_that_is_there_already_there_is_more():
    stand = _stand(guard=OverfittingPreset.CONSERVATIVE)
    assert _paste(suggest_command("overfit", stand))[2]["regularization.augmentation_expansion"] == "20"


def test_what_quotes_is_drawn_further_away_and_trained_otherwise_only_where_that_may_help():
    stand = _stand(guard=OverfittingPreset.CONSERVATIVE)
    stand.config.prior.novelty = 0.6
    assert _paste(suggest_command("replaying", stand))[2]["novelty"] == "1"
    stand.config.prior.novelty = 1.0
    assert _paste(suggest_command("replaying", stand))[2]["training.max_epochs"] == "3"
    stand.config.prior.novelty, stand.config.prior.name = 0.1, PriorName.density
    assert _paste(suggest_command("replaying", stand))[2]["training.max_epochs"] == "3"
    stand.config.prior.name, stand.config.model.name = PriorName.auto, ModelName.mel_vae
    assert _paste(suggest_command("replaying", stand))[2]["training.max_epochs"] == "3"


def test_every_file_is_held_out_once_where_it_cannot_be_told():
    verb, flags, values = _paste(suggest_command("cannot tell", _stand()))
    assert (verb, flags) == ("train.py", ["-m"])
    assert (values["data.folds"], values["data.fold"]) == ("4", ["0", "1", "2", "3"])


def test_another_run_is_told_what_this_one_was_and_what_is_not_its_own():
    given = ["experiment=demo", "data.root='/elsewhere'", "hydra.run.dir=/old", "preset=balanced", "+seed=3", "-v"]
    given += ["sweep.objective=mr_stft", "hydra/launcher=joblib", "data.cache_dir='/a b'"]
    values = _paste(suggest_command("overfit", _stand(given)))[2]
    assert values == {
        "data.root": "/my sounds/it's, [1]",
        "experiment": "demo",
        "preset": "conservative",
        "seed": "3",
        "data.cache_dir": "/a b",
    }


def test_another_run_is_given_all_of_several_folders(tmp_path):
    root = settle_roots(join_roots([_make(tmp_path / "it's, [1]"), _make(tmp_path / "rain")]))
    verb, flags, values = _paste(suggest_command("cannot tell", _stand(root=root)))
    assert (verb, flags, values["data.root"]) == ("train.py", ["-m"], root)


def _make(folder):
    folder.mkdir()
    return folder


@pytest.mark.parametrize("case", WITH_MODEL)
def test_the_command_stands_alone_on_its_line(case):
    lines = format_advice(WITH_MODEL[case].advice, suggest_command(case, _stand()))
    assert lines[0].startswith("  try next: ")
    assert lines[1].strip().startswith("python ")


@pytest.mark.slow
def test_pasted_commands_work(command_line, sounds):
    """Of a run as it stands: to more epochs, to make sounds, and to have it judged."""
    command_line.run("train", sounds, "training.max_epochs=1", "tracking=none", *TINY)
    (run_dir,) = command_line.runs()
    text = command_line.run("train", f"resume={run_dir}", "training.max_epochs=2")
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("python ")]
    more = f"python train.py resume={run_dir} training.max_epochs=4"
    assert commands == [more, name_generation(run_dir), name_evaluation(run_dir)]
    for command in commands:
        verb, *arguments = shlex.split(command)[1:]
        command_line.run(verb.removesuffix(".py"), *arguments, *QUICK.get(verb, []))
    assert len(list((run_dir / "generated" / "sample_seed_0").glob("*.wav"))) == 2
    assert (run_dir / "evaluation" / "evaluation.json").is_file()


def test_a_run_that_was_given_a_time_is_advised_of_time():
    stand = _stand(guard=OverfittingPreset.CONSERVATIVE, n_trained=12, overrides=["training.minutes=10"])
    stand.config.training.minutes = 10.0
    assert _paste(suggest_command("underfit", stand))[2] == {"resume": RUN, "training.minutes": "20"}
    stand.config.prior.novelty = 1.0
    again = _paste(suggest_command("replaying", stand))[2]
    assert again["training.minutes"] == "5"
    assert "training.max_epochs" not in again
