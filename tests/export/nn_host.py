"""A host as nn~ is one: it knows TorchScript and the names of nn~'s interface, and nothing of sda.

What it does with a model is what nn~'s backend does: inputs are cut into values of the method's ratio, of which the
last sample is taken, the method runs in inference mode, and what comes out is held for as many samples as its ratio.

As a script, in a process of its own: `python -I nn_host.py SCORE.json`, see `play_score`.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

TYPES = {1: lambda text: int(float(text)), 2: float}


def load(path: Path | str) -> torch.nn.Module:
    """A TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        return torch.jit.load(str(path))


class Host:
    """One instance of a model in a patch."""

    def __init__(self, path: Path | str, sample_rate_hz: int | None = None):
        self.model = load(path)
        self.model.eval()
        self.model.to(torch.device("cpu"))
        if sample_rate_hz is not None and hasattr(self.model, "set_sample_rate"):
            self.model.set_sample_rate(sample_rate_hz)

    @property
    def methods(self) -> list[str]:
        return list(self.model.get_methods())

    @property
    def attributes(self) -> list[str]:
        return list(self.model.get_attributes())

    @property
    def least_buffer(self) -> int:
        """Of all methods, whichever is played."""
        return max(max(self.params(method)[1], self.params(method)[3]) for method in self.methods)

    def params(self, method: str) -> list[int]:
        return [int(value) for value in getattr(self.model, f"{method}_params")]

    def label(self, method: str) -> tuple[list[str], list[str]]:
        return getattr(self.model, f"{method}_input_labels"), getattr(self.model, f"{method}_output_labels")

    def perform(self, method: str, block: np.ndarray) -> np.ndarray:
        """One buffer: `[channels, samples]`, or `[sounds, channels, samples]` → the same."""
        given = torch.from_numpy(block.copy() if block.ndim == 3 else block[None].copy())
        n_items, _, n_samples = given.shape
        n_in, in_ratio, n_out, out_ratio = self.params(method)
        with torch.inference_mode():
            values = given.reshape(n_items, n_in, -1, in_ratio).select(-1, -1)
            made = getattr(self.model, method)(values)
            made = made.repeat_interleave(out_ratio).reshape(n_items, n_out, -1)
        if made.shape[2] != n_samples:
            raise ValueError(f"model output size is not consistent, expected {n_samples}, got {made.shape[2]}")
        output = made.contiguous().numpy()
        return output if block.ndim == 3 else output[0]

    def play(self, method: str, sound: np.ndarray, buffer: int) -> np.ndarray:
        """As much as whole buffers hold, `[channels, samples]`."""
        starts = range(0, sound.shape[-1] - buffer + 1, buffer)
        return np.concatenate([self.perform(method, sound[..., start : start + buffer]) for start in starts], axis=-1)

    def get(self, attribute: str) -> list[float]:
        values = getattr(self.model, f"get_{attribute}")()
        assert isinstance(values, list | tuple), "newer hosts take nothing else"
        return list(values)

    def set(self, attribute: str, *arguments: str) -> None:
        """From text, as messages in a patch are."""
        types = [int(kind) for kind in getattr(self.model, f"{attribute}_params")]
        if len(types) != len(arguments):
            raise ValueError("wrong number of elements")
        values = [TYPES[kind](text) for kind, text in zip(types, arguments, strict=True)]
        if getattr(self.model, f"set_{attribute}")(*values) != 0:
            raise ValueError("setter returned -1")


def play_score(score: dict) -> None:
    """Load `model`, and for every step set attributes or play a method on a file; what is played is written.

    `steps` are `["set", attribute, text]` or `["play", method, input.npy, buffer, output.npy]`.
    """
    torch.set_num_threads(1)
    host = Host(score["model"], score.get("sample_rate_hz"))
    for step in score["steps"]:
        if step[0] == "set":
            host.set(*step[1:])
        else:
            _, method, given, buffer, made = step
            np.save(made, host.play(method, np.load(given), buffer))
    known = sorted(name for name in sys.modules if name.split(".")[0] == "sda")
    print(json.dumps({"methods": host.methods, "attributes": host.attributes, "sda": known}))


if __name__ == "__main__":
    play_score(json.loads(Path(sys.argv[1]).read_text()))
