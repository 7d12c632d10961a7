"""Evidence of a model that learned, and its parts, to be changed one at a time."""

from sda.bootstrap import Estimate
from sda.evaluation.distribution import DistributionScores
from sda.evaluation.findings import Evidence
from sda.evaluation.form_comparison import Form, Silence

NOTHING = Estimate(0.0, -0.1, 0.1)
SOMETHING = Estimate(0.3, 0.2, 0.4)


def make_likeness(value=1.2, low=0.4, high=2.5, coverage=0.6, shortfall=NOTHING, **changes):
    ratio = Estimate(value, low, high)
    return DistributionScores(
        mmd2=SOMETHING, mmd2_train=NOTHING, ratio=ratio, density=0.8, coverage=coverage, density_train=1.0,
        coverage_train=0.7, coverage_shortfall=shortfall, excess=SOMETHING, n_windows=100, n_held_out_windows=100,
        n_held_out_files=12, **changes,
    )  # fmt: skip


def make_form(excess):
    traits = {"silent_share": Estimate(0.45, 0.3, 0.6), "onsets_per_s": Estimate(1.4, 1.0, 1.8)}
    return Form(
        traits={"generated": traits, "held_out": {"silent_share": NOTHING, "onsets_per_s": Estimate(1.3, 1.0, 1.6)}},
        distance={"generated": Estimate(excess.value + 0.1, 0.0, 2.0), "train": Estimate(0.1, -0.1, 0.3)},
        distance_by_trait={
            "generated": {"silent_share": 3.0, "onsets_per_s": 0.1},
            "train": dict.fromkeys(traits, 0.0),
        },
        excess=excess,
    )


def make_silence(files=NOTHING, frames=NOTHING, left_out=0.0):
    return {"generated": Silence(files, frames, left_out), "real": Silence(Estimate(0, 0, 0.09), NOTHING, 0.0)}


GOOD = Evidence(
    replay_rate=Estimate(0.01, 0.0, 0.05),
    collage_rate=Estimate(0.02, 0.0, 0.06),
    skill_train=Estimate(0.7, 0.6, 0.8),
    skill_held_out=Estimate(0.65, 0.55, 0.75),
    error_ratio=Estimate(1.05, 0.95, 1.15),
    likeness={"hand_made": make_likeness()},
    form=make_form(Estimate(0.1, -0.2, 0.4)),
    silence=make_silence(),
    n_held_out_files=12,
)
