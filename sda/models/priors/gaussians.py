"""A mixture of Gaussians over paths through a latent space, fitted after training.

Every stretch of a few latents is a draw from a mixture of Gaussians. A new path is drawn point by point: what was drawn
last says how likely each Gaussian is, and the chosen one says how the path goes on. So a path of any length is drawn
from the same mixture at each of its places, and there is nothing to be joined.

Letters in the shapes: `D` latent dimensions, `L` latents along time, `W` latents of a stretch, `P = W · D`, `N`
stretches, `K` Gaussians.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

POINTS_AT_ONCE = 1024
"""Points of a new path that are told together."""

MOST_STRETCHES = 2000
"""Stretches that are fitted to, spread over all of them."""

N_ITERATIONS = 2
"""Rounds of expectation and maximisation, after a first guess by distances."""

N_FOLDS = 4
"""Parts that the sequences are dealt into, each of which judges what was fitted to the others."""

JUDGED_WINDOW = 2
"""Latents of the shorter stretches on which the number of Gaussians is chosen."""

COMMON_COUNT = 5.0
"""Stretches that the usual deviations count beside those of a Gaussian's own."""

LEAST_CORRELATION = 1e-3
"""Smallest eigenvalue of the correlation in time."""

LEAST_VARIANCE = 1e-4
"""Added to every variance: constant dimensions stay finite."""


