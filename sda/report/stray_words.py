"""Words on the command line that Hydra would not understand, or would pass over in silence: what was meant by them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sda.errors import ConfigError
from sda.report.unknown_key import list_keys_of, point_to_keys
from sda.shell import name_verb

_LAST = "last"
_TAKES = {
    "scan": "data.root",
    "train": "data.root",
    "evaluate": "run",
    "generate": "run",
    "compare": "runs",
    "play": "run",
    "export": "run",
}
"""The key that a verb is hardly ever without."""


def refuse_stray_words(verb: str, words: Sequence[str], flags: Sequence[str]) -> None:
    """Refuse an argument that is neither `key=value` nor a flag.

    Args:
        words: what is given beside flags that Hydra knows.
        flags: those that it does not.

    Raises:
        ConfigError: with what it should have been.
    """
    for flag in flags:
        raise ConfigError(f"{flag} is no flag of {name_verb(verb)}. {_explain_flag(verb, flag)}{point_to_keys(verb)}")
    for word in words:
        if "=" not in word and not word.startswith("~"):
            raise ConfigError(f"{word} is not key=value. {_explain_word(verb, word)}{point_to_keys(verb)}")


def list_repeats(arguments: Sequence[str]) -> list[str]:
    """A line for each key that is given more than once, of which Hydra takes the last.

    >>> list_repeats(["seed=1", "n=2", "seed=3"])
    ['! seed is given twice: seed=3, the last, counts']
    """
    given = [argument for argument in arguments if "=" in argument and not argument.startswith(("-", "hydra"))]
    n_times = Counter(argument.partition("=")[0].lstrip("+") for argument in given)
    last = {argument.partition("=")[0].lstrip("+"): argument for argument in given}
    return [
        f"! {key} is given {'twice' if n == 2 else f'{n} times'}: {last[key]}, the last, counts"
        for key, n in n_times.items()
        if n > 1
    ]


def _explain_flag(verb: str, flag: str) -> str:
    key, _, value = flag.lstrip("-").partition("=")
    key = key.replace("-", "_")
    return f"Keys have no dashes before them: {key}={value or 'VALUE'}. " if key in list_keys_of(verb) else ""


def _explain_word(verb: str, word: str) -> str:
    main, (key, colon, value) = _TAKES[verb], word.partition(":")
    if word in list_keys_of(verb):
        return f"Give the key a value, without spaces around the sign: {word}=VALUE. "
    if colon and key in list_keys_of(verb):
        return f"Did you mean {key}={value}? "
    if main == "data.root" and word == _LAST:
        return f"Did you mean resume={word}? " if verb == "train" else ""
    if main != "data.root" or "/" in word or word.startswith("~") or Path(word).is_dir():
        return f"Did you mean {main}={word}? "
    return ""
