"""What each verb can be told, and the text of its help; Hydra, which takes its time, is not imported for it."""

from pathlib import Path

from sda.config.export import ExportConfig
from sda.config.model import MODELS
from sda.config.play import PlayConfig
from sda.config.running import TrackingBackend
from sda.config.schema import ScanConfig, TrainRunConfig
from sda.config.verbs import CompareConfig, EvaluateConfig, GenerateConfig
from sda.config_field import describe_settings
from sda.shell import name_command
from sda.training.presets import PRESETS

_HERE = Path(__file__).resolve()
CONFIG_DIR = next(path for path in (_HERE.parents[1] / "conf", _HERE.parents[2] / "conf") if path.is_dir())
"""Compositions: the copy inside an installed package, or `conf/` of a checkout."""

SCHEMAS: dict[str, type] = {
    "scan": ScanConfig,
    "train": TrainRunConfig,
    "evaluate": EvaluateConfig,
    "generate": GenerateConfig,
    "compare": CompareConfig,
    "play": PlayConfig,
    "export": ExportConfig,
}
"""What each verb can be told."""
_PURPOSE = {
    "scan": "Look at a folder of sounds before training: what is in it, and what training on it would be like.",
    "train": "Train a generative model on a folder of your own sounds.",
    "evaluate": "Measure what a run learned, on sound it never trained on, and whether it replays what it trained on.",
    "generate": "Write new sounds from a trained run.",
    "compare": "Put runs side by side: which setting is better, by how much, and how sure that is.",
    "play": "Play with a trained run in the browser: a page on this machine alone.",
    "export": "Write a trained model as files that leave its run's folder.",
}
_EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "scan": (
        ("data.root=~/sounds", "a table here, a page with pictures in scans/"),
        ("data.root=~/sounds preset=balanced", "every key of a training is understood"),
        ("data.root=~/sounds output=/tmp/sounds.html estimate=false", ""),
    ),
    "train": (
        ("data.root=~/sounds", "everything automatic"),
        ("data.root=~/sounds preset=conservative regularization.dropout=0.3", ""),
        ("-m data.root=~/sounds preset=conservative,balanced seed=0,1,2", ""),
        ("-m data.root=~/sounds preset=conservative,balanced seed=0,1,2 sweep.resume=true", ""),
        ("resume=last", "continue the last run"),
        ("data.root=~/sounds --cfg job", "the layers; --resolve shows the numbers"),
    ),
    "evaluate": (
        ("run=last", "numbers here, a page with players in the run's folder"),
        ("run=runs/…/one,runs/…/two", "several runs side by side"),
        ("reference=~/sounds generated=~/new", "any two folders of sound, without a model"),
    ),
    "generate": (
        ("run=last n=8 duration_s=10 seed=7", "new sounds, the same for the same seed"),
        ("run=last mode=reconstruct source=~/voice.wav", "any sound through the model"),
        ("run=last mode=interpolate duration_s=20", "from one held-out sound to the next"),
    ),
    "compare": (
        ("sweep=last", "numbers here, a page with players beside the runs"),
        ("runs=runs/…/one,runs/…/two", "any runs"),
        ("sweep=last objective=mr_stft", ""),
    ),
    "play": (
        ("", "the last run; open the link that is printed"),
        ("run=runs/…/one port=8800 browser=true", "another run, and the browser opens"),
    ),
    "export": (
        ('run=last license="CC BY 4.0"', "one file that can be given as run="),
        ("run=last name=rain names=true", "rain.sda, with the names of its recordings"),
        ("run=last format=nn", "plays in Max, Pure Data and SuperCollider"),
    ),
}
"""What a verb may be given, and what comes of it where that is worth saying."""
_STORED = {
    "preset": ["auto", *(preset.name for preset in PRESETS.values())],
    "model": [name.name for name in MODELS],
    "tracking": [backend.name for backend in TrackingBackend],
}
"""Options that no file holds, by their groups."""


def write_help(verb: str, groups: str) -> str:
    """Every key of a verb with its default, effect, unit and range.

    Args:
        groups: the groups of a training, and their options.
    """
    examples = (f"  {f'{name_command(verb)} {given}':<64} {words}".rstrip() for given, words in _EXAMPLES[verb])
    lines = [f"{_PURPOSE[verb]}\n", *examples, "\nKeys, as key=value:"]
    section = None
    for key, default, text in describe_settings(SCHEMAS[verb]):
        if key.rpartition(".")[0] != section:
            section = key.rpartition(".")[0]
            lines.append("")
        lines.append(f"  {f'{key}={default}':<46} {text}")
    if verb in ("scan", "train"):
        lines += [
            "",
            "Defaults of training.* and regularization.* shown here are those of preset=balanced; with preset=auto",
            "they follow the number of usable files. Groups (choose with group=name):",
            "",
            groups,
        ]
    return "\n".join([*lines, "Flags: --cfg job|hydra|all, --resolve, -m (sweep), -v, --hydra-help", ""])


def list_groups() -> str:
    """A line for each group with its options: what is stored, and the files of `conf`."""
    options = {group: set(names) for group, names in _STORED.items()}
    for path in CONFIG_DIR.glob("*/*.yaml"):
        options.setdefault(path.parent.name, set()).add(path.stem)
    return "".join(f"{group}: {', '.join(sorted(options[group]))}\n" for group in sorted(options))
