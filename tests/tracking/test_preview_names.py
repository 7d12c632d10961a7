"""Names of previews in MLflow."""

import pytest

from sda.tracking.metric_names import FORMER_NAMING, NAMING
from sda.tracking.preview_names import name_artifact


def test_going_down_the_list_plays_pairs_then_what_is_new():
    names = [f"{kind}_{n}.wav" for kind in ("sample", "reconstruction", "original") for n in range(1, 13)]
    heard = sorted(name_artifact(f"previews/epoch_0005/{name}", NAMING) for name in [*names, "interpolation_1.wav"])
    pairs = [f"{n:02d}_{kind}.wav" for n in range(1, 13) for kind in ("original", "reconstruction")]
    assert heard == [*pairs, "interpolation_01.wav", *(f"sample_{n:02d}.wav" for n in range(1, 13))]


def test_a_picture_lies_beside_its_sound():
    assert name_artifact("previews/epoch_0005/reconstruction_2.png", NAMING) == "02_reconstruction.png"


@pytest.mark.parametrize(
    "relative",
    ["previews/augmentation/preview_augmentation.wav", "generated/sample_seed_7/sample_1.wav", "manifest.json"],
)
def test_other_files_are_called_as_they_are(relative):
    assert name_artifact(relative, NAMING) == relative.rpartition("/")[2]


def test_a_run_under_former_names_goes_on_under_them():
    assert name_artifact("previews/epoch_0005/original_1.wav", FORMER_NAMING) == "original_1.wav"
