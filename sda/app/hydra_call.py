"""Hydra, called from a function: composing, what happens before it makes a folder, and errors in words.

Nothing heavy is imported here.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ClassVar, NoReturn

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sda.app.composition import guard_composition
from sda.config.arguments import find_value
from sda.config.help import CONFIG_DIR
from sda.config.machine import wait_politely
from sda.config.resolvers import FolderSize, register_resolvers
from sda.config.store import register_configs
from sda.errors import ConfigError, SdaError
from sda.printable import make_lines_printable
from sda.report.closed_pipe import EXIT_CLOSED_PIPE, drop_output
from sda.report.explanation import explain_choice, explain_composition, find_cause, find_origin
from sda.report.stray_words import list_repeats, refuse_stray_words
from sda.shell import name_command


def _scan_once(*folder: Any) -> FolderSize:
    from sda.runs.prepare_data import scan_once

    return scan_once(*folder)


register_resolvers(_scan_once)

guard_composition(CONFIG_DIR)

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130
_NEEDED_GROUPS = ("preset", "model", "tracking")
"""Groups of which one is always chosen."""


class Refused(BaseException):
    """Carries an error past Hydra, which makes a warning of any exception of a callback."""

    def __init__(self, reason: Exception):
        super().__init__(str(reason))
        self.reason = reason


class RunStart(Callback):
    """Claims a run's folder; Hydra makes it, as `conf/train.yaml` says."""

    begin: ClassVar[Callable[[DictConfig], None] | None] = None

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Before Hydra makes the folder."""
        _begin(RunStart.begin, config)


class SweepStart(Callback):
    """Tells, in the sweep's own process alone, where the sweep lies; Hydra makes it, as `conf/train.yaml` says."""

    begin: ClassVar[Callable[[DictConfig], None] | None] = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Before the first job."""
        _begin(SweepStart.begin, config)


def _begin(begin: Callable[[DictConfig], None] | None, config: DictConfig) -> None:
    if begin is not None:
        try:
            begin(config)
        except (SdaError, OSError) as error:
            raise Refused(error) from error


_REFUSED_FLAGS = ("--experimental-rerun",)
"""Flags of Hydra's that read a pickle, which could run anything."""


def call_hydra(verb: str, task: Callable[[DictConfig], Any], arguments: list[str]) -> None:
    """Let Hydra compose and run a verb, with errors coming back as exceptions."""
    for argument in arguments:
        if argument.startswith(_REFUSED_FLAGS):
            go_on = f"{name_command('train')} resume=RUN"
            raise ConfigError(f"{argument} is not supported: it reads a pickle. A run goes on with {go_on}.")
    for group in _NEEDED_GROUPS:
        if find_value(arguments, group) in ("null", ""):
            raise ConfigError(f"{group}={find_value(arguments, group)} is none: leave {group} out, or name one.")
    parsed, flags = get_args_parser().parse_known_args(arguments)
    refuse_stray_words(verb, parsed.overrides, flags)
    print_to_stderr(list_repeats(parsed.overrides))
    register_configs(verb)
    wants_traceback = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints errors in its own words and exits
    reason: Exception | None = None
    let_jobs_fail_quietly()
    compose_once()
    try:
        with _pass_arguments(arguments):
            hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=verb)(task)()
    except Refused as refusal:
        reason = refusal.reason
    finally:
        if not wants_traceback:
            del os.environ["HYDRA_FULL_ERROR"]
    if reason is not None:
        raise reason  # out here, where it keeps its own cause


@contextmanager
def _pass_arguments(arguments: list[str]) -> Iterator[None]:
    """Let Hydra find these arguments; what the process had of its own, and a composition in it, are there again after.

    Hydra composes once in a process unless the first composition is set aside.
    """
    argv, composing, composed = sys.argv[1:], GlobalHydra.instance(), HydraConfig.instance()
    before = composing.hydra, composed.cfg
    sys.argv[1:], composing.hydra = arguments, None
    try:
        yield
    finally:
        sys.argv[1:] = argv
        composing.hydra, composed.cfg = before


def let_jobs_fail_quietly() -> None:
    """Let the error of a job, alone or in a sweep, come back without Hydra's line before it: it is told here, once."""

    def give_back(self: JobReturn) -> Any:
        if self.status is JobStatus.COMPLETED:
            return self._return_value
        raise self._return_value

    known = vars(JobReturn)["return_value"]
    setattr(JobReturn, known.fget.__name__, property(give_back, known.fset))


def compose_once() -> None:
    """Spare Hydra composing everything a first time only to see whether `hydra.mode` is set.

    The arguments alone can set it: what other files put below `hydra` is refused, see `composition`.
    """
    find_mode = Hydra.get_mode
    if hasattr(find_mode, "__wrapped__"):
        return

    @wraps(find_mode)
    def find_given_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> RunMode | None:
        is_given = any(override.lstrip("+").startswith("hydra.mode=") for override in overrides)
        mode: RunMode | None = find_mode(self, config_name, overrides) if is_given else None
        return mode

    setattr(Hydra, find_mode.__name__, find_given_mode)


def report_errors(verb: str, run: Callable[[], None]) -> None:
    """Run a verb; errors a user can mend end in a message and exit code 1, all others in a traceback."""
    wait_politely()
    try:
        run()
        sys.stdout.flush()  # here, where it can still be told that nobody reads it
    except (SdaError, HydraException, OmegaConfBaseException) as error:
        fail(explain_error(verb, error))
    except BrokenPipeError:
        drop_output()
        sys.exit(EXIT_CLOSED_PIPE)
    except OSError as error:
        fail(f"{error.filename or 'a file'}: {error.strerror or error}. Is the folder writable, and the disk not full?")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


@contextmanager
def give_own_errors(verb: str) -> Iterator[None]:
    """Let whatever a user can mend come back as an error of ours, in the words of the command line.

    Raises:
        SdaError: for it.
    """
    try:
        yield
    except (SdaError, HydraException, OmegaConfBaseException) as error:
        origin = find_origin(error)
        if isinstance(origin, SdaError):
            raise origin from None
        raise ConfigError(explain_error(verb, error)) from error


def explain_error(verb: str, error: Exception) -> str:
    """What to tell of an error of ours, or of Hydra's and OmegaConf's, that a verb was given cause for."""
    if isinstance(error, SdaError):
        return find_cause(error)
    if isinstance(error, OverrideParseException):
        reason = str(error.message).splitlines()[0]
        return f"{error.override} is not understood ({reason}). Quote a value with special signs: \"key='any text'\""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        return explain_choice(error.missing_cfg_file, error.options)
    return explain_composition(verb, error)


def fail(message: str) -> NoReturn:
    """Say what went wrong, and end with exit code 1."""
    print_to_stderr([f"error: {message}"])
    sys.exit(EXIT_ERROR)


def print_to_stderr(lines: Sequence[str]) -> None:
    """Say what is no part of a verb's output."""
    for line in lines:
        print(make_lines_printable(line), file=sys.stderr, flush=True)
