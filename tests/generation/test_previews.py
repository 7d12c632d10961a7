"""What a run lets you hear of itself: complete, and the same sounds at every interval."""

import soundfile
import torch

from sda.generation.previews import PreviewRenderer
from sda.generation.synthesizer import (
    TrainingSound,
)


def test_previews_are_complete_and_comparable_between_epochs(synthesizer, features, tmp_path):
    held_out = 0.1 * torch.randn(2, 4000)
    variations = 0.1 * torch.randn(3, 4000)
    renderer = PreviewRenderer(
        tmp_path,
        synthesizer,
        held_out=held_out,
        training=[TrainingSound("training", held_out.flatten())],
        n_samples=2,
        variations=variations,
    )
    previews = renderer.render(5)
    kinds = ["original", "reconstruction"] * 2 + ["interpolation"] + ["sample"] * 2
    assert [preview.kind for preview in previews] == kinds
    for preview in previews:
        assert soundfile.info(preview.audio).subtype == "PCM_16"
        assert (preview.picture is None) == (preview.kind == "original")
        assert preview.picture is None or preview.picture.read_bytes().startswith(b"\x89PNG")
    played, _ = soundfile.read(tmp_path / "epoch_0005" / "original_2.wav")
    torch.testing.assert_close(torch.from_numpy(played).float(), held_out[1], atol=1e-4, rtol=0)
    again = renderer.render(10)
    for before, after in zip(previews, again, strict=True):  # the same model: the same sounds
        assert before.audio.read_bytes() == after.audio.read_bytes()
    assert [preview.kind for preview in renderer.render_ceiling()] == ["ceiling"] * 2

    (preview,) = renderer.render_augmentation()
    played, rate_hz = soundfile.read(preview.audio)
    assert len(played) == 3 * (4000 + round(0.25 * rate_hz))  # one after the other, with pauses
    torch.testing.assert_close(torch.from_numpy(played[:4000]).float(), variations[0], atol=1e-4, rtol=0)
    assert preview.picture.exists()


def test_without_variations_or_a_second_sound_there_is_less_to_hear(synthesizer, tmp_path):
    held_out = 0.1 * torch.randn(1, 4000)
    renderer = PreviewRenderer(
        tmp_path,
        synthesizer,
        held_out=held_out,
        training=[TrainingSound("training", held_out.flatten())],
        n_samples=0,
        variations=held_out,
        gain=2.0,
    )
    assert [preview.kind for preview in renderer.render(1)] == ["original", "reconstruction"]
    assert renderer.render_augmentation() == []
    played, _ = soundfile.read(tmp_path / "epoch_0001" / "original_1.wav")
    torch.testing.assert_close(torch.from_numpy(played).float(), 2.0 * held_out[0], atol=1e-4, rtol=0)
