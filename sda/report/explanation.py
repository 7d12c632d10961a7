"""Error messages of composing: what to tell of an error that was met while a configuration was composed."""

import difflib
import re
from collections.abc import Sequence

from omegaconf.errors import OmegaConfBaseException

from sda.config.help import SCHEMAS
from sda.config_field import describe_settings, list_traits
from sda.errors import SdaError
from sda.report.unknown_key import explain_unknown_key, list_keys_of, point_to_keys

_HYDRAS_OWN_MATTERS = (
    "object_type=",
    "reference_type=",
    "See https",
    "To append to",
    "Config search path",
    "provider=",
)
_NAMES_KEY = "full_key: "
_NO_KEY = re.compile(
    r"Could not (?:override '([^']+)'\. ?No match in the defaults list|delete from config\. '([^']+)' does not exist)"
)
_SEVERAL = re.compile(r"Ambiguous value for argument '([^']+)'")
_SEVERAL_ADVICE = ("Give one.", "To train with each of them, add -m.")


def find_origin(error: Exception) -> Exception:
    """The error to tell of: where composing met another of ours, such as no usable sound, that one; else itself."""
    cause: BaseException | None = error.__cause__ if isinstance(error, SdaError) else error
    if isinstance(cause, OmegaConfBaseException):
        while cause is not None:
            cause = cause.__cause__ or cause.__context__
            if isinstance(cause, SdaError):
                return cause
    return error


def find_cause(error: SdaError) -> str:
    """What to tell: the words of `find_origin`."""
    return str(find_origin(error))


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


def explain_composition(verb: str, error: Exception) -> str:
    """Hydra's and OmegaConf's words, from the outermost cause to the innermost, each once, and the key they are of."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SdaError):
            return str(cause)
        for line in map(str.strip, str(cause).splitlines()):
            if line and line not in lines and not line.startswith(_HYDRAS_OWN_MATTERS):
                lines.append(line)
        cause = cause.__cause__
    no_key = _NO_KEY.match(lines[0]) if lines else None
    if no_key:
        return explain_unknown_key(verb, no_key[1] or no_key[2])
    several = _SEVERAL.match(lines[0]) if lines else None
    if several:
        key = several[1].partition("=")[0]
        takes_several = key in list_keys_of(verb) and list_traits(SCHEMAS[verb])[key].takes_several
        together = f" To have all of them together, put them in brackets: '{key}=[A,B]'" if takes_several else ""
        return f"{several[1]} gives several values. {_SEVERAL_ADVICE[verb == 'train']}{together}"
    named = [line for line in lines if line.startswith(_NAMES_KEY)]
    key = named[0].removeprefix(_NAMES_KEY) if named else ""
    if key and key not in list_keys_of(verb):
        return explain_unknown_key(verb, key)
    effects = [f"{key}: {effect}" for one, _, effect in describe_settings(SCHEMAS[verb]) if one == key]
    told = [line for line in lines if line not in named]
    return "\n  ".join([*told, *effects, point_to_keys(verb)])
