"""What a run lets you hear of itself: the same held-out sounds and the same seeds at every interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sda.audio.inversion import log_mel_to_waveform
from sda.audio.io import FloatArray
from sda.audio.wav import save_wav
from sda.generation.picture import draw_spectrograms
from sda.generation.synthesizer import Synthesizer, TrainingSound, generate_sound, morph

INTERPOLATION_CHUNKS = 4
"""Length of the way from one held-out sound to another, in chunks."""
SAMPLE_CHUNKS = 2
"""Length of a new sound, in chunks."""

PAUSE_S = 0.25
"""Silence between one variation and the next."""


@dataclass(frozen=True)
class Preview:
    """One rendered sound."""

    kind: str
    """`original`, `reconstruction`, `interpolation`, `sample`, `ceiling` or `augmentation`."""
    audio: Path
    picture: Path | None
    """`None` where another sound's picture shows this one too."""


class PreviewRenderer:
    """Renders a model's previews into the run's folder.

    Args:
        held_out: waveforms of held-out chunks to reconstruct, `[B, T]`; the first two are interpolated.
        training: what the prior is fitted to before sampling.
        n_samples: new sounds to draw.
        variations: a training chunk as it is, then as training shows it, `[B, T]`.
        gain: what is written is louder by this factor than what the model gives.
    """

    def __init__(
        self,
        folder: Path,
        synthesizer: Synthesizer,
        *,
        held_out: Tensor,
        training: Sequence[TrainingSound],
        n_samples: int,
        variations: Tensor,
        gain: float = 1.0,
    ):
        self.folder = folder
        self.synthesizer = synthesizer
        self.features = synthesizer.features
        self.held_out = held_out
        self.training = training
        self.n_samples = n_samples
        self.variations = variations
        self.gain = gain

    @torch.no_grad()
    def render(self, epoch: int, step: int | None = None) -> list[Preview]:
        """Write reconstructions beside their originals, an interpolation and samples below `epoch_NNNN`.

        Args:
            step: steps taken, where that is in the middle of the epoch after; below `epoch_NNNN_step_NNNNNN` then.
        """
        folder = self.folder / (f"epoch_{epoch:04d}" + ("" if step is None else f"_step_{step:06d}"))
        when = f"epoch {epoch}" if step is None else f"step {step}"
        self.synthesizer.fit(self.training)
        previews = []
        rebuilt = list(self.synthesizer.reconstruct(self.held_out, seed=0).numpy())
        for number, (original, reconstruction) in enumerate(zip(self._originals(), rebuilt, strict=True), start=1):
            source = folder / f"original_{number}.wav"
            self._write(source, original)
            previews.append(Preview("original", source, None))
            panels = [("held-out original", original), (f"reconstruction, {when}", reconstruction)]
            previews.append(self._save(folder, "reconstruction", number, reconstruction, panels))
        n_chunk = self.held_out.shape[1]
        if len(self.held_out) > 1:
            n_samples = INTERPOLATION_CHUNKS * n_chunk
            paths = [self.synthesizer.encode(waveform) for waveform in self.held_out[:2]]
            path = morph(paths[0], paths[1], self.synthesizer.count_points(n_samples))
            sound = self.synthesizer.decode(path, n_samples, seed=0).numpy()
            previews.append(self._save(folder, "interpolation", 1, sound, [(f"interpolation, {when}", sound)]))
        for number in range(1, self.n_samples + 1):
            sound = generate_sound(self.synthesizer, SAMPLE_CHUNKS * n_chunk, seed=0, number=number).numpy()
            previews.append(self._save(folder, "sample", number, sound, [(f"sample {number}, {when}", sound)]))
        return previews

    @torch.no_grad()
    def render_ceiling(self) -> list[Preview]:
        """Write the held-out originals pushed through mel → wave without a model."""
        log_mel = self.features(self.held_out)
        rebuilt = list(log_mel_to_waveform(log_mel, self.features, self.held_out.shape[1]).cpu().numpy())
        return [
            self._save(
                self.folder / "ceiling",
                "ceiling",
                number,
                sound,
                [("held-out original", original), ("mel and back, no model", sound)],
            )
            for number, (original, sound) in enumerate(zip(self._originals(), rebuilt, strict=True), start=1)
        ]

    def render_augmentation(self) -> list[Preview]:
        """Write what training makes of one chunk: the original, then its variations, one after the other."""
        if len(self.variations) < 2:
            return []
        rate_hz = self.features.sample_rate_hz
        pause = np.zeros(round(PAUSE_S * rate_hz), np.float32)
        sounds = list(self.variations.cpu().numpy())
        row = np.concatenate([part for sound in sounds for part in (sound, pause)])
        titles = ["training original", *(f"variation {number}" for number in range(1, len(sounds)))]
        folder = self.folder / "augmentation"
        audio, picture = folder / "preview_augmentation.wav", folder / "preview_augmentation.png"
        self._write(audio, row)
        draw_spectrograms(picture, list(zip(titles, sounds, strict=True)), self.features)
        return [Preview("augmentation", audio, picture)]

    def _write(self, path: Path, waveform: FloatArray) -> None:
        save_wav(path, self.gain * waveform, self.features.sample_rate_hz)

    def _originals(self) -> list[FloatArray]:
        return list(self.held_out.cpu().numpy())

    def _save(
        self, folder: Path, kind: str, number: int, waveform: FloatArray, panels: list[tuple[str, FloatArray]]
    ) -> Preview:
        audio, picture = folder / f"{kind}_{number}.wav", folder / f"{kind}_{number}.png"
        self._write(audio, waveform)
        draw_spectrograms(picture, panels, self.features)
        return Preview(kind, audio, picture)
