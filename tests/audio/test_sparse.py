"""Products with constant matrices that are mostly zeros."""

import pytest
import torch

from sda.audio.sparse import SparseMatrix


def _draw_matrix(n_rows=40, n_columns=9):
    torch.manual_seed(0)
    return torch.randn(n_rows, n_columns) * (torch.rand(n_rows, n_columns) < 0.1)


@pytest.mark.parametrize("shape", [(40,), (7, 40), (2, 3, 40)])
def test_product_and_gradient_are_those_of_the_full_matrix(shape):
    matrix = _draw_matrix()
    rows = torch.randn(*shape, requires_grad=True)
    product, expected = SparseMatrix(matrix).multiply(rows), rows @ matrix
    assert product.shape == expected.shape
    torch.testing.assert_close(product, expected)
    pull = torch.randn_like(product)
    (gradient,) = torch.autograd.grad(product, rows, pull)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, rows, pull)[0])


def test_rows_do_not_depend_on_their_neighbours():
    matrix, rows = SparseMatrix(_draw_matrix()), torch.randn(100, 40)
    alone = torch.cat([matrix.multiply(row[None]) for row in rows])
    assert torch.equal(matrix.multiply(rows), alone)


@pytest.mark.parametrize("is_mkl_there", [True, False])
def test_other_numbers_and_other_machines_have_the_full_product(monkeypatch, is_mkl_there):
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: is_mkl_there)
    matrix = _draw_matrix()
    for dtype in (torch.float32, torch.float64):
        rows = torch.randn(5, 40, dtype=dtype)
        torch.testing.assert_close(SparseMatrix(matrix).multiply(rows), rows @ matrix.to(dtype))
