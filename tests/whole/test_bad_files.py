"""One folder with every kind of bad or odd file: each bad one is named with its reason, every good one is used."""

import errno
import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.audio.io import load_audio, read_blocks
from sda.data import scan as scan_module
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.scan import scan_file, scan_folder
from sda.errors import DataError
from tests.conftest import RATE_HZ, tone
from tests.verbs import TINY, CommandLine

ODD_NAME = "[bold]cut 🔇 'it\"s'\n.wav"

BAD = {
    "cut.wav": "truncated: only 0.60 s",
    "cut in the header.wav": "unreadable: Error in WAV file. No 'data' chunk",
    "cut.flac": "truncated or damaged: only 2.82 s of its 3.00 s",
    "no bytes.wav": "empty: the file has no bytes",
    "no frames.wav": "empty: it holds no samples",
    "nan.wav": "holds NaN or infinite samples",
    "inf.wav": "holds NaN or infinite samples",
    "integers as floats.wav": "holds samples up to 1.64e+04, where full scale is 1",
    "sum overflows.wav": "holds samples up to 3e+38",
    "10 ms.wav": "too short to use: under 0.02 s",
    "silence.wav": "silent: it never exceeds -80 dBFS",
    "fake.mp3": "unreadable: its content is text, not sound",
    "fake.wav": "unreadable: its content is text, not sound",
    "au.wav": "unreadable: its content is AU (Sun/NeXT)",
    "0 Hz.wav": "unreadable: its header is damaged",
    "1 Hz.wav": "unreadable: its header says 1 Hz",
    "2147483647 Hz.wav": "unreadable: its header says 2147483647 Hz",
    "0 channels.wav": "unreadable: Channel count is zero",
    "1024 channels.wav": "unreadable: its header says 1024 channels",
    "65535 channels.wav": "unreadable: Too many channels",
    "round.wav": "unreadable: Too many levels of symbolic links",
    "nowhere.wav": "unreadable: a link that leads nowhere",
    "pipe.wav": "unreadable: not a regular file",
    ".hidden.wav": "hidden file",
    ".\ufffd": "hidden folder",
    ODD_NAME: "truncated: only 0.60 s",
}
"""Name below the folder → how its reason begins."""

GOOD = {
    "16-bit.wav",
    "8-bit.wav",
    "24-bit.flac",
    "96 kHz stereo.wav",
    "5.1.wav",
    "above full scale.wav",
    "aiff.aiff",
    "vorbis.ogg",
    "opus.oga",
    "mp3.MP3",
    "folder.wav/inside.wav",
    "🎵 'quotes\" and\nnew lines.wav",
}

N_CHANNELS_AT, RATE_AT = 22, 24
"""Where a plain WAV's header has these."""


