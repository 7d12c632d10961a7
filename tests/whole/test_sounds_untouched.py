"""The folder of sounds is as it was, whatever a run or a sweep is told, and whatever links lead there."""

from pathlib import Path

import pytest

from sda.errors import ConfigError
from sda.roots import keep_out_of
from tests.verbs import TINY, CommandLine


@pytest.fixture
def root(make_sounds) -> Path:
    return make_sounds(6)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["data.root=."], "hydra.run.dir="),
        (["data.root=.", "hydra.run.dir=new/inner"], "hydra.run.dir="),
        (["-m", "data.root=.", "seed=0,1"], "hydra.sweep.dir="),
        (["-m", "data.root='.','../other'"], "hydra.sweep.dir="),
        (["data.root=[../other,.]"], "hydra.run.dir="),
        (["-m", "data.root=../other,[../other,.]"], "hydra.sweep.dir="),
        (["-m", "data.root='../link'", "hydra.sweep.dir=new"], "hydra.sweep.dir="),
    ],
    ids=[
        "a run",
        "a run in a folder of its own",
        "a sweep",
        "a sweep over folders",
        "a run on several folders",
        "a sweep over several folders",
        "through a link",
    ],
)
def test_nothing_is_made_among_the_sounds_before_it_is_refused(root, arguments, key):
    (root.parent / "link").symlink_to(root)
    (root.parent / "other").mkdir()
    before = sorted(root.rglob("*"))
    text = CommandLine(root).run("train", *arguments, *TINY, "tracking=none", code=1)
    assert key in text
    assert "which is never written to" in text
    assert sorted(root.rglob("*")) == before


def test_a_place_is_seen_through_links(tmp_path):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "sounds")
    (tmp_path / "beside").symlink_to(tmp_path / "sounds" / "new")  # which is not there yet
    for root, place in (("sounds", "link/run"), ("link", "sounds/run"), ("sounds", "beside"), ("sounds", "sounds")):
        with pytest.raises(ConfigError, match=r"hydra\.run\.dir=.* lies inside data\.root"):
            keep_out_of(str(tmp_path / root), {"hydra.run.dir": tmp_path / place})
    keep_out_of(str(tmp_path / "sounds"), {"hydra.run.dir": tmp_path / "sounds-2"})