class SequenceDensity(nn.Module):
    """A mixture of Gaussians over stretches of a sequence; standard normal white noise before it is fitted.

    Few sounds say little of a covariance with thousands of entries. Each Gaussian's is pulled towards what all of them
    have in common, the more the fewer stretches it has, and that towards a diagonal; the number of Gaussians is the one
    under which held-out sequences are likeliest.

    Args:
        latent_dim: dimensions of a latent.
        window: latents of a stretch: how far the past is remembered.
        max_components: most Gaussians, a power of two.

    Reference:
        Ghosh et al., "From Variational to Deterministic Autoencoders", ICLR 2020 (ex-post density estimation).
    """

    def __init__(self, latent_dim: int, window: int = 4, max_components: int = 16):
        super().__init__()
        size = window * latent_dim
        self.latent_dim = latent_dim
        self.window = window
        self.max_components = max_components
        weights = torch.zeros(max_components)
        weights[0] = 1.0
        self.register_buffer("weights", weights)
        self.register_buffer("means", torch.zeros(max_components, size))
        self.register_buffer("covariances", torch.zeros(max_components, size, size))
        self.register_buffer("lowest", torch.zeros(latent_dim).fill_(-1e6))
        self.register_buffer("highest", torch.zeros(latent_dim).fill_(1e6))
        self.weights: Tensor
        self.means: Tensor
        self.covariances: Tensor
        self.covariances.diagonal(dim1=1, dim2=2).fill_(1.0)
        self.lowest: Tensor
        self.highest: Tensor

    @torch.no_grad()
    def fit(self, sequences: Sequence[Tensor], *, seed: int = 0) -> None:
        """Fit to sequences of latents, the means of their posteriors: it is them that sounds are rebuilt from.

        With the posteriors' own spread added, quiet and steady sounds came out as restless as all others: on a piano,
        generated sound was then twice as far from real sound.

        Args:
            sequences: `[D, L]` each; one shorter than a stretch is held at its end.
            seed: of the first guess, and of the order in which sequences are dealt into folds.
        """
        generator = torch.Generator().manual_seed(seed)
        stretches, owners = self._cut(sequences)
        n_components = self._choose_number(stretches, owners, generator)
        mixture = self._fit_mixture(stretches, n_components, generator)
        self.weights.zero_()
        self.weights[:n_components] = mixture.weights.float()
        self.means[:n_components] = mixture.means.float()
        self.covariances[:n_components] = mixture.covariances.float()
        every = torch.cat(list(sequences), dim=1)
        self.lowest.copy_(every.amin(dim=1))
        self.highest.copy_(every.amax(dim=1))

    @torch.no_grad()
    def sample(self, n_points: int, generator: torch.Generator, *, temperature: float = 1.0) -> Tensor:
        """A new path `[D, n_points]`; the first points of a longer one from the same generator's state are the same.

        Args:
            temperature: scales every random step; below 1 paths keep closer to what is likeliest.
        """
        return torch.cat(list(self.walk(n_points, generator, temperature=temperature)), dim=1)

    @torch.no_grad()
    def walk(
        self, n_points: int, generator: torch.Generator, *, temperature: float = 1.0, past: Tensor | None = None
    ) -> Iterator[Tensor]:
        """The same path a few points at a time, `[D, …]`; nothing is kept of where it has been.

        Args:
            past: what the path goes on from, `[D, …]`; its last `window - 1` points are looked at.
        """
        used = self.weights > 0
        weights = self.weights[used].cpu().double()
        means, covariances = self.means[used].cpu().double(), self.covariances[used].cpu().double()
        known = (self.window - 1) * self.latent_dim
        first_root = torch.linalg.cholesky(covariances)
        past_root = first_root[:, :known, :known]
        identity = torch.eye(known, dtype=torch.float64).expand_as(past_root)
        whiten = torch.linalg.solve_triangular(past_root, identity, upper=False)  # [K, W·D − D, W·D − D]
        across = whiten @ covariances[:, :known, known:]  # [K, W·D − D, D]
        step_root = torch.linalg.cholesky(covariances[:, known:, known:] - across.transpose(1, 2) @ across)
        log_scale = weights.log() - past_root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        low, high = self.lowest.cpu().double(), self.highest.cpu().double()

        chosen = int(torch.multinomial(weights, 1, generator=generator))
        drawn = torch.randn(self.window * self.latent_dim, dtype=torch.float64, generator=generator)
        start = means[chosen] + temperature * first_root[chosen] @ drawn
        latest = list(start.view(self.window, self.latent_dim).clamp(low, high))
        untold = latest[:n_points]
        if past is not None and past.shape[1]:
            held = torch.cat([past[:, :1].expand(-1, self.window), past], dim=1)[:, -self.window :]
            latest, untold = list(held.T.cpu().double()), []
        for _ in range(n_points - len(untold)):
            before = torch.cat(latest[1:]) if self.window > 1 else start[:0]
            whitened = whiten @ (before - means[:, :known])[:, :, None]
            log_likelihood = log_scale - 0.5 * whitened.square().sum(dim=(1, 2))
            chosen = int(torch.multinomial(log_likelihood.softmax(dim=0), 1, generator=generator))
            drawn = torch.randn(self.latent_dim, dtype=torch.float64, generator=generator)
            expected = means[chosen, known:] + (across[chosen].T @ whitened[chosen])[:, 0]
            point = (expected + temperature * step_root[chosen] @ drawn).clamp(low, high)
            latest = [*latest[1:], point]
            untold.append(point)
            if len(untold) >= POINTS_AT_ONCE:
                yield torch.stack(untold, dim=1).float().to(self.means.device)
                untold = []
        if untold:
            yield torch.stack(untold, dim=1).float().to(self.means.device)

    @torch.no_grad()
    def log_likelihood(self, sequence: Tensor) -> float:
        """Mean log-likelihood of a sequence's stretches `[D, L]`, nats per latent of a stretch."""
        used = self.weights > 0
        mixture = _Mixture(*(part[used].cpu().double() for part in (self.weights, self.means, self.covariances)))
        stretches, _ = self._cut([sequence])
        return float(mixture.score(stretches).logsumexp(dim=0).mean()) / self.window

    def _cut(self, sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Stretches `[N, P]`, time before dimension, and the sequence of each, `[N]`."""
        counts = torch.tensor([max(1, sequence.shape[1] - self.window + 1) for sequence in sequences])
        owners = torch.repeat_interleave(torch.arange(len(sequences)), counts)
        starts = torch.arange(len(owners)) - (counts.cumsum(0) - counts)[owners]
        if len(owners) > MOST_STRETCHES:  # at random: a fixed step may meet the same place in every sequence
            chosen = torch.randperm(len(owners), generator=torch.Generator().manual_seed(0))[:MOST_STRETCHES].sort()[0]
            owners, starts = owners[chosen], starts[chosen]
        stretches = []
        for owner, start in zip(owners.tolist(), starts.tolist(), strict=True):
            stretch = sequences[owner][:, start : start + self.window]
            missing = self.window - stretch.shape[1]
            if missing > 0:
                stretch = torch.cat([stretch, stretch[:, -1:].expand(-1, missing)], dim=1)
            stretches.append(stretch.T.flatten())
        return torch.stack(stretches).cpu().double(), owners

    def _choose_number(self, stretches: Tensor, owners: Tensor, generator: torch.Generator) -> int:
        """The number of Gaussians, a power of two, under which sequences are likeliest that were not fitted to.

        It is chosen on shorter stretches: those that are drawn from would choose about the same, and take longer.
        """
        stretches = stretches[:, : JUDGED_WINDOW * self.latent_dim]
        n_sequences = int(owners.max()) + 1
        if n_sequences == 1:  # the beginning judges the end, and the other way round
            owners = torch.arange(len(owners)) * N_FOLDS // len(owners)
            n_sequences = N_FOLDS
        fold_of = torch.randperm(n_sequences, generator=generator)[owners] % N_FOLDS
        smallest = min(int((fold_of != fold).sum()) for fold in range(N_FOLDS))
        best, best_score = 1, -torch.inf
        number = 1
        while number <= self.max_components and number * self.window <= smallest:
            score = 0.0
            for fold in range(N_FOLDS):
                mixture = self._fit_mixture(stretches[fold_of != fold], number, generator)
                score += float(mixture.score(stretches[fold_of == fold]).logsumexp(dim=0).sum())
            if score > best_score:
                best, best_score = number, score
            number *= 2
        return best

    def _fit_mixture(self, stretches: Tensor, n_components: int, generator: torch.Generator) -> "_Mixture":
        """Expectation and maximisation, with covariances that are pulled towards what the Gaussians have in common."""
        shares = _guess(stretches, n_components, generator)
        mixture = _maximise(stretches, shares, self.latent_dim)
        for _ in range(N_ITERATIONS if n_components > 1 else 0):
            shares = mixture.score(stretches).softmax(dim=0)
            mixture = _maximise(stretches, shares, self.latent_dim)
        return mixture


class _Mixture:
    """Gaussians in float64: weights `[K]`, means `[K, P]`, covariances `[K, P, P]`."""

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor):
        self.weights, self.means, self.covariances = weights, means, covariances

    def score(self, stretches: Tensor) -> Tensor:
        """Log of each Gaussian's share in the density at every stretch. `[N, P]` → `[K, N]`."""
        roots = torch.linalg.cholesky(self.covariances)
        centred = stretches[None] - self.means[:, None]  # [K, N, P]
        whitened = torch.linalg.solve_triangular(roots, centred.transpose(1, 2), upper=False)
        log_det = roots.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        constant = 0.5 * stretches.shape[1] * torch.log(torch.tensor(2.0 * torch.pi, dtype=torch.float64))
        logs: Tensor = (self.weights.log() - log_det)[:, None] - 0.5 * whitened.square().sum(dim=1) - constant
        return logs


def _guess(stretches: Tensor, n_components: int, generator: torch.Generator) -> Tensor:
    """Each stretch wholly to the nearest of some that lie far apart. → `[K, N]`.

    Reference:
        Arthur & Vassilvitskii, "k-means++: The Advantages of Careful Seeding", 2007.
    """
    places = [int(torch.randint(len(stretches), (1,), generator=generator))]
    nearest = (stretches - stretches[places[0]]).square().sum(dim=1)
    for _ in range(n_components - 1):
        places.append(int(torch.multinomial(nearest + 1e-12, 1, generator=generator)))
        nearest = torch.minimum(nearest, (stretches - stretches[places[-1]]).square().sum(dim=1))
    owner = torch.cdist(stretches, stretches[places]).argmin(dim=1)
    return torch.nn.functional.one_hot(owner, n_components).T.double()


def _maximise(stretches: Tensor, shares: Tensor, latent_dim: int) -> _Mixture:
    """The Gaussians that fit the shares `[K, N]` that each has in every stretch.

    A covariance counts as many stretches of its own as it has, beside `P` of what the Gaussians have in common, brought
    to its own deviations: a steady sound stays steady. The common one counts all `N`, beside `P` of one in which every
    dimension moves at the same speed.
    """
    size = stretches.shape[1]
    counts = shares.sum(dim=1) + 1e-6
    means = shares @ stretches / counts[:, None]
    centred = stretches[None] - means[:, None]  # [K, N, P]
    scatters = (centred * shares[:, :, None]).transpose(1, 2) @ centred  # [K, P, P]
    common = scatters.sum(dim=0) / len(stretches)
    common = (len(stretches) * common + size * _separate(common, latent_dim, len(stretches))) / (len(stretches) + size)
    variances = (
        scatters.diagonal(dim1=1, dim2=2).reshape(len(shares), -1, latent_dim).mean(dim=1)
    )  # [K, D], times counts
    usual = common.diagonal().reshape(-1, latent_dim).mean(dim=0).clamp(min=LEAST_VARIANCE)
    gains = (variances / usual + COMMON_COUNT) / (counts[:, None] + COMMON_COUNT)
    gains = gains.sqrt().repeat(1, size // latent_dim)
    covariances = (scatters + size * gains[:, :, None] * common * gains[:, None, :]) / (counts + size)[:, None, None]
    least = LEAST_VARIANCE * torch.eye(size, dtype=stretches.dtype)
    return _Mixture(counts / counts.sum(), means, covariances + least)


def _separate(covariance: Tensor, latent_dim: int, n_stretches: int) -> Tensor:
    """The nearest covariance in which dimensions and moments have nothing to do with each other. `[P, P]` → `[P, P]`.

    It is the Kronecker product of the correlation of two moments, an average over dimensions that knows their distance
    alone, and the covariance of dimensions, itself pulled towards its diagonal.
    """
    window = len(covariance) // latent_dim
    blocks = covariance.reshape(window, latent_dim, window, latent_dim)
    at_once = blocks.diagonal(dim1=0, dim2=2).mean(dim=2)
    variances = at_once.diagonal().clamp(min=LEAST_VARIANCE)
    moments = blocks.diagonal(dim1=1, dim2=3)  # [W, W, D]
    correlation = (moments / variances).mean(dim=2)
    apart = torch.arange(window)[:, None] - torch.arange(window)
    by_lag = torch.stack([correlation[apart == lag].mean() for lag in range(window)])
    values, vectors = torch.linalg.eigh(by_lag[apart.abs()])
    correlation = vectors @ torch.diag(values.clamp(min=LEAST_CORRELATION)) @ vectors.T
    share = n_stretches / (n_stretches + latent_dim)
    return torch.kron(correlation, share * at_once + (1.0 - share) * torch.diag(at_once.diagonal()))
