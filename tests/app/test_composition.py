"""What a configuration file may decide, by the verbs themselves."""

import pytest

from tests.verbs import TINY

PROGRAMS = {
    "callback": "hydra: {callbacks: {evil: {_target_: subprocess.Popen, args: [touch, OWNED]}}}",
    "log handler": "hydra: {job_logging: {handlers: {evil: {'()': subprocess.Popen, args: [touch, OWNED]}}}}",
    "launcher": "hydra: {launcher: {_target_: subprocess.Popen}}",
    "environment": "hydra: {job: {env_set: {LD_PRELOAD: evil.so}}}",
    "run's folder": "hydra: {run: {dir: /tmp}}",
    "choice of another folder": "defaults: [{override /hydra/launcher: brought}]",
    "arguments of jobs": "hydra: {overrides: {hydra: ['++hydra.job.env_set={LD_PRELOAD: evil.so}']}}",
    "a launcher by its path": "defaults: [{override /hydra/launcher: ../../../../brought/hydra/launcher/brought}]",
    "nothing": "hydra: null",
    "data moved there": "defaults: [{/data@hydra.callbacks: brought}]",
}


@pytest.fixture
def bring(command_line):
    """Writes a stranger's configurations and gives the arguments that use them."""

    def write(text: str) -> list[str]:
        for group, content in {
            "experiment/given": f"# @package _global_\n{text}\n",
            "hydra/launcher/brought": "_target_: subprocess.Popen\nargs: [touch, OWNED]\n",
            "data/brought": "evil: {_target_: subprocess.Popen, args: [touch, OWNED]}\n",
        }.items():
            path = command_line.folder / "brought" / f"{group}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return ["--config-dir", "brought", "experiment=given"]

    return write


@pytest.mark.parametrize(
    ("name", "multirun"),
    [
        *((name, []) for name in PROGRAMS),
        *((name, ["-m"]) for name in ("callback", "log handler", "arguments of jobs")),
    ],
)
def test_a_file_that_sets_what_hydra_runs_is_refused_before_anything_runs(command_line, sounds, bring, name, multirun):
    told = command_line.run("train", *multirun, *bring(PROGRAMS[name]), sounds, *TINY, code=1)
    assert "is set by a configuration file" in told or "brought" in told or "cannot be composed" in told
    assert "Traceback" not in told
    assert not (command_line.folder / "OWNED").exists()
    assert not command_line.runs()


@pytest.mark.parametrize("place", ["tracking: {uri: 'http://127.0.0.1:9'}", "data: {cache_dir: /tmp/theirs}"])
def test_a_file_does_not_say_where_things_are_sent_or_kept(command_line, sounds, bring, place):
    told = command_line.run("train", *bring(place), sounds, *TINY, code=1)
    assert "give tracking.uri as an argument" in told or "give data.cache_dir as an argument" in told


@pytest.mark.parametrize("chosen", ["tracking=mlflow", "tracking=none", "data=brought"])
def test_a_place_is_not_a_files_to_say_whatever_is_chosen_beside(command_line, sounds, bring, chosen):
    arguments = bring("tracking: {uri: 'http://127.0.0.1:9'}")
    (command_line.folder / "brought" / "data" / "brought.yaml").write_text("cache_dir: /tmp/theirs\n")
    told = command_line.run("train", *arguments, chosen, sounds, *TINY, code=1)
    assert "is set by a configuration file" in told
    told = command_line.run("train", "--config-dir", "brought", "data=brought", sounds, *TINY, code=1)
    assert "give data.cache_dir as an argument" in told


def test_a_pickle_is_not_read(command_line):
    assert "reads a pickle" in command_line.run("train", "--experimental-rerun", "config.pickle", code=1)


def test_a_file_may_choose_a_launcher_and_every_value_of_ours(command_line, sounds, bring):
    text = "defaults: [{override /hydra/launcher: joblib}]\nseed: 7"
    assert "seed: 7" in command_line.run("train", "--cfg", "job", *bring(text), sounds)


def test_what_is_given_as_an_argument_holds_beside_a_file(command_line, sounds, bring):
    given = ["tracking.uri=sqlite:///mine.db", "hydra.run.dir=mine", "hydra/launcher=joblib"]
    told = command_line.run("train", "--cfg", "all", *bring("seed: 7"), sounds, *given)
    assert "uri: sqlite:///mine.db" in told
    assert "dir: mine" in told
