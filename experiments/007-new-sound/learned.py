"""A learned prior over paths of latents: a rectified-flow transformer, trained on the latents of one run's sounds.

Usage: PYTHONPATH=. python experiments/007-new-sound/learned.py RUN --seconds 150 --output FILE.safetensors

A whole sound of up to `WINDOW` latents is drawn in one go. Every latent has its own flow time, so that a path can
begin with latents that are given, at time 1: what is longer is drawn window by window, each beginning with the last
half of what is there. Where a latent lies from the beginning and from the end of its sound is told to the network,
unless the sound was cut off there.

Letters in the shapes: `B` batch, `D` latent dimensions, `L` latents of a window, `H` width of the network, `K` latents
of a path, `R` recordings, `N` latents of all recordings.

Reference: Liu et al. 2023, Flow Straight and Fast (2209.03003), eq. 1; Peebles & Xie 2023, DiT (2212.09748);
Chen et al. 2024, Diffusion Forcing (2407.01392), for times of their own.
"""

import argparse
import copy
import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from sda.models.priors.prior import Drawn, Manner, Prior, Recording, check_names

WINDOW = 216
"""Latents that are drawn at once: 9.2 s at 23.4 a second."""
N_STEPS = 50
"""Euler steps from noise to a path."""
UNKNOWN = -1.0
"""Stands for a place that cannot be known: of a sound that was cut off."""
PERIODS = tuple(2.0**n for n in range(2, 11))
"""Latents, of the waves that a place is told by."""
LEAST_DEVIATION = 1e-3


class Batch(NamedTuple):
    """Windows of training sound, padded."""

    latents: Tensor
    """Standardised, `[B, L, D]`."""
    from_start: Tensor
    """Latents from the beginning of the sound, or `UNKNOWN`, `[B, L]`."""
    to_end: Tensor
    """Latents to the last one of the sound, or `UNKNOWN`, `[B, L]`."""
    real: Tensor
    """False where it is padding, `[B, L]`."""
    given: Tensor
    """True where a latent is given, at the beginning of some windows, `[B, L]`."""

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(one.to(device) for one in self))


@dataclass
class Progress:
    """How a training went."""

    n_steps: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best_seconds: float = 0.0
    best_held_out_loss: float = math.inf
    training_loss_then: float = math.inf
    """Of training windows, judged just as the held-out ones: without dropout, by the averaged weights."""
    curve: list[tuple[int, float, float]] | None = None
    """Step, held-out and training loss whenever they were judged."""


