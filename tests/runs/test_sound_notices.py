"""What scan.py and train.py say of the sounds themselves, by file and number."""

import json
import math
import re

import numpy as np
import pytest
import soundfile
import soxr

from sda.data.cache import SoundCache
from sda.data.measure import Measured
from sda.data.scan import scan_folder
from sda.report.file_table import find_oddities, format_cells
from sda.runs.sound_notices import describe_sounds
from tests.conftest import RATE_HZ
from tests.verbs import TINY


def _sweep(number: int, duration_s: float = 1.1, rate_hz: int = RATE_HZ, level: float = 0.3) -> np.ndarray:
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    sweep = np.sin(2 * np.pi * (200 + 110 * number) * time_s + 3 * np.sin(2 * np.pi * 1.7 * time_s))
    return level * sweep + 0.02 * level * np.random.default_rng(number).standard_normal(len(time_s))


@pytest.fixture
def write(tmp_path):
    """Writes a file of some channels into the folder."""
    (tmp_path / "sounds").mkdir()

    def write(name: str, *channels: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "FLOAT") -> None:
        soundfile.write(tmp_path / "sounds" / name, np.stack(channels, axis=1), rate_hz, subtype=subtype)

    return write


def _describe(tmp_path, rate_hz: int = RATE_HZ) -> list[str]:
    scan = scan_folder(tmp_path / "sounds", cache=SoundCache(sample_rate_hz=rate_hz))
    return describe_sounds(scan, rate_hz, 2048, 512)


def test_of_ordinary_sounds_nothing_is_said(tmp_path, write):
    for number in range(3):
        write(f"{number}.wav", _sweep(number), _sweep(number + 3))
    assert _describe(tmp_path) == []


def test_what_was_done_with_channels_and_offsets_is_said_by_file_and_number(tmp_path, write):
    sound, nothing = _sweep(0), np.zeros(len(_sweep(0)))
    write("a.wav", sound, -0.9 * sound)
    write("b.wav", nothing, _sweep(1))
    write("c.wav", _sweep(2), nothing, nothing, -_sweep(2))
    write("d.wav", _sweep(3) + 0.45)
    for number in range(4, 8):
        write(f"{number}.wav", _sweep(number))
    lost_db = 10 * math.log10((1 + 0.81) / 2 / 0.05**2)
    muted = "b.wav (channel 2 of 2 kept)"
    kept = f"a.wav (channel 1 of 2, else {lost_db:.0f} dB lost), c.wav (channel 1 of 4, else everything lost)"
    first, *others = _describe(tmp_path)
    assert first == (
        "averaging the channels of 2 of 8 files would lose more than 12 dB, as they cancel or are many: "
        f"one of each is kept: {kept}"
    )
    assert others == [
        f"channels without sound (60 dB below the loudest) in 1 of 8 files are left out of the average: {muted}",
        "constant voltage (DC) or drift in 1 of 8 files is taken out by a high-pass at 10 Hz: d.wav (mean +0.45)",
    ]


def test_what_is_said_of_many_files_stays_short(tmp_path, write):
    for number in range(12):
        write(f"{number:02d}.wav", _sweep(number), -_sweep(number))
    (line,) = _describe(tmp_path)
    assert line.startswith("averaging the channels of all 12 files would lose more than 12 dB")
    assert "04.wav (channel 1 of 2, else everything lost) and 7 more" in line
    assert "05.wav" not in line


def test_quiet_sound_is_said_with_what_it_lacks(tmp_path, write):
    for number in range(3):
        write(f"{number}.wav", _sweep(number, level=0.3 * 10 ** (-50 / 20)))
    (line,) = _describe(tmp_path)
    assert line == (
        "quieter than -45 dBFS: all 3 files, 0.wav (-63.5), 1.wav (-63.5), 2.wav (-63.5); "
        "all sounds are turned up by 43 dB while they are learned; what is made is not"
    )
    write("loud.wav", _sweep(4))
    (line,) = _describe(tmp_path)
    assert line.startswith("quieter than -45 dBFS: 3 of 4 files")
    assert line.endswith("all sounds are turned down by 1 dB while they are learned; what is made is not")


