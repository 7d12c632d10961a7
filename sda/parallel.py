"""Threads: on how many torch computes, and independent parts of a computation side by side."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_AT_ONCE = 4
"""However many cores there are: memory grows with what is computed at once."""


@contextmanager
def use_threads(n_threads: int) -> Iterator[None]:
    """While entered, torch computes on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`[function(item) for item in items]` without gradients, as many at once as torch has threads, but few.

    Sums of a second of sound gain nothing from threads that share each: measured on two cores, an evaluation took as
    long with two threads as with one, for more than half as much processor time again. Here every item is computed in
    one thread, so that what comes out is the same on any number of cores, too.

    Args:
        function: writes nothing that it reads for another item, and draws no random numbers of torch's global state.

    Raises:
        whatever `function` raises, for the first item for which it does; what has not begun by then is left out.
    """
    call = torch.no_grad()(function)
    n_threads, parts = torch.get_num_threads(), list(items)
    with use_threads(1):
        if n_threads == 1 or len(parts) < 2:
            return [call(part) for part in parts]
        pool = ThreadPoolExecutor(min(n_threads, len(parts), MOST_AT_ONCE))
        try:
            return list(pool.map(call, parts))
        finally:
            pool.shutdown(cancel_futures=True)
