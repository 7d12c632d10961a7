"""The command of a sweep: what it varies, and what its settings are called."""

from collections.abc import Mapping, Sequence

_UNQUOTED = str.maketrans("", "", "'\"\\")

_OF_THE_LAUNCH = ("-m", "--multirun", "sweep.resume=", "hydra.sweep.dir=", "hydra/launcher=", "hydra.launcher.")
"""Arguments that say where and beside what jobs run, not which."""


def list_swept(overrides: Sequence[str], command: Sequence[str]) -> dict[str, str]:
    """What a job was given that is not the same for all jobs, by key: what is not in the sweep's command.

    >>> list_swept(["data.root='/a'", "seed=1", "verbose=True"], ["data.root='/a'", "seed=0,1", "verbose=true"])
    {'seed': '1'}
    >>> list_swept(["seed=1", "sweep.resume=True"], ["seed=0,1"])
    {'seed': '1'}
    """
    plain = {_simplify(argument) for argument in command}
    swept = (override for override in overrides if _simplify(override) not in plain)
    return {key: value for key, _, value in (override.partition("=") for override in swept) if key != "sweep.resume"}


def name_setting(values: Mapping[str, str]) -> str:
    """A setting in words: its keys by their last part.

    >>> name_setting({"preset": "balanced", "regularization.dropout": "0.3"}), name_setting({})
    ('preset=balanced dropout=0.3', 'as it is')
    """
    return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in values.items()) or "as it is"


def sort_command(arguments: Sequence[str]) -> list[str]:
    """The arguments that decide which jobs a sweep has, in an order of their own.

    >>> sort_command(["-m", "seed=0,1", "preset=balanced", "hydra/launcher=joblib"])
    ['preset=balanced', 'seed=0,1']
    """
    return sorted(argument for argument in arguments if not argument.startswith(_OF_THE_LAUNCH))


def _simplify(argument: str) -> str:
    """An argument without what Hydra may write in another way: quotes, and `true` for `True`."""
    return argument.translate(_UNQUOTED).casefold()
