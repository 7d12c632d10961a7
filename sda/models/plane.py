"""Points of many dimensions in the plane: by variance, or by neighbourhood.

Letters in the shapes: `B` points, `D` dimensions.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MOST_NEIGHBOURS = 30.0


def project(fitted: Tensor, *others: Tensor) -> tuple[list[NDArray[np.float64]], float]:
    """The two directions in which the fitted points vary most, and all points in them.

    Returns:
        each of `others` as `[B, 2]`, and the share of the variance that the two directions hold.

    Shape:
        each `[B, D]`.
    """
    centre = fitted.double().mean(dim=0)
    _, scales, directions = torch.linalg.svd(fitted.double() - centre, full_matrices=False)
    share = scales[:2].square().sum() / scales.square().sum().clamp(min=1e-12)
    places = [((other.double() - centre) @ directions[:2].T).numpy() for other in others]
    return places, float(share)


def arrange_neighbours(points: Tensor, seed: int = 0) -> NDArray[np.float64]:
    """Points in the plane so that neighbours stay neighbours; how far apart groups lie means nothing.

    Shape:
        `[B, D]` → `[B, 2]`.

    Reference:
        van der Maaten & Hinton, "Visualizing Data using t-SNE", JMLR 2008.
    """
    from sklearn.manifold import TSNE

    perplexity = min(MOST_NEIGHBOURS, (len(points) - 1) / 3)
    places: NDArray[np.float64] = (
        TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(points.numpy()).astype(float)
    )
    return places
