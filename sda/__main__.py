"""The command `sda`, or `python -m sda`: every verb by one name. Nothing heavy is imported before the verb is known."""

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple

from sda.printable import make_printable

EXIT_UNKNOWN_VERB = 2
COMMAND_LINE = "sda.app.command_line"
"""Where the verbs are that Hydra composes keys for."""


class Verb(NamedTuple):
    """One thing that can be asked for."""

    entry: str
    """Its entry point as `module:function`: called without arguments, it reads `sys.argv`."""
    words: str
    """What it does, in a line."""


VERBS = {
    "scan": Verb(f"{COMMAND_LINE}:scan", "look at a folder of sounds before training"),
    "train": Verb(f"{COMMAND_LINE}:train", "train on your sounds, or go on with a run"),
    "generate": Verb(f"{COMMAND_LINE}:generate", "make new sounds with a run"),
    "play": Verb(f"{COMMAND_LINE}:play", "open a page to make sounds by ear"),
    "evaluate": Verb(f"{COMMAND_LINE}:evaluate", "measure what a run learned, and whether it replays"),
    "compare": Verb(f"{COMMAND_LINE}:compare", "compare runs, or the runs of a sweep"),
    "export": Verb(f"{COMMAND_LINE}:export", "make one file or a page of a run's model"),
    "ui": Verb("sda.app.ui:ui", "open MLflow's pages over all runs"),
    "sync": Verb("sda.runs.sync:sync", "deliver to MLflow what it lacks, close runs whose process is gone"),
}
"""In the order in which a person comes to need them."""


def main() -> None:
    """Hand over to the verb that is named first; without one, or with `--help`, list them all.

    The verb finds itself in `sys.argv[0]`, as in `sda train`, and what it is given behind that.
    """
    name, *given = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        print(list_verbs())
        return
    if name not in VERBS:
        print(f"error: {explain_unknown_verb(name)}", file=sys.stderr)
        sys.exit(EXIT_UNKNOWN_VERB)
    sys.argv = [f"sda {name}", *given]
    run_verb(name)


def run_verb(name: str) -> None:
    """Hand over to a verb, which reads `sys.argv`; its help alone is written without what the verb imports."""
    module, _, function = VERBS[name].entry.partition(":")
    if sys.argv[1:] in (["--help"], ["-h"]) and module == COMMAND_LINE:
        _print_help(name)
    else:
        getattr(import_module(module), function)()


def _print_help(name: str) -> None:
    from sda.config.help import list_groups, write_help

    try:
        print(write_help(name, list_groups()), flush=True)
    except BrokenPipeError:
        from sda.report.closed_pipe import EXIT_CLOSED_PIPE, drop_output

        drop_output()
        sys.exit(EXIT_CLOSED_PIPE)


def list_verbs() -> str:
    """How the command is used, and a line for each verb."""
    width = max(map(len, VERBS))
    lines = (f"  {name:{width}}  {verb.words}" for name, verb in VERBS.items())
    usage = "sda VERB key=value …, such as: sda train data.root=~/sounds"
    return "\n".join([usage, "", *lines, "", "Every key of a verb with its range: sda VERB --help"])


def explain_unknown_verb(name: str) -> str:
    """That there is no such verb, and what may have been meant.

    >>> explain_unknown_verb("trian")
    'sda has no verb trian. Did you mean train? sda --help lists them all.'
    >>> explain_unknown_verb("data.root=sounds")
    'sda has no verb data.root=sounds. The verb comes first, as in sda train. sda --help lists them all.'
    """
    near = get_close_matches(name.removesuffix(".py").lower(), VERBS, n=1)
    meant = f"Did you mean {near[0]}?" if near else "The verb comes first, as in sda train."
    return f"sda has no verb {make_printable(name)}. {meant} sda --help lists them all."


if __name__ == "__main__":
    main()
