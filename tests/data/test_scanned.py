"""What a scan found: a fingerprint of all sounds, and how many chunks they hold."""

import pytest
import soundfile

from sda.data.measure import Measured
from sda.data.scan import scan_folder
from sda.data.scanned import LEARNED_DBFS, Scan, ScannedFile, count_between
from tests.conftest import RATE_HZ, tone


def test_the_fingerprint_follows_the_sound_and_not_the_names(make_sounds):
    root = make_sounds(3)
    before = scan_folder(root).fingerprint
    (root / "tone_000.wav").rename(root / "renamed.wav")
    assert scan_folder(root).fingerprint == before
    soundfile.write(root / "renamed.wav", tone(999, 1), RATE_HZ)
    assert scan_folder(root).fingerprint != before


def test_chunks_count_the_last_one_whole(make_sounds):
    scan = scan_folder(make_sounds(2))  # 1.2 s and 1.25 s
    assert scan.count_chunks(1.0) == 4
    assert scan.count_chunks(0.6) == 5


def _file(name, level_dbfs, duration_s=2.0, quiet_fraction=0.0, reason=""):
    measured = Measured(
        sample_rate_hz=1000, n_frames=round(1000 * duration_s), level_dbfs=level_dbfs, quiet_fraction=quiet_fraction
    )
    return ScannedFile(name, reason=reason, sha256=name, measured=measured)


def test_sounds_are_turned_up_together_to_the_level_that_they_are_learned_at():
    assert Scan((), (_file("a", -40.0), _file("b", -40.0))).gain_db == LEARNED_DBFS + 40.0
    unlike = Scan((), (_file("a", -20.0), _file("b", -300.0)))
    assert unlike.gain_db == pytest.approx(LEARNED_DBFS + 20.0 + 3.01, abs=0.01), "half of the time is silent"
    told = Scan((), (_file("a", -20.0), _file("b", -300.0, quiet_fraction=1.0)))
    assert told.gain_db == LEARNED_DBFS + 20.0, "what is quiet does not count"


def test_files_that_are_left_out_count_for_nothing():
    used, left_out = _file("a", -40.0), _file("b", 0.0, reason="silent")
    both, alone = Scan((), (used, left_out)), Scan((), (used,))
    assert (both.usable, both.quarantined, both.file_count) == ([used], [left_out], 1)
    assert (both.gain_db, both.fingerprint) == (alone.gain_db, alone.fingerprint)


def test_without_any_sound_nothing_is_turned_up():
    assert Scan((), ()).gain_db == 0.0
    assert Scan((), (_file("a", -40.0, quiet_fraction=1.0),)).gain_db == 0.0


@pytest.mark.parametrize(
    ("start_s", "end_s", "origin_s", "n_chunks"),
    [
        (0.0, 1.0, 0.0, 1),
        (0.0, 0.9, 0.0, 1),
        (0.5, 2.5, 0.0, 3),
        (0.5, 2.5, 0.5, 2),
        (0.3, 0.3, 0.0, 1),
        (1.0, 2.0, 0.0, 1),
    ],
)
def test_chunks_with_a_piece_of_sound_in_them_are_counted(start_s, end_s, origin_s, n_chunks):
    assert count_between(start_s, end_s, 1.0, origin_s) == n_chunks
