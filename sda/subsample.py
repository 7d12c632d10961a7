"""Subsampling: a few of many items, for what would take too long with all of them."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def subsample_evenly(items: Sequence[Item], n_chosen: int) -> list[Item]:
    """Up to `n_chosen` of the items, spread evenly.

    >>> subsample_evenly(range(10), 4)
    [0, 2, 5, 7]
    """
    n_chosen = min(len(items), n_chosen)
    return [items[index * len(items) // n_chosen] for index in range(n_chosen)]
