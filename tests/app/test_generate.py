"""`generate.py` as a user runs it: folders of its own, records, stops half way."""

import hashlib
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.audio.sound_file import read_comment
from sda.runs.generated_record import read_record, write_command
from tests.conftest import RATE_HZ
from tests.verbs import TINY, CommandLine

pytestmark = pytest.mark.slow


def _list(folder: Path):
    """Every file below a folder with its content."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run_dir(command_line, sounds):
    command_line.run("train", sounds, "training.max_epochs=1", "tracking=none", *TINY)
    (run_dir,) = command_line.runs()
    return run_dir


def test_a_call_has_its_own_folder_and_a_record(command_line, run_dir, make_sounds):
    _a_call_that_fails_leaves_no_folder(command_line, run_dir)
    _a_call_writes_over_nothing_and_mixes_with_nothing(command_line, run_dir)
    _the_record_suffices_to_make_every_file_again(command_line, run_dir, make_sounds)
    _every_mode_makes_what_it_says(command_line, run_dir)
    _sounds_are_written_as_asked_for(command_line, run_dir)
    _what_a_mode_has_no_use_for_is_refused(command_line)
    _a_source_that_is_not_there_is_named_as_what_it_is(command_line)


def _every_mode_makes_what_it_says(command_line, run_dir):
    command_line.run("generate", "run=last", "n=2", "duration_s=auto")
    command_line.run("generate", "run=last", "mode=continue", "n=2", "duration_s=0.5")
    command_line.run("generate", "run=last", "mode=vary", "n=1", "duration_s=0.5", "strength=0")
    command_line.run("generate", "run=last", "mode=blend", "n=1", "duration_s=0.5", "share=0:0,0.5:1")
    command_line.run("generate", "run=last", "mode=loop", "n=1", "duration_s=1")
    folders = {
        mode: run_dir / "generated" / f"{mode}_seed_0" for mode in ("sample", "continue", "vary", "blend", "loop")
    }
    records = {mode: json.loads((folder / "generated.json").read_text()) for mode, folder in folders.items()}
    assert records["sample"]["duration_s"] == "auto"
    assert (records["vary"]["strength"], records["blend"]["share"]) == (0, "0:0,0.5:1")
    given = soundfile.read(records["continue"]["files"][0]["sources"][0])[0]
    continued = soundfile.read(folders["continue"] / "sound_001.wav")[0]
    assert len(given) < len(continued) <= len(given) + 0.5 * RATE_HZ
    n_kept = len(continued) - round(0.7 * RATE_HZ)
    assert np.abs(continued[:n_kept] - given[:n_kept]).max() < 2e-3
    assert soundfile.info(folders["vary"] / "sound_001.wav").frames == round(0.5 * RATE_HZ)
    assert len(records["blend"]["files"][0]["sources"]) == 2


def _sounds_are_written_as_asked_for(command_line, run_dir):
    made = ("generate", "run=last", "n=1", "duration_s=0.5", "seed=5")
    command_line.run(*made, "output=plain")
    command_line.run(*made, "output=given", "format=flac", "sample_rate_hz=44100")
    info = soundfile.info(command_line.folder / "given" / "sound_001.flac")
    assert (info.samplerate, info.frames, info.subtype) == (44100, 22050, "PCM_24")
    for name in ("plain/sound_001.wav", "given/sound_001.flac"):
        told = read_comment(command_line.folder / name)
        assert f"run={run_dir.name}" in told
        assert "seed=5" in told
        assert str(command_line.folder) not in told
    plain, given = (write_command(read_record(command_line.folder / name), 1) for name in ("plain", "given"))
    assert set(given.split()) - set(plain.split()) == {"format=flac", "sample_rate_hz=44100"}
    refused = command_line.run(*made, "sample_rate_hz=100", code=1)
    assert "sample_rate_hz=100 is not allowed: give 8000 to 192000, such as 44100, or 0" in refused


def _what_a_mode_has_no_use_for_is_refused(command_line):
    text = command_line.run("generate", "run=last", "mode=loop", "source=.", code=1)
    assert "source=. has no use with mode=loop" in text
    text = command_line.run("generate", "run=last", "mode=vary", "duration_s=auto", code=1)
    assert "duration_s=auto has no use with mode=vary: give seconds" in text
    text = command_line.run("generate", "run=last", "duration_s=soon", code=1)
    assert "duration_s=soon is not allowed: give seconds, such as 4, or auto" in text
    text = command_line.run("generate", "run=last", "mode=blend", "loudness=second", code=1)
    assert "it has no loudness of its own" in text
    text = command_line.run("generate", "run=last", "mode=vary", "strength=2", code=1)
    assert "strength=2.0 is out of range: allowed is at least 0 and at most 1" in text
    text = command_line.run("generate", "run=last", "mode=transfer", "n=1", "output=out", code=1)
    assert "this run's prior, density, does not keep. Train with model=spectral_vae prior.name=mosaic" in text
    text = command_line.run("generate", "run=last", "mode=walk", "places=a.wav@0,b (1).wav@1.5", "output=out", code=1)
    assert "mode=walk is made of passages of training sound" in text
    assert not (command_line.folder / "out").exists()
    text = command_line.run("generate", "run=last", "mode=walk", "places=a.wav", code=1)
    assert "places=a.wav is not understood: give NAME@SECONDS" in text
    text = command_line.run("generate", "run=last", "mode=blend", "share=0:0,4:2", code=1)
    assert "share=0:0,4:2 is out of range: 2 at 4 s; allowed is at least 0 and at most 1" in text
    (command_line.folder / "rise.csv").write_text("time,share\n0,0\n4,up\n")
    text = command_line.run("generate", "run=last", "mode=blend", "share=rise.csv", code=1)
    assert "share=rise.csv: 'up' in '4,up' is no number" in text


def _a_source_that_is_not_there_is_named_as_what_it_is(command_line):
    (command_line.folder / "hollow").mkdir()
    for source, words in (
        ("nowhere/voice.wav", "source=nowhere/voice.wav: there is no such file. Give a sound file, or a folder"),
        ("nowhere", "source=nowhere: there is no such folder. Give a sound file, or a folder of them"),
        ("hollow", "source=hollow: no usable sound file: the folder is empty"),
    ):
        text = command_line.run("generate", "run=last", "mode=vary", f"source={source}", code=1)
        assert text.startswith(f"error: {words}")


def _a_call_writes_over_nothing_and_mixes_with_nothing(command_line, run_dir):
    first = run_dir / "generated" / "sample_seed_7"
    command_line.run("generate", "run=last", "n=3", "duration_s=0.3", "seed=7")
    before = _list(first)
    (first / "mine.txt").write_text("a person's own file")
    text = command_line.run("generate", "run=last", "n=2", "duration_s=0.3", "seed=7")
    second = run_dir / "generated" / "sample_seed_7-2"
    assert f"written: 2 sounds in {second}" in text
    assert _list(first) == before | {Path("mine.txt"): b"a person's own file"}
    assert set(_list(second)) == {Path(name) for name in ("sound_001.wav", "sound_002.wav", "generated.json")}
    for name in ("sound_001.wav", "sound_002.wav"):
        assert (second / name).read_bytes() == (first / name).read_bytes(), "the same seed, the same sound"

    mine = command_line.folder / "mine"
    mine.mkdir()
    (mine / "sound_001.wav").write_bytes(b"a person's own sound")
    text = command_line.run("generate", "run=last", "output=mine", code=1)
    assert "output=mine is there already and not an empty folder" in text
    assert f"output={mine}-2" in text
    assert _list(mine) == {Path("sound_001.wav"): b"a person's own sound"}


def test_nothing_is_written_among_sounds(command_line, run_dir, make_sounds):
    root = Path(json.loads((run_dir / "manifest.json").read_text())["files"][0]["path"]).parent
    others = make_sounds(2, folder="others")
    before = [_list(folder) for folder in (root, others)]
    (command_line.folder / "link").symlink_to(root)
    made_of_others = ("run=last", "mode=reconstruct", f"source={others}", f"output={others / 'new'}")
    compared = (f"reference={root}", f"generated={others}")
    for verb, *arguments in (
        ("generate", "run=last", f"output={root / 'new'}"),
        ("generate", "run=last", f"output={command_line.folder / 'link' / 'new'}"),
        ("generate", *made_of_others),
        ("evaluate", "run=last", f"output={root / 'new'}"),
        ("evaluate", *compared, f"output={root / 'new'}"),
        ("evaluate", *compared, f"output={others}"),
        ("compare", "runs=last", f"output={root / 'new'}"),
    ):
        assert "which is never written to" in command_line.run(verb, *arguments, code=1), (verb, arguments)
    # Where one stands among sounds, the default place is refused as well.
    assert "which is never written to" in CommandLine(others).run("evaluate", *compared, code=1)
    assert [_list(folder) for folder in (root, others)] == before


def _the_record_suffices_to_make_every_file_again(command_line, run_dir, make_sounds):
    source, linked = make_sounds(3, folder="others"), command_line.folder / "linked"
    linked.mkdir()
    for path in source.iterdir():  # a folder of links is as good
        (linked / path.name).symlink_to(path)
    source = linked
    command_line.run(
        "generate", "run=last", "mode=interpolate", "n=2", "duration_s=0.4", "seed=3", f"source={source}", "output=one"
    )
    record = json.loads((command_line.folder / "one" / "generated.json").read_text())
    assert record["complete"]
    assert record["run"] == str(run_dir)
    assert (record["epoch"], record["mode"], record["seed"], record["duration_s"]) == (1, "interpolate", 3, 0.4)
    assert record["versions"]["sda"]
    for file in record["files"]:
        content = (command_line.folder / "one" / file["file"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["n_samples"] == soundfile.info(command_line.folder / "one" / file["file"]).frames
        assert len(file["sources"]) == 2
    assert len(record["source_sha256"]) == 3
    for path, sha256 in record["source_sha256"].items():
        assert sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    again = [f"{key}={record[key]}" for key in ("run", "mode", "n", "duration_s", "seed", "source", "device")]
    command_line.run("generate", *again, "output=two")
    one, two = (_list(command_line.folder / name) for name in ("one", "two"))
    assert one == two


def test_a_call_that_is_killed_leaves_whole_files_and_a_record_of_them(command_line, run_dir):
    process = command_line.start("generate", "run=last", "n=200", "duration_s=1", "output=out")
    folder = command_line.folder / "out"
    deadline = time.monotonic() + 300
    while len(list(folder.glob("*.wav"))) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    record = json.loads((folder / "generated.json").read_text())
    assert not record["complete"]
    assert (record["n"], len(record["files"])) != (200, 200)
    there = sorted(path.name for path in folder.glob("*.wav"))
    assert len(there) - 1 <= len(record["files"]) <= len(there), "killed between a file and its line, or not"
    for name in there:
        assert soundfile.info(folder / name).frames == RATE_HZ
    assert [file["file"] for file in record["files"]] == there[: len(record["files"])]


def _a_call_that_fails_leaves_no_folder(command_line, run_dir):
    source = command_line.folder / "short.wav"
    soundfile.write(source, np.zeros(200), RATE_HZ)
    text = command_line.run("generate", "run=last", "mode=reconstruct", f"source={source}", "output=out", code=1)
    assert "200 samples are too few: 257 are needed" in text
    assert not (command_line.folder / "out").exists()
    assert not (run_dir / "generated").exists()
