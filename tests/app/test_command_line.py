"""Wrong input: a clear message, exit code 1, no traceback, nothing left behind."""

import shutil
import subprocess
import sys

import pytest
import soundfile

from tests.conftest import RATE_HZ, tone
from tests.verbs import PROJECT, TINY

CASES = {
    "missing folder": (["data.root=/nowhere/at all (1)"], "no such folder"),
    "no folder given": ([], "data.root is not set"),
    "empty folder": (["data.root={empty}"], "no usable sound file: the folder is empty"),
    "empty value": (["data.root="], "data.root= is empty. Give the folder that holds your sounds."),
    "no usable file": (["data.root={unusable}"], "no usable sound file: 1 other file passed over, such as notes.txt"),
    "one file": (["data.root={one}"], "at least 2 are needed"),
    "unknown key": (["data.root={good}", "regularization.dropot=0.3"], "Did you mean regularization.dropout"),
    "wrong type": (["data.root={good}", "training.max_epochs=many"], "training.max_epochs"),
    "out of range": (["data.root={good}", "regularization.dropout=1.5"], "regularization.dropout=1.5 is out of range"),
    "unknown preset": (
        ["data.root={good}", "preset=reckless"],
        "preset=reckless is unknown: there are aggressive, auto",
    ),
    "unknown experiment": (["data.root={good}", "experiment=dem"], "there is demo. Did you mean demo?"),
    "unknown data": (["data=nope"], "data=nope is unknown: there is demo."),
    "no preset": (["data.root={good}", "preset=null"], "preset=null is none: leave preset out, or name one"),
    "nobody's home": (["data.root=~no such user/sounds"], "/~no such user/sounds: there is no such folder"),
    "a missing folder among several": (["data.root=[{good},/nowhere]"], "error: data.root=/nowhere: there is no such"),
    "a file among several": (["data.root=[{one}/a.wav,{good}]"], "one/a.wav: is a file"),
    "no name among several": (["data.root=[{good},]"], "folder 2 of 2 has no name"),
    "no folders": (["data.root=[]"], "data.root= is empty"),
    "unknown in a sweep by its mode": (
        ["data.root={good}", "experiment=demo,nope", "hydra.mode=MULTIRUN"],
        "experiment=nope is unknown: there is demo",
    ),
    "unknown model's name": (
        ["data.root={good}", "model=nope"],
        "model=nope is unknown: there are mel_vae, spectral_vae",
    ),
    "unknown tracking": (["data.root={good}", "tracking=nope"], "tracking=nope is unknown: there are mlflow, none"),
    "unknown launcher": (["data.root={good}", "hydra/launcher=jolib", "-m"], "Did you mean joblib?"),
    "unknown configuration": (["--config-name=nope"], "nope"),
    "unknown in a sweep": (
        ["data.root={good}", "experiment=demo,nope", "-m"],
        "experiment=nope is unknown: there is demo",
    ),
    "unknown in a search": (
        ["data.root={good}", "preset=auto,nope", "hydra/sweeper=optuna", "-m"],
        "preset=nope is unknown: there are aggressive, auto",
    ),
    "unknown in a search of one's own": (
        ["data.root={good}", "hydra/sweeper=optuna", "hydra.sweeper.params={{preset:'choice(auto,nope)'}}", "-m"],
        "preset=nope is unknown: there are aggressive, auto",
    ),
    "unknown model": (["data.root={good}", "model.name=gan"], "expected one of [spectral_vae, mel_vae]"),
    "unwritable output": (["data.root={good}", "hydra.run.dir=/dev/null/run"], "writable"),
    "no run to resume": (["resume=/nowhere"], "is no run"),
    "nothing to resume": (["resume=last"], "no run lies below"),
    "batch too large": (["data.root={good}", "training.batch_size=999"], "larger than the data"),
    "bad syntax": (["data.root={good}", "preset=(("], "preset=(("),
    "unknown store": (["data.root={good}", "tracking.uri=ftp://x"], "tracking.uri=ftp://x is not supported"),
    "no such device": (["data.root={good}", "training.device=tpu"], "training.device=tpu is unknown"),
}


@pytest.fixture
def folders(tmp_path, make_sounds):
    for name in ("empty", "unusable", "one"):
        (tmp_path / name).mkdir()
    (tmp_path / "unusable" / "notes.txt").write_text("no sound")
    soundfile.write(tmp_path / "one" / "a.wav", tone(440, 1), RATE_HZ)
    return {name: str(tmp_path / name) for name in ("empty", "unusable", "one")} | {"good": str(make_sounds(4))}


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_explained_and_leaves_nothing_behind(command_line, folders, name):
    arguments, message = CASES[name]
    text = command_line.run("train", *(argument.format(**folders) for argument in arguments), code=1)
    assert message in text
    assert "Traceback" not in text
    assert "HYDRA_FULL_ERROR" not in text
    assert "Error executing job" not in text
    assert list(command_line.folder.iterdir()) == []


