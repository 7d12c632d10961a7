import json
import os
import shutil

import numpy as np
import pytest
import soundfile

from sda.audio.io import load_audio
from sda.data.cache import SoundCache
from sda.data.scan import scan_file, scan_folder
from sda.errors import CacheError, DataError
from tests.conftest import RATE_HZ, tone
from tests.data.conftest import settle


def test_a_file_is_decoded_once(root, cache, decoded):
    first = scan_folder(root, cache=cache)
    assert sorted(decoded) == ["tone_000.wav", "tone_001.wav", "tone_002.wav"]
    again = scan_folder(root, cache=SoundCache(cache.folder, RATE_HZ))
    assert len(decoded) == 3
    assert again == first
    assert {path: bits.tolist() for path, bits in again.acoustic.items()} == {
        path: bits.tolist() for path, bits in first.acoustic.items()
    }


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_a_cached_waveform_is_the_decoded_file(tmp_path, cache, rate_hz):
    path = tmp_path / "stereo.flac"
    soundfile.write(path, np.stack([tone(440, 40, rate_hz), tone(660, 40, rate_hz)], axis=1), rate_hz)
    file, _ = scan_file(path, cache=cache)
    waveform = cache.open_waveform(file.sha256)
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, load_audio(path, RATE_HZ))  # 40 s: several blocks


def test_a_waveform_is_mapped_and_not_loaded(root, cache):
    file = scan_folder(root, cache=cache).files[0]
    waveform = cache.open_waveform(file.sha256)
    assert isinstance(waveform, np.memmap)
    waveform[:] = 0  # stays in memory
    assert cache.open_waveform(file.sha256).any()


def test_a_changed_file_is_noticed(root, cache, decoded):
    before = scan_folder(root, cache=cache)
    path = root / "tone_001.wav"
    stamps = path.stat()
    samples, rate = soundfile.read(path)
    soundfile.write(path, -samples, rate)  # as long as before …
    os.utime(path, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))  # … and pretending to be as old
    settle()
    decoded.clear()
    after = scan_folder(root, cache=cache)
    assert decoded == ["tone_001.wav"]
    assert after.fingerprint != before.fingerprint


