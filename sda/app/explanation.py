"""Error messages of composing: what to tell of an error that was met while a configuration was composed."""

import difflib
from collections.abc import Sequence

from omegaconf.errors import OmegaConfBaseException

from sda.config.schema import TrainRunConfig
from sda.config_field import describe_settings
from sda.errors import SdaError

_HYDRAS_OWN_MATTERS = (
    "object_type=",
    "reference_type=",
    "See https",
    "To append to",
    "Config search path",
    "provider=",
)


def find_cause(error: SdaError) -> str:
    """What to tell: where composing met another of our errors, such as no usable sound, that one's words alone."""
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        while cause is not None:
            cause = cause.__cause__ or cause.__context__
            if isinstance(cause, SdaError):
                return str(cause)
    return str(error)


def explain_choice(choice: str, options: Sequence[str]) -> str:
    """A name that a group of the configuration does not have, and those that it has.

    Args:
        choice: such as `experiment/nope`.
        options: names that the group has.

    >>> explain_choice("data/demi", ["demo"])
    'data=demi is unknown: there is demo. Did you mean demo?'
    """
    group, _, name = choice.rpartition("/")
    names = f"there {'is' if len(options) == 1 else 'are'} {', '.join(sorted(options)) or 'none'}."
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    return " ".join([f"{group}={name} is unknown: {names}", *(f"Did you mean {one}?" for one in near)])


def explain_composition(error: Exception) -> str:
    """Hydra's and OmegaConf's words, from the outermost cause to the innermost, each once."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SdaError):
            return str(cause)
        for line in map(str.strip, str(cause).splitlines()):
            if line and line not in lines and not line.startswith(_HYDRAS_OWN_MATTERS):
                lines.append(line)
        cause = cause.__cause__
    unknown = next((line.removeprefix("full_key: ") for line in lines if line.startswith("full_key: ")), "")
    keys = [key for key, _, _ in describe_settings(TrainRunConfig)]
    similar = difflib.get_close_matches(unknown, keys, n=3) if unknown not in keys else []
    if similar:
        lines.append(f"Did you mean {' or '.join(similar)}?")
    return "\n  ".join([*lines, "See every key with its range: python train.py --help"])
