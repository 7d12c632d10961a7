"""Where a call's own files go: a new folder each, never among sounds, never over anything."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sda.errors import ConfigError
from sda.runs.generated_folder import Call, Made
from sda.runs.outputs import (
    check_folder,
    claim_given,
    claim_next,
    find_evaluation,
    find_places,
    list_sound_folders,
    name_free,
    refuse_among_sounds,
)

MARK = "generated.json"


def test_every_call_has_a_folder_of_its_own_with_the_next_number(tmp_path):
    names = [claim_next(tmp_path / "generated" / "sample_seed_7", MARK).name for _ in range(3)]
    assert names == ["sample_seed_7", "sample_seed_7-2", "sample_seed_7-3"]
    (tmp_path / "generated" / "sample_seed_7" / MARK).unlink()
    (tmp_path / "generated" / "sample_seed_7").rmdir()
    assert claim_next(tmp_path / "generated" / "sample_seed_7", MARK).name == "sample_seed_7-4", (
        "the newest is the last"
    )
    (tmp_path / "generated" / "sample_seed_70-9").mkdir()
    assert claim_next(tmp_path / "generated" / "sample_seed_70", MARK).name == "sample_seed_70-10"


def test_what_has_the_name_is_left_alone_whatever_it_is(tmp_path):
    (tmp_path / "new").write_text("a person's own file")
    assert claim_next(tmp_path / "new", MARK) == tmp_path / "new-2"
    (tmp_path / "new-3").symlink_to(tmp_path / "nowhere")
    assert claim_next(tmp_path / "new", MARK) == tmp_path / "new-4"
    assert (tmp_path / "new").read_text() == "a person's own file"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("is_there", [True, False])
def test_calls_at_once_get_folders_of_their_own(tmp_path, given, is_there):
    folder = tmp_path / "out"
    if is_there:
        folder.mkdir()
    found, start = [], threading.Barrier(8)

    def claim():
        start.wait()
        found.append((claim_given if given else claim_next)(folder, MARK))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 8
    assert all(list(one.iterdir()) == [one / MARK] for one in found)
    assert not given or folder in found


def test_a_folder_that_is_given_is_new_or_empty(tmp_path):
    check_folder(tmp_path / "new", "output=new", {})
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty", "output=empty", {})
    assert claim_given(tmp_path / "empty", MARK) == tmp_path / "empty"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").touch()
    (tmp_path / "full-2").mkdir()
    with pytest.raises(ConfigError, match=r"output=full is there already .* such as output=.*/full-3\."):
        check_folder(tmp_path / "full", "output=full", {})
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"output=file is there already .* such as output=.*/file-2\."):
        check_folder(tmp_path / "file", "output=file", {})


def test_a_free_name_of_a_page_keeps_its_ending(tmp_path):
    (tmp_path / "page.v1.html").touch()
    assert name_free(tmp_path / "page.v1.html") == tmp_path / "page.v1-2.html"
    (tmp_path / "take 1.5").mkdir()
    assert name_free(tmp_path / "take 1.5") == tmp_path / "take 1.5-2"


def test_nothing_is_written_into_or_around_a_folder_of_sounds(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    (tmp_path / "link").symlink_to(sounds)
    for place in ("sounds", "sounds/new", "sounds/a/b", "link/new", "other/../sounds/new"):
        with pytest.raises(ConfigError, match=r"output=x lies inside the sounds, .*sounds, which is never written to"):
            refuse_among_sounds(tmp_path / place, "output=x", {"the sounds": [sounds]})
    with pytest.raises(ConfigError, match="output=x holds the sounds"):
        refuse_among_sounds(tmp_path, "output=x", {"the sounds": [sounds]})
    with pytest.raises(ConfigError, match="output=x lies inside the sounds"):  # which are not mounted now
        refuse_among_sounds(tmp_path / "gone" / "new", "output=x", {"the sounds": [tmp_path / "gone"]})
    refuse_among_sounds(tmp_path / "sounds-2", "output=x", {"the sounds": [sounds]})


def test_sounds_lie_also_where_links_led(tmp_path):
    root, archive = tmp_path / "sounds", tmp_path / "archive"
    archive.mkdir()
    root.mkdir()
    (root / "field").symlink_to(archive)
    folders = list_sound_folders(str(root), [str(root / "a.wav"), str(root / "field" / "b.wav")])
    with pytest.raises(ConfigError, match="lies inside the sounds"):
        refuse_among_sounds(archive / "new", "output=x", {"the sounds": folders})


def test_of_several_folders_of_sounds_each_is_left_alone_and_what_holds_them_is_not(tmp_path):
    for name in ("piano", "rain"):
        (tmp_path / name).mkdir()
    folders = list_sound_folders(f'["{tmp_path}/piano","{tmp_path}/rain"]', [])
    for name in ("piano", "rain"):
        with pytest.raises(ConfigError, match=f"lies inside the sounds, .*{name}, which"):
            refuse_among_sounds(tmp_path / name / "new", "output=x", {"the sounds": folders})
    refuse_among_sounds(tmp_path / "new", "output=x", {"the sounds": folders})


def test_the_newest_evaluation_is_the_last_that_was_written_to_its_end(tmp_path):
    assert find_evaluation(tmp_path) is None
    folders = [claim_next(tmp_path / "evaluation", "report.html") for _ in range(11)]
    assert find_evaluation(tmp_path) is None
    for folder in (folders[9], folders[1], folders[0]):
        (folder / "evaluation.json").write_text("{}")
    assert find_evaluation(tmp_path) == tmp_path / "evaluation-10"


def test_what_is_made_of_a_strangers_run_goes_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_dir = Path("/elsewhere/runs/14-03-22")
    assert find_places(run_dir, is_own=True) == (run_dir / "generated", run_dir, run_dir / "kept", run_dir / "exports")
    strangers = (tmp_path / f"{name}/14-03-22" for name in ("generated", "evaluations", "kept", "exports"))
    assert find_places(run_dir, is_own=False) == tuple(strangers)


def _sound(n_blocks, fails=False):
    for _ in range(n_blocks):
        yield torch.zeros(100)
    if fails:
        raise OSError("the disk is full")


def _begin(tmp_path, n=3):
    told = {"run": "runs/one", "epoch": 1, "mode": "sample", "seed": 7, "format": "wav16", "sample_rate_hz": 8000}
    call = Call(claim_next(tmp_path / "out", MARK), told, n)
    call.record()
    return call


def _read(call):
    return json.loads((call.folder / MARK).read_text())


def test_the_record_lists_what_is_there_at_every_moment(tmp_path):
    source = tmp_path / "source.wav"
    soundfile.write(source, np.zeros(10), 8000)
    call = _begin(tmp_path, n=2)
    assert (_read(call)["complete"], _read(call)["files"]) == (False, [])
    call.write(Made(_sound(3), []), 8000)
    assert not _read(call)["complete"]
    call.write(Made(_sound(2), [str(source)]), 8000)
    values = _read(call)
    assert values["complete"]
    assert values["seed"] == 7
    assert [(file["file"], file["number"], file["n_samples"]) for file in values["files"]] == [
        ("sound_001.wav", 1, 300),
        ("sound_002.wav", 2, 200),
    ]
    assert values["files"][1]["sources"] == [str(source)]
    assert set(values["source_sha256"]) == {str(source)}


def test_a_sound_that_fails_is_neither_there_nor_in_the_record(tmp_path):
    call = _begin(tmp_path)
    call.write(Made(_sound(3), []), 8000)
    with pytest.raises(OSError, match="full"):
        call.write(Made(_sound(2, fails=True), []), 8000)
    call.give_back(is_users=False)
    assert {path.name for path in call.folder.iterdir()} == {"sound_001.wav", MARK}
    assert [file["file"] for file in _read(call)["files"]] == ["sound_001.wav"]
    assert not _read(call)["complete"]


@pytest.mark.parametrize("is_users", [True, False])
def test_a_call_that_made_nothing_leaves_nothing(tmp_path, is_users):
    call = _begin(tmp_path)
    with pytest.raises(OSError, match="full"):
        call.write(Made(_sound(0, fails=True), []), 8000)
    call.give_back(is_users)
    assert call.folder.exists() == is_users
    assert not is_users or not list(call.folder.iterdir())