@pytest.mark.parametrize("upsampled", [False, True])
def test_sounds_that_end_early_are_said_with_settings_that_hear_them_whole(tmp_path, write, upsampled):
    for number in range(4):
        sound = _sweep(number, 2.0, 8000)
        if upsampled:
            write(f"{number}.wav", soxr.resample(sound, 8000, 48000), rate_hz=48000, subtype="PCM_16")
        else:
            write(f"{number}.wav", sound, rate_hz=8000)
    (line,) = _describe(tmp_path, 48000)
    told = re.fullmatch(
        r"these sounds end at (3\.9|4) kHz, and what is trained on reaches to 24 kHz: the rest of it stays empty\. "
        r"To have all bands where the sound is: audio\.sample_rate_hz=12000 audio\.n_fft=512 audio\.hop_length=128",
        line,
    )
    assert told, line
    write("wide.wav", _sweep(5, 2.0, 48000), rate_hz=48000)
    (line,) = _describe(tmp_path, 48000)
    assert re.match(
        r"4 of 5 files end below 12 kHz, and what is trained on reaches to 24 kHz: 0\.wav \((3\.9|4) kHz\)", line
    )
    for number in range(6, 11):
        write(f"wide_{number}.wav", _sweep(number, 2.0, 48000), rate_hz=48000)
    assert _describe(tmp_path, 48000) == []


def test_sound_that_lies_above_what_is_trained_on_is_said(tmp_path, write):
    time_s = np.arange(192000) / 192000
    bat = 0.3 * np.sin(2 * np.pi * 40000 * time_s) * np.hanning(192000)
    write("bat.wav", bat + 0.01 * np.sin(2 * np.pi * 1000 * time_s), rate_hz=192000)
    write("other.wav", _sweep(1))
    line, *_ = _describe(tmp_path)
    assert line == (
        "most of the sound in 1 of 2 files lies above 8 kHz and is lost; "
        "a higher audio.sample_rate_hz keeps it: bat.wav (25 dB)"
    )


def test_the_table_shows_which_channels_are_kept():
    facts = {"n_frames": 16000, "sample_rate_hz": 16000, "level_dbfs": -20.0}
    cancelling = Measured(n_channels=2, channels_kept="2", mix_loss_db=120.0, **facts)
    assert format_cells(cancelling)["channels"] == "#2 of 2"
    assert find_oddities(cancelling) == {"channels": "channels left out, being silent or lost in an average"}
    many = Measured(n_channels=16, channels_kept=", ".join(map(str, range(1, 16))), **facts)
    assert format_cells(many)["channels"] == "15 of 16"
    assert find_oddities(Measured(n_channels=2, **facts)) == {}


@pytest.mark.slow
def test_sounds_that_cancel_are_trained_on_as_sound(command_line, tmp_path, write):
    """Averaged they are digital silence, which a model rebuilds without error and an evaluation cannot judge."""
    for number in range(6):
        sound = np.round(_sweep(number) * 32767) / 32768  # so that its negative is exact in 16 bits
        write(f"anti{number}.wav", sound, -sound, subtype="PCM_16")
    root = f"data.root={tmp_path / 'sounds'}"
    shown = command_line.run("scan", root, "estimate=false", "output=page.html", *TINY)
    said = "averaging the channels of all 6 files would lose more than 12 dB"
    row = next(line for line in shown.splitlines() if line.lstrip().startswith("anti0.wav"))
    assert "#1 of 2" in row
    assert "-13.5" in row
    assert said in shown
    page = (command_line.folder / "page.html").read_text(encoding="utf-8")
    assert said in page
    assert "#1 of 2" in page
    settings = ["training.max_epochs=2", "tracking=none", *TINY[:-1], "evaluation.at_end=small"]
    text = command_line.run("train", root, *settings)
    assert said in text
    assert "Traceback" not in text
    (run_dir,) = command_line.runs()
    manifest = json.loads((run_dir / "manifest.json").read_text(encoding="utf-8"))
    assert {(file["channels_kept"], file["mix_loss_db"]) for file in manifest["files"]} == {("1", 120.0)}
    evaluation = json.loads((run_dir / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation
    (original, *_) = sorted((run_dir / "previews").glob("epoch_*/original_*.wav"))
    assert np.abs(soundfile.read(original)[0]).max() > 0.1
    scores = {event["source"]: event for event in command_line.events(run_dir, "ReconstructionScored")}
    assert scores["mean_mel"]["measures"]["log_mel_l1_db"] > 1.0
