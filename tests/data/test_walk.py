"""Every file below a folder, but for what sda made itself."""

import shutil

from sda.data.scan import scan_folder
from tests.data.conftest import list_reasons


def test_what_sda_made_is_passed_over_by_what_lies_in_its_folder(make_sounds):
    root = make_sounds(2)
    for folder, names in {
        "made": ["generated.json"],
        "deep/made": ["generated.json"],
        "judged": ["evaluation.json", "report.html"],
        "mine": ["evaluation.json"],  # another program's file may have this name
    }.items():
        (root / folder).mkdir(parents=True)
        shutil.copy(root / "tone_001.wav", root / folder / "sound_001.wav")
        for name in names:
            (root / folder / name).touch()
    reasons = list_reasons(root)
    for folder in ("made", "deep/made"):
        assert reasons.pop(folder) == "holds generated.json: output of sda, not data; take that file away if it is"
    assert reasons.pop("judged").startswith("holds evaluation.json")
    assert {path for path, reason in reasons.items() if not reason} == {
        "tone_000.wav",
        "tone_001.wav",
        "mine/sound_001.wav",
    }
    assert scan_folder(root / "made").file_count == 1, "it is what was asked for"
    looked_into = list_reasons(root, with_generated=True)
    assert looked_into["made/sound_001.wav"] == looked_into["deep/made/sound_001.wav"] == ""


def test_links_are_followed_once(make_sounds):
    root = make_sounds(2)
    (root / "loop").symlink_to(root)
    (root / "link.wav").symlink_to(root / "tone_000.wav")
    assert scan_folder(root).file_count == 3