def make_odd_folder(root: Path) -> Path:
    """A folder with all of `BAD` and `GOOD`, and links that lead in a circle."""
    root.mkdir()
    (root / "folder.wav").mkdir()
    _write_good(root)
    _write_bad(root)
    plain = (root / "16-bit.wav").read_bytes()
    for name in ("cut.wav", ODD_NAME):
        (root / name).write_bytes(plain[: len(plain) // 2])
    (root / "cut in the header.wav").write_bytes(plain[:40])
    for layout, offset, values in (("<I", RATE_AT, (0, 1, 2**31 - 1)), ("<H", N_CHANNELS_AT, (0, 1024, 65535))):
        for value in values:
            damaged = bytearray(plain)
            struct.pack_into(layout, damaged, offset, value)
            (root / f"{value} {'Hz' if offset == RATE_AT else 'channels'}.wav").write_bytes(damaged)
    (root / ".hidden.wav").write_bytes(plain)
    (root / os.fsdecode(b".\xe9")).mkdir()  # Latin-1
    (root / "round.wav").symlink_to("round.wav")
    (root / "nowhere.wav").symlink_to("missing.wav")
    (root / "same folder").symlink_to(root)
    os.mkfifo(root / "pipe.wav")
    return root


def _write_good(root: Path) -> None:
    def write(name: str, frequency_hz: float, rate_hz: int = RATE_HZ, n_channels: int = 1, **form: str) -> None:
        samples = np.stack([tone(frequency_hz, 1.2, rate_hz)] * n_channels, axis=1)
        soundfile.write(root / name, samples, rate_hz, **form)

    write("16-bit.wav", 200)
    write("8-bit.wav", 260, subtype="PCM_U8")
    write("24-bit.flac", 320, subtype="PCM_24")
    write("96 kHz stereo.wav", 380, 96000, 2, subtype="PCM_24")
    write("5.1.wav", 440, 48000, 6, format="WAVEX")
    soundfile.write(root / "above full scale.wav", 40 * tone(500, 1.2), RATE_HZ, subtype="FLOAT")  # +26 dBFS
    write("aiff.aiff", 560)
    write("vorbis.ogg", 620)
    write("opus.oga", 680, format="OGG", subtype="OPUS")
    write("mp3.MP3", 740)
    write("folder.wav/inside.wav", 800)
    write("🎵 'quotes\" and\nnew lines.wav", 860)


def _write_bad(root: Path) -> None:
    def write(name: str, samples: np.ndarray, **form: str) -> None:
        soundfile.write(root / name, samples, RATE_HZ, **form)

    write("cut.flac", np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ))
    (root / "cut.flac").write_bytes((root / "cut.flac").read_bytes()[:-1000])
    (root / "no bytes.wav").touch()
    write("no frames.wav", np.zeros(0))
    write("nan.wav", np.array([0.1, np.nan] * 4000), subtype="FLOAT")
    write("inf.wav", np.array([0.1, np.inf] * 4000), subtype="FLOAT")
    write("integers as floats.wav", np.array([100.0, 16400.0] * 4000), subtype="FLOAT")
    write("sum overflows.wav", np.full((4000, 2), 3e38), subtype="FLOAT")
    write("10 ms.wav", tone(440, 0.01))
    write("silence.wav", np.zeros(RATE_HZ))
    (root / "fake.mp3").write_text("This is no sound. " * 1000)
    (root / "fake.wav").write_text("This is no sound. " * 1000)
    write("au.wav", tone(440, 1), format="AU")


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    (tmp_path / "project").mkdir()
    return CommandLine(tmp_path / "project")


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    return make_odd_folder(tmp_path / "odd")


def test_each_bad_file_has_its_reason_and_every_good_one_is_used(odd_folder):
    scan = scan_folder(odd_folder)
    reasons = {os.path.relpath(file.path, odd_folder): file.reason for file in scan.files}
    assert {name for name, reason in reasons.items() if not reason} == GOOD
    assert reasons.keys() == BAD.keys() | GOOD
    for name, words in BAD.items():
        assert reasons[name].startswith(words), name
    assert not any(str(odd_folder) in reason for reason in reasons.values())


def test_what_is_good_is_used_at_its_own_level(odd_folder):
    cache = SoundCache(sample_rate_hz=RATE_HZ)
    scan = scan_folder(odd_folder, cache=cache)
    loud = next(file for file in scan.usable if file.path.endswith("above full scale.wav"))
    assert 10 < loud.measured.peak <= 20
    for file in scan.usable:
        waveform = cache.open_waveform(file.sha256)
        assert waveform is not None
        assert np.isfinite(waveform).all()
        assert np.array_equal(waveform, load_audio(file.path, RATE_HZ)), file.path


def test_only_what_could_not_be_read_is_looked_at_again(odd_folder, monkeypatch):
    """The disk or the network may have been at fault; everything else is known from its record."""
    time.sleep(0.05)  # files younger than the clock's tick leave no record
    first = scan_folder(odd_folder).files
    decode, decoded = scan_module._decode, []
    monkeypatch.setattr(scan_module, "_decode", lambda path, cache: decoded.append(path) or decode(path, cache))
    assert scan_folder(odd_folder).files == first
    names = {os.path.relpath(path, odd_folder) for path in decoded}
    assert names
    assert all(BAD[name].startswith(("unreadable", "truncated or damaged")) for name in names)


def test_a_fault_of_the_disk_is_not_remembered(make_sounds, monkeypatch):
    path = make_sounds(2) / "tone_000.wav"
    time.sleep(0.05)

    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(scan_module, "read_blocks", fail)
        assert scan_file(path)[0].reason == "unreadable: Input/output error"
    assert scan_file(path)[0].usable


@pytest.mark.parametrize("name", ["integers as floats.wav", "sum overflows.wav", "inf.wav"])
def test_loading_refuses_what_the_scan_refuses(odd_folder, name):
    with pytest.raises(DataError, match=r"(samples up to|infinite).* Re-export"):
        load_audio(odd_folder / name)


def test_what_may_not_be_read_is_named(make_sounds):
    root = make_sounds(4)
    (root / "locked").mkdir()
    (root / "locked" / "a.wav").write_bytes((root / "tone_000.wav").read_bytes())
    (root / "listed").mkdir()
    (root / "listed" / "b.wav").write_bytes((root / "tone_000.wav").read_bytes())
    locks = {"tone_001.wav": 0o000, "locked": 0o000, "listed": 0o444}
    for name, mode in locks.items():
        (root / name).chmod(mode)
    if os.access(root / "tone_001.wav", os.R_OK):
        pytest.skip("this user may read everything, whatever the permissions: root")
    try:
        reasons = {os.path.relpath(file.path, root): file.reason for file in scan_folder(root).quarantined}
    finally:
        for name in locks:
            (root / name).chmod(0o755)
    assert reasons == dict.fromkeys(["tone_001.wav", "locked", "listed/b.wav"], "unreadable: Permission denied")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.mp3", {}),
        ("a.ogg", {}),
        ("a.oga", {"format": "OGG", "subtype": "OPUS"}),
        ("a.flac", {}),
        ("a.aiff", {"subtype": "DWVW_16"}),
    ],
)
def test_a_file_read_in_blocks_is_the_file_read_at_once(tmp_path, monkeypatch, name, form):
    """No seeking between the blocks: what follows a seek in an MP3 is wrong, and some encodings cannot seek."""
    samples = np.stack([np.tile(tone(frequency_hz, 0.5, 48000), 4) for frequency_hz in (440, 550)], axis=1)
    samples[::9600] += 0.4
    soundfile.write(tmp_path / name, samples[:, : 1 if "subtype" in form else 2], 48000, **form)
    whole = np.concatenate(list(read_blocks(tmp_path / name)))
    monkeypatch.setattr("sda.audio.io.BLOCK_SAMPLES", 10_000)
    blocks = list(read_blocks(tmp_path / name))
    assert len(blocks) >= 10
    assert np.array_equal(np.concatenate(blocks), whole)