def test_a_folder_of_yours_given_as_output_is_left_as_it_is(command_line, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    command_line.run("train", "data.root=/nowhere", f"hydra.run.dir={mine}", code=1)
    assert (mine / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("arguments", [["--help"], ["regularization.dropot=1"], ["--cfg", "job"], ["preset=x"]])
def test_help_and_mistakes_import_neither_torch_nor_mlflow(tmp_path, arguments):
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('HEAVY', sorted({'torch', 'mlflow', 'torchaudio'} & set(sys.modules))))\n"
        f"sys.argv = ['train.py', *{arguments!r}]\n"
        "from sda.app.command_line import train\n"
        "train()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "HEAVY []" in done.stdout


def test_help_lists_every_key_with_its_range(command_line):
    text = command_line.run("train", "--help")
    for words in (
        "regularization.dropout=0.2",
        "at least 0 and below 1",
        "data.root=",
        "tracking.uri=sqlite:///mlflow.db",
        "preset: aggressive, auto, balanced, conservative",
        "one of auto, float32, bfloat16",
    ):
        assert words in text
    assert "run=" in command_line.run("evaluate", "--help")
    assert "duration_s=4.0" in command_line.run("generate", "--help")


def test_cfg_shows_the_layers_and_resolve_the_numbers(command_line, sounds):
    assert "dropout: ${preset.dropout}" in command_line.run("train", sounds, "--cfg", "job")
    resolved = command_line.run("train", sounds, "--cfg", "job", "--resolve")
    assert "dropout: 0.4" in resolved
    assert "file_count: 6" in resolved


def test_the_other_verbs_ask_for_a_run(command_line):
    assert "run is not set" in command_line.run("generate", code=1)
    assert "is no run" in command_line.run("generate", "run=/nowhere", code=1)
    assert "is no run" in command_line.run("evaluate", "run=/nowhere", code=1)
    for arguments in ([], ["reference=/tmp"], ["run=last", "generated=/tmp"]):
        assert "give either run=" in command_line.run("evaluate", *arguments, code=1)
    assert command_line.run("compare", "runs=/nowhere", code=1).startswith("error: /nowhere is no run")
    assert command_line.run("generate", "run=/nowhere", code=1).startswith("error: "), "nothing of Hydra's before it"


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_an_error_inside_a_job_is_told_without_hydras_words(command_line, sounds, sweep):
    text = command_line.run("train", sounds, "training.batch_size=999", "tracking=none", *sweep, code=1)
    assert "error: training.batch_size=999 is larger than the data" in text
    assert "Error executing job" not in text


def test_what_the_disk_refuses_is_told_without_hydras_words(command_line, sounds):
    text = command_line.run("scan", sounds, "estimate=false", "output=/dev/null/page.html", code=1)
    assert text.splitlines()[-1].startswith("error: /dev/null")
    assert "Error executing job" not in text


@pytest.mark.parametrize("verb", ["train", "scan"])
def test_an_experiment_of_your_own_is_found_and_what_it_asks_for_in_vain_is_named(command_line, verb):
    folder = command_line.folder.parent / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "good.yaml").write_text("# @package _global_\ndefaults:\n  - override /data: demo\nseed: 5\n")
    (folder / "bad.yaml").write_text("# @package _global_\ndefaults:\n  - override /data: demi\n")
    given = (f"--config-dir={folder.parent}", "--cfg", "job")
    text = command_line.run(verb, *given, "experiment=good")
    assert "seed: 5" in text
    assert "root: experiments/demo/sounds" in text
    text = command_line.run(verb, *given, "experiment=bad", code=1)
    assert "data=demi is unknown: there is demo. Did you mean demo?" in text
    assert "there are bad, demo, good" in command_line.run(verb, *given, "experiment=nope", code=1)
    assert "root: ???" in command_line.run(verb, *given, "experiment=null", "data=null")


@pytest.mark.slow
def test_one_bad_file_among_good_ones_is_named_and_left_out(command_line, make_sounds):
    root = make_sounds(4)
    (root / "broken.wav").write_bytes((root / "tone_000.wav").read_bytes()[:1000])
    text = command_line.run("train", f"data.root={root}", "training.max_epochs=1", "tracking=none", *TINY)
    assert "left out: broken.wav: truncated" in text
    assert "4 usable files" in text


@pytest.mark.slow
def test_a_folder_with_any_name_trains(command_line, make_sounds, tmp_path):
    root = tmp_path / "Ångström (old) [x], v=2 ${x}" / "it's"
    root.parent.mkdir()
    shutil.move(make_sounds(4), root)
    text = command_line.run("train", f"data.root={root}", "training.max_epochs=1", "tracking=none", *TINY)
    assert f"4 usable files, 5 s, in {root}" in text


def test_the_project_holds_the_files_it_trains_its_demo_on():
    assert len(list((PROJECT / "experiments/demo/sounds").glob("*.flac"))) == 18
