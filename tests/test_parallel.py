"""Parts of a computation side by side: the same as one after the other, each in one thread."""

import threading
import time

import pytest
import torch

from sda.parallel import map_in_threads, use_threads


def test_results_are_in_order_and_each_is_computed_in_one_thread_without_gradients():
    weights = torch.ones(4, requires_grad=True)

    def look(number: int) -> tuple[int, int, bool]:
        time.sleep(0.02 * (3 - number % 4))
        return number, torch.get_num_threads(), (number * weights).requires_grad

    with use_threads(3):
        assert map_in_threads(look, range(8)) == [(number, 1, False) for number in range(8)]
        assert torch.get_num_threads() == 3


def test_as_many_run_at_once_as_torch_has_threads():
    together = threading.Barrier(3, timeout=60)
    with use_threads(3):
        assert len({*map_in_threads(lambda _: together.wait(), range(3))}) == 3


@pytest.mark.parametrize("n_threads", [1, 2])
def test_what_is_refused_is_told_and_what_had_not_begun_is_left_out(n_threads):
    begun = []

    def refuse(number: int) -> None:
        begun.append(number)
        raise ValueError(f"no {number}")

    with use_threads(n_threads):
        with pytest.raises(ValueError, match="no 0"):
            map_in_threads(refuse, range(500))
        assert torch.get_num_threads() == n_threads
    assert len(begun) < 500