# What changes or vanishes on the way


def test_a_sound_that_vanishes_after_the_scan_comes_from_the_cache(make_sounds):
    cache = SoundCache(sample_rate_hz=RATE_HZ)
    files = scan_folder(make_sounds(2), cache=cache).usable
    gone, changed = (Path(file.path) for file in files)
    before = [load_audio(path, RATE_HZ) for path in (gone, changed)]
    gone.unlink()
    soundfile.write(changed, tone(999, 2), RATE_HZ)
    corpus = Corpus(cache, {file.path: file.sha256 for file in files})
    for path, waveform in zip((gone, changed), before, strict=True):
        assert np.array_equal(corpus.get(str(path)).numpy(), waveform)


def test_a_sound_that_is_neither_in_the_folder_nor_in_the_cache_is_refused(make_sounds):
    cache = SoundCache(sample_rate_hz=RATE_HZ)
    files = scan_folder(make_sounds(2), cache=cache).usable
    gone, changed = (Path(file.path) for file in files)
    gone.unlink()
    soundfile.write(changed, tone(999, 2), RATE_HZ)
    cache.clear()
    corpus = Corpus(cache, {file.path: file.sha256 for file in files})
    with pytest.raises(DataError, match=r"tone_000.wav: unreadable: No such file.* start again without it"):
        corpus.get(str(gone))
    with pytest.raises(DataError, match=r"tone_001.wav: its sound has changed since it was scanned"):
        corpus.get(str(changed))


@pytest.mark.parametrize("meanwhile", ["vanishes", "becomes text", "gains a channel"])
def test_a_file_that_changes_while_it_is_scanned_is_left_out(make_sounds, monkeypatch, meanwhile):
    path = make_sounds(2) / "tone_000.wav"
    get_metadata = scan_module.get_metadata

    def change_after_the_header(name):
        metadata = get_metadata(name)
        if meanwhile == "vanishes":
            path.unlink()
        elif meanwhile == "becomes text":
            path.write_text("no sound any more")
        else:
            soundfile.write(path, np.stack([tone(440, 1)] * 2, axis=1), RATE_HZ)
        return metadata

    monkeypatch.setattr(scan_module, "get_metadata", change_after_the_header)
    file, _ = scan_file(path)
    assert file.reason.startswith("unreadable: ")


@pytest.mark.slow
def test_a_folder_with_every_bad_file_trains(command_line: CommandLine, odd_folder: Path):
    text = command_line.run("train", f"data.root={odd_folder}", "training.max_epochs=1", "tracking=none", *TINY)
    assert f"{len(GOOD)} usable files" in text
    assert "Traceback" not in text
    (run_dir,) = command_line.runs()
    manifest = json.loads((run_dir / "manifest.json").read_text(encoding="utf-8"))
    told = {os.path.relpath(file["path"], odd_folder): file for file in manifest["files"]}
    assert {name for name, file in told.items() if file["status"] == "used"} == GOOD
    for name, words in BAD.items():
        assert told[name]["status"] == "quarantined"
        assert told[name]["reason"].startswith(words), name


@pytest.mark.slow
def test_a_run_ends_well_when_its_sounds_change_or_vanish_meanwhile(
    command_line: CommandLine, make_sounds: Callable[..., Path]
):
    root = make_sounds(6)
    settings = ["training.max_epochs=4", "training.preview_interval_short=1", "tracking=none", *TINY]
    process = command_line.start("train", f"data.root={root}", *settings)
    deadline = time.monotonic() + 600
    while not any('"StepMetrics"' in path.read_text() for path in command_line.folder.glob("runs/*/*/events.jsonl")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for path in sorted(root.iterdir())[::2]:
        path.unlink()
    for path in root.iterdir():
        path.write_text("no sound any more")
    assert process.poll() is None, "it had ended before anything changed"
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    assert "run finished" in out + err
    (run_dir,) = command_line.runs()
    assert json.loads((run_dir / "summary.json").read_text())["status"] == "finished"
    assert len(command_line.events(run_dir, "EpochMetrics")) == 4