class Block(nn.Module):
    """Attention and a two-layer network, each modulated by what `condition` says of a latent's time."""

    def __init__(self, width: int, n_heads: int, dropout: float):
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.table = nn.Parameter(torch.zeros(6, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, condition: Tensor, turns: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """`[B, L, H]`, `[B, L, 6, H]`, two `[L, H / heads / 2]`, `[B, 1, 1, L]` → `[B, L, H]`."""
        shift, scale, gate, shift_2, scale_2, gate_2 = (condition + self.table).unbind(dim=2)
        heard = self.norms[0](x) * (1 + scale) + shift
        batch, length, width = x.shape
        q, k, v = self.qkv(heard).view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            turn(q, turns).to(v.dtype), turn(k, turns).to(v.dtype), v, attn_mask=mask, dropout_p=dropout
        )
        mixed = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        x = x + gate * functional.dropout(mixed, dropout)
        return x + gate_2 * functional.dropout(self.wide(self.norms[1](x) * (1 + scale_2) + shift_2), dropout)


class Flow(nn.Module):
    """The velocity from noise to a path, of 2.9 million parameters at its usual width."""

    def __init__(self, n_dims: int, width: int = 192, n_layers: int = 6, n_heads: int = 6, dropout: float = 0.2):
        super().__init__()
        self.head_width = width // n_heads
        self.enter = nn.Linear(n_dims, width)
        self.place = nn.Linear(2 * (2 * len(PERIODS) + 1), width)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.modulate = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, n_dims)
        for layer in (self.modulate, self.leave):  # at first every block is left out, and the velocity nothing
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, times: Tensor, from_start: Tensor, to_end: Tensor, real: Tensor) -> Tensor:
        """`[B, L, D]`, four `[B, L]` → `[B, L, D]`."""
        octaves = torch.logspace(0, 3, 32, device=x.device)
        angles = times[..., None] * octaves
        condition = self.modulate(self.time(torch.cat([angles.sin(), angles.cos()], dim=-1)))
        condition = condition.unflatten(-1, (6, -1))
        hidden = self.enter(x) + self.place(torch.cat([describe_place(from_start), describe_place(to_end)], dim=-1))
        rates = 1000.0 ** -torch.linspace(0, 1, self.head_width // 2, device=x.device)
        turned = torch.arange(x.shape[1], device=x.device)[:, None] * rates
        for block in self.blocks:
            hidden = block(hidden, condition, (turned.cos(), turned.sin()), real[:, None, None])
        return self.leave(self.norm(hidden)).float()


def turn(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate pairs of channels by their place, so that products depend on distances. `[…, L, C]` → the same."""
    (first, second), (cos, sin) = x.float().chunk(2, dim=-1), turns
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def describe_place(place: Tensor) -> Tensor:
    """Waves of several lengths, and whether a place is known. `[B, L]` → `[B, L, 2 · periods + 1]`."""
    known = (place >= 0).float()[..., None]
    angles = place.clamp(min=0)[..., None] * (2 * math.pi / torch.tensor(PERIODS, device=place.device))
    return torch.cat([angles.sin() * known, angles.cos() * known, known], dim=-1)


def measure_loss(flow: nn.Module, batch: Batch, noise: Tensor, times: Tensor, weights: Tensor) -> Tensor:
    """Squared error of the velocity over all latents that are neither given nor padding, a number.

    Args:
        noise: `[B, L, D]`.
        times: of the windows, in [0, 1], `[B]`.
        weights: of dimensions, 1 in the mean, `[D]`.
    """
    own = torch.where(batch.given, 1.0, times[:, None])
    x = torch.lerp(noise, batch.latents, own[..., None])
    errors = flow(x, own, batch.from_start, batch.to_end, batch.real) - (batch.latents - noise)
    counted = (batch.real & ~batch.given).float()
    return ((errors.square() * weights).mean(dim=-1) * counted).sum() / counted.sum().clamp(min=1)


class Sounds:
    """Windows of recordings, whole ones and crops, drawn by a generator."""

    def __init__(self, recordings: Sequence[Recording], mean: Tensor, deviation: Tensor):
        self.paths, self.places, self.edges = [], [], []
        whole = {one.name: 0 for one in recordings}
        for one in recordings:
            whole[one.name] = max(whole[one.name], one.start + one.latents.shape[1] - one.tail)
        for one in recordings:
            path = one.latents[:, one.lead : one.latents.shape[1] - one.tail].cpu()
            if path.shape[1] == 0:
                continue
            first = min(other.start + other.lead for other in recordings if other.name == one.name)
            start = one.start + one.lead
            self.paths.append(((path - mean[:, None]) / deviation[:, None]).T.float())
            self.places.append((start - first, whole[one.name] - start))
            own = [other for other in recordings if other.name == one.name]
            self.edges.append((any(other.lead > 0 for other in own), any(other.tail > 0 for other in own)))
        self.chances = torch.tensor([math.sqrt(len(path)) for path in self.paths])
        """Long recordings come more often, but not as much more often as they are longer."""

    def draw(self, n_windows: int, generator: torch.Generator) -> Batch:
        """Windows; more than half of them begin with latents that are given."""
        n_dims = self.paths[0].shape[1]
        latents = torch.zeros(n_windows, WINDOW, n_dims)
        from_start, to_end = torch.full((2, n_windows, WINDOW), UNKNOWN).unbind()
        real, given = torch.zeros(2, n_windows, WINDOW, dtype=torch.bool).unbind()
        chosen = torch.multinomial(self.chances, n_windows, replacement=True, generator=generator).tolist()
        chances = torch.rand(n_windows, 7, generator=generator).tolist()
        steps = torch.arange(WINDOW)
        for row, (number, chance) in enumerate(zip(chosen, chances, strict=True)):
            path, (before, behind), (begins, ends) = self.paths[number], self.places[number], self.edges[number]
            most = min(WINDOW, len(path))
            length = most if chance[0] < 0.6 else min(most, 24 + int(chance[1] * max(0, most - 24)))
            first = min(len(path) - length, int(chance[2] * (len(path) - length + 1)))
            latents[row, :length] = path[first : first + length]
            real[row, :length] = True
            if begins and chance[3] > 0.1:
                from_start[row, :length] = (before + first + steps[:length]).float()
            if ends and chance[4] > 0.1:
                to_end[row, :length] = (behind - 1 - first - steps[:length]).float().clamp(min=0)
            if chance[5] < 0.5:
                given[row, : int(chance[6] * 0.75 * length)] = True
        longest = int(real.sum(dim=1).max())
        return Batch(*(one[:, :longest] for one in (latents, from_start, to_end, real, given)))


class Learned(Prior):
    """Draws whole paths by a transformer; it cannot say where they are from.

    Args:
        held_out: recordings that decide when the training ends; without them it ends by the clock.
        seconds: of training at most.
        device: to train and draw on.
    """

    name = "learned"
    most_latents = 1 << 20

    def __init__(
        self,
        latent_dim: int,
        *,
        held_out: Sequence[Recording] = (),
        seconds: float = 150.0,
        device: str = "cpu",
        batch_size: int = 64,
        width: int = 192,
        n_layers: int = 6,
        is_stopped: Callable[[], bool] = lambda: False,
    ):
        super().__init__(latent_dim)
        self.held_out, self.seconds, self.batch_size, self.is_stopped = held_out, seconds, batch_size, is_stopped
        self.device = torch.device(device)
        self.size = {"width": width, "n_layers": n_layers}
        self.mean, self.deviation = torch.zeros(latent_dim), torch.ones(latent_dim)
        self.edges = torch.ones(2)
        """Share of the recordings that begin, and that end, and are not cut off."""
        self.flow = Flow(latent_dim, **self.size).to(self.device)
        self.progress = Progress()

    @torch.enable_grad()  # synthesizers fit priors without gradients
    def fit(self, recordings: Sequence[Recording], *, emphasis: Tensor | None = None, seed: int = 0) -> None:
        if not recordings:
            raise ValueError("a prior needs at least one recording")
        self.note_recordings(recordings)
        every = torch.cat([one.latents[:, one.lead : one.latents.shape[1] - one.tail] for one in recordings], dim=1)
        self.mean = every.mean(dim=1).cpu()
        self.deviation = every.std(dim=1, correction=0).clamp(min=LEAST_DEVIATION).cpu()
        weights = torch.ones(self.latent_dim)
        if emphasis is not None:  # half of it: a dimension that is hardly heard is still to be drawn
            heard = (emphasis.cpu().float() * self.deviation).square()
            weights = 0.5 + 0.5 * heard / heard.mean().clamp(min=1e-12)
        sounds = Sounds(recordings, self.mean, self.deviation)
        self.edges = torch.tensor(sounds.edges).float().mean(dim=0)
        held_out = Sounds(self.held_out, self.mean, self.deviation) if self.held_out else None
        self.progress = self._train(sounds, held_out, weights, seed)

    def _train(self, sounds: Sounds, held_out: Sounds | None, weights: Tensor, seed: int) -> Progress:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        self.flow = Flow(self.latent_dim, **self.size).to(self.device)
        average, best = copy.deepcopy(self.flow).eval(), None
        weights = weights.to(self.device)
        optimizer = torch.optim.AdamW(self.flow.parameters(), lr=5e-4, betas=(0.9, 0.99), weight_decay=0.05)
        judged = [_Judged.prepare(one, seed + 1, self.device) for one in (held_out, sounds) if one is not None]
        progress, began = Progress(curve=[]), time.monotonic()
        while (elapsed := time.monotonic() - began) < self.seconds and not self.is_stopped():
            self.flow.train()
            batch = sounds.draw(self.batch_size, generator).to(self.device)
            times = torch.randn(len(batch.latents), device=self.device).sigmoid()
            with autocast(self.device):
                loss = measure_loss(self.flow, batch, torch.randn_like(batch.latents), times, weights)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.flow.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = 5e-4 * min(1.0, (progress.n_steps + 1) / 100)
            optimizer.step()
            progress.n_steps += 1
            decay = min(0.999, (1 + progress.n_steps) / (10 + progress.n_steps))
            with torch.no_grad():
                for kept, new in zip(average.parameters(), self.flow.parameters(), strict=True):
                    kept.lerp_(new, 1 - decay)
            if progress.n_steps % JUDGE_EVERY and elapsed + 1 < self.seconds:
                continue
            losses = [one.judge(average, weights) for one in judged]
            progress.curve = [*(progress.curve or []), (progress.n_steps, losses[0], losses[-1])]
            if held_out is None or losses[0] < progress.best_held_out_loss:
                best = copy.deepcopy(average)
                progress.best_held_out_loss, progress.training_loss_then = losses[0], losses[-1]
                progress.best_step, progress.best_seconds = progress.n_steps, time.monotonic() - began
            if progress.n_steps - progress.best_step >= PATIENCE:
                break
        self.flow = average if best is None else best
        progress.seconds = time.monotonic() - began
        return progress

    @torch.no_grad()
    def sample(self, n_latents: int, seed: int, manner: Manner, *, whole: bool = False) -> Iterator[Drawn]:
        generator = torch.Generator().manual_seed(seed)
        begins, ends = (torch.rand(2, generator=generator) < self.edges).tolist()
        nothing = self.mean[:, None][:, :0]
        return self._walk(nothing, n_latents, generator, manner, begins=begins, ends=whole and ends)

    @torch.no_grad()
    def continue_(
        self, past: Tensor, n_latents: int, seed: int, manner: Manner, *, future: Tensor | None = None
    ) -> Iterator[Drawn]:
        if future is not None:
            raise ValueError("a learned prior leads to no given future")
        return self._walk(past.cpu(), n_latents, torch.Generator().manual_seed(seed), manner)

    @torch.no_grad()
    def vary(self, path: Tensor, strength: float, seed: int, manner: Manner) -> Iterator[Drawn]:
        generator = torch.Generator().manual_seed(seed)
        return self._walk(path[:, :0].cpu(), path.shape[1], generator, manner, guide=path.cpu(), strength=strength)

    @torch.no_grad()
    def _walk(
        self,
        past: Tensor,
        n_latents: int,
        generator: torch.Generator,
        manner: Manner,
        *,
        begins: bool = False,
        ends: bool = False,
        guide: Tensor | None = None,
        strength: float = 1.0,
    ) -> Iterator[Drawn]:
        """Window by window. Each is noise, or a guide with a part of noise, and flows to time 1."""
        mean, deviation = self.mean[:, None], self.deviation[:, None]
        before = ((past - mean) / deviation).T[-(WINDOW // 2) :]
        longest = float(self.lengths.max())
        n_done = 0
        while n_done < n_latents:
            n_new = min(n_latents - n_done, WINDOW - len(before))
            x = manner.temperature * torch.randn(n_new, self.latent_dim, generator=generator)
            if guide is not None:
                own = ((guide[:, n_done : n_done + n_new] - mean) / deviation).T
                x = torch.lerp(own, x, strength)
            places = torch.arange(n_done - len(before), n_done + n_new).float()
            from_start = places.clamp(max=longest) if begins else torch.full_like(places, UNKNOWN)
            to_end = (n_latents - 1 - places).clamp(max=longest) if ends else torch.full_like(places, UNKNOWN)
            new = self._flow(before, x, from_start, to_end, 1 - strength)
            before = torch.cat([before, new])[-(WINDOW // 2) :]
            n_done += n_new
            path = new.T * deviation + mean
            yield Drawn(path, torch.zeros(n_new, len(self.names)), torch.full((n_new,), -1))

    def _flow(self, before: Tensor, x: Tensor, from_start: Tensor, to_end: Tensor, first: float) -> Tensor:
        """Follow the velocity from time `first` to 1. `[·, D]`, `[L, D]` → `[L, D]`."""
        flow, n_given = self.flow.eval(), len(before)
        x = torch.cat([before, x])[None].to(self.device)
        from_start, to_end = from_start[None].to(self.device), to_end[None].to(self.device)
        real, times = torch.ones_like(from_start, dtype=torch.bool), torch.ones_like(from_start)
        n_steps = math.ceil(N_STEPS * (1 - first))
        course = torch.linspace(first, 1.0, n_steps + 1).tolist()
        for now, then in pairwise(course):
            times[:, n_given:] = now
            velocity = flow(x, times, from_start, to_end, real)
            x[:, n_given:] += (then - now) * velocity[:, n_given:]
        return x[0, n_given:].cpu()

    def tensors(self) -> dict[str, Tensor]:
        statistics = {"mean": self.mean, "deviation": self.deviation, "edges": self.edges, "lengths": self.lengths}
        return statistics | {f"flow/{key}": value.cpu() for key, value in self.flow.state_dict().items()}

    def facts(self) -> dict[str, Any]:
        return {"names": self.names, "latent_dim": self.latent_dim, **self.size}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        self.names, self.lengths = check_names(facts["names"]), tensors["lengths"]
        self.mean, self.deviation, self.edges = (tensors[key].float() for key in ("mean", "deviation", "edges"))
        self.size = {key: int(facts[key]) for key in ("width", "n_layers")}
        self.flow = Flow(self.latent_dim, **self.size)
        own = {key.removeprefix("flow/"): one.float() for key, one in tensors.items() if key.startswith("flow/")}
        self.flow.load_state_dict(own)
        self.flow.to(self.device).eval()

    def save(self, path: Path) -> None:
        """Write it to a safetensors file; the network's weights in half precision."""
        named = {
            key: (one.half() if key.startswith("flow/") else one).contiguous() for key, one in self.tensors().items()
        }
        save_file(named, path, metadata={"facts": json.dumps(self.facts())})

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> "Learned":
        """What `save` wrote."""
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        prior = cls(facts["latent_dim"], device=device, width=facts["width"], n_layers=facts["n_layers"])
        prior.restore(tensors, facts)
        return prior


JUDGE_EVERY = 50
PATIENCE = 2000
"""Steps without a better held-out loss after which a training ends."""
N_JUDGED = 128
"""Windows that are judged, always the same, with the same noise and times."""


@dataclass
class _Judged:
    """Windows with their noise and times."""

    batch: Batch
    noise: Tensor
    times: Tensor

    @classmethod
    def prepare(cls, sounds: Sounds, seed: int, device: torch.device) -> "_Judged":
        generator = torch.Generator().manual_seed(seed)
        batch = sounds.draw(N_JUDGED, generator)
        noise = torch.randn(batch.latents.shape, generator=generator)
        times = (torch.arange(N_JUDGED) + 0.5) / N_JUDGED
        return cls(batch.to(device), noise.to(device), times.to(device))

    @torch.no_grad()
    def judge(self, flow: nn.Module, weights: Tensor) -> float:
        with autocast(self.noise.device):
            return float(measure_loss(flow, self.batch, self.noise, self.times, weights))


def autocast(device: torch.device) -> Any:
    """bfloat16 on CUDA, and nothing elsewhere."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def train(run_name: str, *, seconds: float, device: str, is_stopped: Callable[[], bool], **size: int) -> Learned:
    """A prior for a trained run, fitted to the paths of what it was trained on and judged on what it held out."""
    from dataclasses import replace

    from sda.app.builders import list_training_sounds
    from sda.app.loading import open_run
    from sda.data.corpus import Corpus
    from sda.data.split import split_from_facts
    from sda.runs.prepare_data import build_cache

    run = open_run(run_name, device)
    facts, data = run.checkpoint.facts, run.config.data
    split, corpus = split_from_facts(facts["split"]), Corpus(build_cache(run.config), facts["files"], data.gain_db)
    listener = _Listener(run.config.training.latent_dim)
    run.synthesizer.prior = listener
    run.synthesizer.fit(list_training_sounds(replace(split, train=split.val), corpus, data.root))
    prior = Learned(
        run.config.training.latent_dim,
        held_out=listener.heard,
        seconds=seconds,
        device=device,
        is_stopped=is_stopped,
        **size,
    )
    run.synthesizer.prior = prior
    run.synthesizer.fit(list_training_sounds(split, corpus, data.root))
    return prior


class _Listener(Learned):
    """Only keeps what a synthesizer would have it fitted to."""

    heard: Sequence[Recording] = ()

    def fit(self, recordings: Sequence[Recording], *, emphasis: Tensor | None = None, seed: int = 0) -> None:
        self.heard = recordings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of a trained run")
    parser.add_argument("--seconds", type=float, default=150.0, help="of training at most")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--output", type=Path, required=True, help="FILE.safetensors; FILE.json is written beside it")
    arguments = parser.parse_args()
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    prior = train(
        arguments.run,
        seconds=arguments.seconds,
        device=arguments.device,
        is_stopped=lambda: bool(asked),
        batch_size=arguments.batch_size,
        width=arguments.width,
        n_layers=arguments.layers,
    )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    half = arguments.output.with_suffix(".part")
    prior.save(half)
    half.replace(arguments.output)
    figures = {"run": arguments.run, "n_parameters": sum(one.numel() for one in prior.flow.parameters())}
    figures |= vars(prior.progress)
    arguments.output.with_suffix(".json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(json.dumps({key: value for key, value in figures.items() if key != "curve"}), flush=True)


if __name__ == "__main__":
    main()
