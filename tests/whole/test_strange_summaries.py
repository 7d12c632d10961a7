"""Small files in a run's folder that no run of ours wrote: an error or nothing at most, never a traceback."""

import json
import math
import zlib

import numpy as np
import pytest
import soundfile

from sda.report.comparison_figures import draw_pictures
from sda.report.comparison_lines import format_comparison, write_csv
from sda.report.comparison_page import MOST_HEARD_SAMPLES, draw_page
from sda.runs.comparison import compare_runs
from sda.runs.continuation import can_go_on
from sda.tracking.folds import summarise_folds
from sda.tracking.journal import decode_line, encode_line, read_journal
from sda.wording import format_duration
from tests.runs.test_sweep_folder import CONFIG, _write_run

SCORES = {"model": {"log_mel_l1_db": 1.0, "mr_stft": 1.0, "loudness_error_db": 1.0}}

STRANGE = {
    "a file without measures": {"held_out_by_file": {"a": {}}},
    "no clips": {"held_out_by_file": {"a": {"mr_stft": 1.0, "n_clips": 0}}},
    "endless clips": {"held_out_by_file": {"a": {"mr_stft": 1.0, "n_clips": math.inf}}},
    "an endless error": {"held_out_by_file": {"a": {"mr_stft": math.inf, "n_clips": 1}}},
    "an endless score": {"reconstruction": {"model": {**SCORES["model"], "mr_stft": math.inf}}},
    "a score beyond all sums": {"reconstruction": {"model": {**SCORES["model"], "mr_stft": 1.7e308}}},
    "an endless time": {"elapsed_s": math.inf},
    "a time that is no number": {"elapsed_s": math.nan},
    "figures that are words": {"evaluation": {"memorisation.replay_rate": "=1", "label": 3.0}},
}


@pytest.fixture
def make_runs(tmp_path):
    """Two runs of one sweep: ours, and one with something strange in its summary and its overrides."""

    def make(summary, override="lr=0.1", **config):
        for number, given in enumerate(("lr=0.2", override)):
            values = {"reconstruction": SCORES, "best_val_loss": 1.0, **(summary if number else {})}
            data = {**CONFIG["data"], "folds": 2, "fold": number}
            run_dir = _write_run(tmp_path / str(number), {**CONFIG, "data": data, **config}, "finished", **values)
            (run_dir / ".hydra" / "overrides.yaml").write_text(json.dumps([given]))
        return [tmp_path / "0", tmp_path / "1"]

    return make


def _show(run_dirs, objective="mr_stft"):
    comparison = compare_runs(run_dirs, objective, "")
    text = draw_page(comparison, draw_pictures(comparison))
    return comparison, "\n".join([*format_comparison(comparison), write_csv(comparison), text])


@pytest.mark.parametrize("summary", STRANGE.values(), ids=STRANGE)
def test_a_strange_summary_is_compared_as_far_as_it_says_anything(make_runs, summary, tmp_path):
    run_dirs = make_runs(summary)
    comparison, _ = _show(run_dirs)
    assert len(comparison.runs) == 2
    assert all(math.isfinite(standing.score.value) for standing in comparison.ranking.standings)
    summarise_folds(tmp_path)
    _show(run_dirs, "memorisation.replay_rate")


@pytest.mark.parametrize("override", ["lr=$\\foo$", "lr=a\0b\ud800", "l\0r=\x1b[2J"])
def test_a_strange_override_is_drawn_as_it_stands(make_runs, override):
    _, text = _show(make_runs({}, override))
    assert "\0" not in text


def test_a_model_that_names_nothing_is_compared(make_runs):
    _show(make_runs({}, model={"name": "${"}), "best_val_loss")


def test_a_duration_that_is_none_is_unknown():
    assert [format_duration(seconds) for seconds in (math.inf, math.nan, -math.inf)] == ["?", "?", "?"]


def _write_long(path):
    """Silence packs well: a few kilobytes that would fill the memory."""
    block = np.zeros(1 << 20, np.int16)
    with soundfile.SoundFile(path, "w", 48000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(MOST_HEARD_SAMPLES // len(block) + 1):
            file.write(block)


@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.write_text("junk"), lambda path: path.write_text(""), lambda path: path.mkdir(), _write_long],
    ids=["junk", "empty", "a folder", "a few kilobytes of hours"],
)
def test_a_preview_that_is_none_of_ours_is_left_out(make_runs, spoil):
    run_dirs = make_runs({})
    previews = run_dirs[0] / "previews" / "epoch_0001"
    previews.mkdir(parents=True)
    spoil(previews / "original_1.wav")
    (previews / "reconstruction_1.png").mkdir()
    soundfile.write(previews / "sample_1.wav", np.zeros(8000, np.float32), 8000)
    _, text = _show(run_dirs)
    assert 'aria-label="play new sound' in text
    assert 'aria-label="play held-out original' not in text


def _with_checksum(content):
    return content + f', "crc32": "{zlib.crc32(content):08x}"}}\n'.encode()


@pytest.mark.parametrize(
    "content",
    [
        b'{"time": 1.0',
        b'{"event": "Warned"',
        b'{"event": ["Warned"], "time": 1.0',
        b'{"event": "Warned", "time": "now"',
        b'{"event": "Warned", "time": NaN',
        b'{"event": "Warned", "time": 1' + 400 * b"0",
        b'{"event": "StepMetrics", "time": 1.0, "epoch": 1',
        b'{"event": "StepMetrics", "time": 1.0, "step": "x", "epoch": 1',
        b'{"event": "EpochMetrics", "time": 1.0',
        b'{"event": "SecondPhaseStarted", "time": 1.0',
        b'{"event": "Warned", "time": 1.0, "a": "\xff"',
        b'{"event": "Warned", "time": 1.0, "a": ' + 100_000 * b"[",
        b"[1, 2",
        b"{",
    ],
)
def test_a_line_that_tells_of_no_event_is_damaged_whatever_its_checksum(tmp_path, content):
    line = _with_checksum(content)
    assert decode_line(line) is None
    whole = {"event": "Warned", "time": 1.0}
    (tmp_path / "events.jsonl").write_bytes(line + encode_line(whole))
    (tmp_path / "summary.json").write_text('{"status": "stopped"}')
    assert [event["event"] for event in read_journal(tmp_path / "events.jsonl")] == ["Warned"]
    assert not can_go_on(tmp_path)
