"""An assessment made by hand: every part of it is there, with figures that are told apart on the page."""

from typing import Any

import numpy as np
import torch

from sda.bootstrap import Estimate
from sda.evaluation.assessment import Assessment
from sda.evaluation.distribution import DistributionScores, RebuiltScores
from sda.evaluation.findings import Finding
from sda.evaluation.form_comparison import Form, Silence
from sda.evaluation.latents import LatentSpace
from sda.evaluation.memorisation import Control, Replay, Similarity
from sda.evaluation.sounds import Sound
from sda.evaluation.suite import DistributionComparison, EvaluationAudio, Memorisation
from sda.evaluation.trained_model import Reconstruction
from sda.evaluation.verdict import Verdict
from tests.conftest import RATE_HZ

MEASURES = {"log_mel_l1_db": Estimate(3.87, 3.51, 4.22), "zimtohrli": Estimate(0.0061)}
RECONSTRUCTION = Reconstruction(
    held_out={
        "model": MEASURES,
        "mean_mel": {**MEASURES, "log_mel_l1_db": Estimate(8.5, 3.51, 4.22)},
        "ceiling": {"log_mel_l1_db": Estimate(1.25, 1.11, 1.36)},
    },
    train={"model": {**MEASURES, "log_mel_l1_db": Estimate(2.5, 3.51, 4.22)}},
    n_clips={"held_out": 60, "train": 50},
    n_files={"held_out": 12, "train": 28},
    skill={"held_out": Estimate(0.61, 0.52, 0.7)},
    error_ratio=Estimate(1.4),
)
LIKENESS = DistributionScores(
    mmd2=Estimate(0.05, 0.02, 0.08),
    mmd2_train=Estimate(0.01, -0.01, 0.03),
    ratio=Estimate(3.0, 1.0, 6.0),
    density=0.7,
    coverage=0.5,
    density_train=1.0,
    coverage_train=0.9,
    coverage_shortfall=Estimate(0.4, 0.2, 0.6),
    excess=Estimate(0.04, 0.01, 0.07),
    n_windows=96,
    n_held_out_windows=100,
    n_held_out_files=12,
    rebuilt=RebuiltScores(
        mmd2=Estimate(0.03, 0.0, 0.05),
        ratio=Estimate(1.7, 0.6, 2.9),
        density=0.8,
        coverage=0.7,
        lost_rebuilding=Estimate(0.02, 0.01, 0.04),
        lost_drawing=Estimate(0.02, -0.01, 0.05),
    ),
)
FORM = Form(
    traits={
        "generated": {"onsets_per_s": Estimate(4.41, 3.21, 5.63)},
        "held_out": {"onsets_per_s": Estimate(1.43)},
        "train": {"onsets_per_s": Estimate(1.53), "length_s": Estimate(2.37, 2.16, 2.61)},
    },
    n_sounds={"generated": 4, "held_out": 12, "train": 28},
    distance={"generated": Estimate(1.31, 0.71, 1.92), "train": Estimate(0.02, -0.14, 0.26)},
    distance_by_trait={"generated": {"onsets_per_s": 1.31}, "train": {"onsets_per_s": 0.02}},
    excess=Estimate(1.29, 0.6, 1.9),
    longest_s=5.0,
    are_shots=True,
)
SILENCE = {
    "generated": Silence(Estimate(0.31, 0.13, 0.57), Estimate(0.46, 0.32, 0.58), 0.28),
    "real": Silence(Estimate(0.0), Estimate(0.01), 0.0),
}
LATENTS = LatentSpace(
    kl_by_dimension=[1.0, 3.0, 0.1],
    variance_of_means=[0.5, 0.9, 0.001],
    active_units=2,
    aggregate_mean=[0.0, 0.1, -0.2],
    aggregate_deviation=[1.0, 0.9, 1.2],
    aggregate_kl=12.0,
    information=80.0,
)
VERDICT = Verdict(
    label="overfit",
    headline="It overfits.",
    findings=[
        Finding("Few are replays.", "memorisation.replay_rate", Estimate(0.02, 0.01, 0.07)),
        Finding("Worse on others.", "reconstruction.error_ratio", Estimate(1.4)),
    ],
    advice="More sounds help most.",
    case="overfit",
)


def make_similarity(*correlations: float) -> Similarity:
    """Windows of as many sounds, half a second into them, each closest to one second into the first training sound."""
    n = len(correlations)
    places = np.zeros(n, dtype=np.intp)
    return Similarity(
        np.array(correlations), places, np.ones(n), np.arange(n, dtype=np.intp), places + round(RATE_HZ / 2)
    )


def make_replay(rate: Estimate, control: Control, n_null_files: int = 12) -> Replay:
    return Replay(
        rate,
        threshold=0.42,
        null_median=0.15,
        n_null_windows=60,
        n_null_files=n_null_files,
        n_windows=4,
        controls={"copies": control},
    )


def make_memorisation(n_null_files: int = 12) -> Memorisation:
    return Memorisation(
        make_replay(Estimate(0.02, 0.01, 0.07), Control(1.0, 0.97, 60), n_null_files),
        make_replay(Estimate(0.0, 0.0, 0.04), Control(0.95, 0.97, 60)),
        {
            "generated": make_similarity(0.2, 0.3, 0.5, 0.1),
            "unheard": make_similarity(0.1, 0.2),
            "copies": make_similarity(0.97),
        },
    )


def make_assessment(**changes: Any) -> Assessment:
    """A whole assessment of silent sounds, but for some of its parts."""
    kinds = {"train": 28, "held_out": 12, "generated": 4}
    sounds = {kind: [Sound(f"{kind} {n}", torch.zeros(2 * RATE_HZ)) for n in range(1, count + 1)] for kind, count in
              kinds.items()}  # fmt: skip
    parts: dict[str, Any] = {
        "audio": EvaluationAudio(RATE_HZ, **sounds),
        "memorisation": make_memorisation(),
        "distribution": {
            "hand_made": DistributionComparison(LIKENESS),
            "aisfx": DistributionComparison(None, "too few to tell: 9 windows"),
        },
        "form": FORM,
        "silence": SILENCE,
        "verdict": VERDICT,
        "reconstruction": RECONSTRUCTION,
        "latents": LATENTS,
        "variance_share": 0.43,
    }
    return Assessment(**(parts | changes))
