"""The rows that a mosaic remembers training sound in, and the coarser levels of them."""

import torch

from sda.models.priors.bank import chain, coarsen
from sda.models.priors.prior import Recording
from tests.models.priors.recordings import one_shot, walk


def test_what_ends_is_followed_by_what_begins():
    recordings = [
        one_shot(10, 0),
        one_shot(10, 1),
        Recording("cut", walk(30, 5), tail=4),
        Recording("cut 2", walk(9, 6)),
    ]
    rows = chain(recordings, [0, 1, 2, 3], seed=0)
    assert len(rows.row.unique()) == 2
    after = {
        int(rows.owner[i]): int(rows.owner[i + 1])
        for i in range(len(rows.row) - 1)
        if rows.row[i] == rows.row[i + 1] and rows.owner[i] != rows.owner[i + 1]
    }
    assert set(after) >= {2}
    assert after[2] in {0, 1}
    assert 3 not in after


def test_a_level_of_some_recordings_keeps_their_order_and_has_nothing_between_them(stream):
    level = coarsen(stream.rows, 1, stream.edges)
    taken = level.take(torch.tensor([1, 5]))
    assert set(taken.owner.tolist()) == {-1, 1, 5}
    for owner in (1, 5):
        for name in ("bank", "place", "squares"):
            one, other = (getattr(of, name)[of.owner == owner] for of in (level, taken))
            assert torch.equal(one, other)
    assert (taken.bank[taken.owner < 0] == 0).all()
    assert torch.equal(level.take(torch.arange(8)).bank[:20], level.bank[:20])