def _damage(place, how):
    data = bytearray(place.read_bytes())
    if how == "flipped":
        data[len(data) // 2] ^= 0xFF
        place.write_bytes(data)
    elif how == "cut":
        place.write_bytes(data[:-4])
    elif how == "gone":
        place.unlink()


@pytest.mark.parametrize("suffix", [".f32", ".json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_damaged_waveform_is_made_again(root, cache, decoded, suffix, how):
    file = scan_folder(root, cache=cache).files[0]
    whole = np.array(cache.open_waveform(file.sha256))
    (place,) = (cache.folder / "waveforms").glob(f"{file.sha256}*{suffix}")
    _damage(place, how)
    decoded.clear()
    assert scan_folder(root, cache=cache).files[0] == file
    assert decoded == ["tone_000.wav"]
    np.testing.assert_array_equal(cache.open_waveform(file.sha256), whole)


@pytest.mark.parametrize("suffix", [".bits", ".json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_damaged_record_is_made_again(root, cache, decoded, suffix, how):
    before = scan_folder(root, cache=cache)
    for place in (cache.folder / "records").glob(f"*{suffix}"):
        _damage(place, how)
    decoded.clear()
    assert scan_folder(root, cache=cache) == before
    assert len(decoded) == 3


def test_a_copied_cache_is_checked_and_then_used(root, cache, decoded, tmp_path):
    scan_folder(root, cache=cache)
    shutil.copytree(cache.folder, tmp_path / "copy")
    decoded.clear()
    copy = SoundCache(tmp_path / "copy", RATE_HZ)
    scan_folder(root, cache=copy)
    assert decoded == []
    notes = json.loads(next((tmp_path / "copy" / "waveforms").glob("*.json")).read_text())
    place = next((tmp_path / "copy" / "waveforms").glob("*.f32"))
    assert notes["signature"][3] in {path.stat().st_ino for path in place.parent.iterdir()}


def test_rates_do_not_mix(root, cache):
    file = scan_folder(root, cache=cache).files[0]
    other = SoundCache(cache.folder, 2 * RATE_HZ)
    assert other.open_waveform(file.sha256) is None
    scan_folder(root, cache=other)
    assert len(other.open_waveform(file.sha256)) == 2 * len(cache.open_waveform(file.sha256))


def test_what_was_used_longest_ago_is_dropped(root, cache):
    files = scan_folder(root, cache=cache).files
    sizes = [4 * len(cache.open_waveform(file.sha256)) for file in files]
    for age, file in enumerate(files):  # the last is the oldest
        (notes,) = (cache.folder / "waveforms").glob(f"{file.sha256}*.json")
        os.utime(notes, (1e9 - age, 1e9 - age))
    cache.max_gb = (sizes[0] + sizes[1]) / 1e9
    assert cache.trim() == sizes[2]
    assert [cache.open_waveform(file.sha256) is None for file in files] == [False, False, True]
    cache.max_gb = 0
    cache.trim(keep=[files[1].sha256])
    assert [cache.open_waveform(file.sha256) is None for file in files] == [True, False, True]


def test_a_waveform_in_use_survives_being_dropped(root, cache):
    file = scan_folder(root, cache=cache).files[0]
    waveform = cache.open_waveform(file.sha256)
    cache.clear()
    assert cache.open_waveform(file.sha256) is None
    assert waveform.any()


def test_drafts_of_dead_processes_are_removed(root, cache):
    scan_folder(root, cache=cache)
    old, new = (cache.folder / "waveforms" / name for name in (f".{'0' * 16}.tmp", f".{'1' * 16}.tmp"))
    yours = cache.folder / "mine" / ".old.tmp"
    yours.parent.mkdir()
    for path in (old, new, yours):
        path.touch()
    for path in (old, yours):
        os.utime(path, (1e9, 1e9))
    cache.trim()
    assert not old.exists()
    assert yours.exists()
    assert new.exists()  # may be another process's


def test_what_is_not_the_caches_own_is_neither_counted_nor_removed(root, cache):
    scan_folder(root, cache=cache)
    files = [
        cache.folder / folder / name
        for folder, name in (
            ("waveforms", "labels.json"),
            ("waveforms", "notes.json"),
            ("waveforms", "notes.f32"),
            ("waveforms", f"{64 * 'a'}-{RATE_HZ}.json"),
            ("records", "take.bits"),
            ("records", ".draft.tmp"),
            ("records", "inner/take.json"),
        )
    ]
    for path in files:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(1000))
        os.utime(path, (0, 0))
    outside = cache.folder / "outside"
    outside.write_text("{}")
    (cache.folder / "waveforms" / f"{64 * 'b'}-{RATE_HZ}-v1.json").symlink_to(outside)
    size = sum(path.stat().st_size for path in (cache.folder / "waveforms").glob(f"{64 * '?'}-*.f32"))
    cache.max_gb = 0.0
    assert cache.trim() == size
    cache.clear()
    assert [path.stat().st_size for path in files] == [1000] * len(files)
    left = sorted(path for path in cache.folder.rglob("*") if path.is_file() and not path.is_symlink())
    assert left == sorted([*files, outside])


def test_a_cache_that_is_cleared_leaves_no_folders(root, cache):
    scan_folder(root, cache=cache)
    cache.clear()
    assert list(cache.folder.iterdir()) == []


def test_nothing_is_left_of_a_file_that_cannot_be_used(root, cache):
    soundfile.write(root / "nan.wav", np.array([0.1, np.nan] * 4000), RATE_HZ, subtype="FLOAT")
    (root / "fake.wav").write_text("no sound")
    scan_folder(root, cache=cache)
    assert len(list((cache.folder / "waveforms").iterdir())) == 2 * 3


def test_a_cache_that_cannot_be_written_says_so(root, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match=r"data.cache_dir=.*cannot be written.*SDA_CACHE_DIR"):
        scan_folder(root, cache=SoundCache(tmp_path / "file", RATE_HZ))


def test_a_full_disk_says_so_and_leaves_no_rubbish(root, cache, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            raise OSError(28, "No space left on device")

        def close(self):
            self.file.close()

    real = cache.record_waveform

    def record():
        writer = real()
        writer._file = Full(writer._file)
        return writer

    monkeypatch.setattr(cache, "record_waveform", record)
    with pytest.raises(CacheError, match=r"No space left on device"):
        scan_folder(root, cache=cache)
    assert not list((cache.folder / "waveforms").iterdir())


def test_the_users_folder_is_no_cache(root):
    with pytest.raises(DataError, match=r"inside data\.root"):
        scan_folder(root, cache=SoundCache(root / "cache", RATE_HZ))


@pytest.mark.parametrize("link", [".", "waveforms", "records"])
def test_no_link_leads_the_cache_into_the_users_folder(root, tmp_path, link):
    before = sorted(root.rglob("*"))
    (root / "inner").mkdir()
    place = tmp_path / "elsewhere"
    if link == ".":
        place.symlink_to(root / "inner")
    else:
        place.mkdir()
        (place / link).symlink_to(root / "inner")
    with pytest.raises(DataError, match=r"lies inside data\.root"):
        scan_folder(root, cache=SoundCache(place, RATE_HZ))
    assert sorted(root.rglob("*")) == sorted([*before, root / "inner"])


def test_a_link_to_the_users_folder_is_that_folder(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(DataError, match=r"lies inside data\.root"):
        scan_folder(tmp_path / "link", cache=SoundCache(root / "cache", RATE_HZ))


@pytest.mark.parametrize("mode", [0o775, 0o757])
@pytest.mark.parametrize("name", ["", "waveforms", "records"])
def test_a_cache_that_others_can_write_to_is_refused(root, tmp_path, mode, name):
    folder = tmp_path / "shared"
    scan_folder(root, cache=SoundCache(folder, RATE_HZ))
    (folder / name).chmod(mode)
    with pytest.raises(CacheError, match=r"can be written to by others.*chmod -R go-w"):
        scan_folder(root, cache=SoundCache(folder, RATE_HZ))


def test_a_cache_of_somebody_else_is_refused(root, tmp_path, monkeypatch):
    folder = tmp_path / "theirs"
    scan_folder(root, cache=SoundCache(folder, RATE_HZ))
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    with pytest.raises(CacheError, match="belongs to another user"):
        scan_folder(root, cache=SoundCache(folder, RATE_HZ))


def test_a_new_cache_is_its_makers_alone(root, tmp_path):
    before = os.umask(0)
    try:
        scan_folder(root, cache=SoundCache(tmp_path / "new" / "cache", RATE_HZ))
    finally:
        os.umask(before)
    folder = tmp_path / "new" / "cache"
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "waveforms", folder / "records")} == {0o700}
