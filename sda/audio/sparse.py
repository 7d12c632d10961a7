"""Constant matrices that are mostly zeros, such as mel filters, as layers that gradients flow through."""

import warnings
from typing import Any

import torch
from torch import Tensor


class SparseMatrix:
    """A constant matrix `[N, M]` that rows are multiplied with, quickly where few of its numbers are not zero.

    Every bin lies in two mel filters at most: of a product with all of them, all but two parts are of zeros. On a CPU
    where torch has MKL these are left out; elsewhere the product is that of the full matrix, which a GPU is made for.

    Args:
        matrix: with a float32 for every pair.
    """

    def __init__(self, matrix: Tensor):
        self.full = matrix
        self._pair: tuple[Tensor, Tensor] | None = None
        if matrix.device.type == "cpu" and torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch calls its compressed rows a beta
                self._pair = matrix.to_sparse_csr(), matrix.T.contiguous().to_sparse_csr()

    def multiply(self, rows: Tensor) -> Tensor:
        """`rows @ matrix`, `[…, N]` → `[…, M]`, in rows that lie one after the other."""
        if self._pair is None or rows.dtype is not torch.float32:
            return rows @ self.full.to(rows.dtype)
        product: Tensor = _Product.apply(rows.reshape(-1, len(self.full)), *self._pair)
        return product.view(*rows.shape[:-1], self.full.shape[1])


class _Product(torch.autograd.Function):
    """Rows times a sparse matrix; torch's own gradient would turn it over anew each time."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor, turned: Tensor) -> Tensor:
        ctx.turned = turned
        return rows @ matrix

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0] @ ctx.turned, None, None
