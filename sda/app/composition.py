"""Guarding composition: a file may decide the training, never what Hydra runs, nor where anything is kept or sent.

Hydra makes its launchers, sweepers, callbacks and log handlers by the names that a composition gives them, so that an
experiment file that sets `hydra.callbacks` would be a program. Everything below `hydra` comes from this project's
`conf/hydra` and from the command line; of other files only their choice among those launchers and searches is taken.
"""

from collections.abc import Collection, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.errors import ConfigError
from sda.report.explanation import explain_choice
from sda.roots import keep_out_of

_OF_THIS_COMPOSITION = ("overrides", "runtime", "job.override_dirname")
"""Keys below `hydra` that say how a configuration was composed; the first is looked at by itself."""
_PLACES = tuple(key for key, traits in list_traits(TrainRunConfig).items() if traits.is_place)
"""Keys that say where things are sent or kept: the command line's, or a file's that was chosen by name for that."""


def guard_composition(config_dir: Path) -> None:
    """Let every configuration that Hydra loads, a sweep's jobs included, be held against what files may decide.

    Hydra has no hook between composing and making what was composed, so that its loader is wrapped.

    Args:
        config_dir: this project's `conf`.
    """
    load = ConfigLoaderImpl.load_configuration
    if hasattr(load, "__wrapped__"):
        return

    @wraps(load)
    def load_guarded(
        self: ConfigLoaderImpl, config_name: str | None, overrides: list[str], run_mode: RunMode, **options: Any
    ) -> DictConfig:
        try:
            composed = load(self, config_name, overrides, run_mode, **options)
        except (AttributeError, TypeError, KeyError) as error:  # Hydra's own, of a file that sets hydra to nothing
            raise ConfigError(f"a configuration file cannot be composed ({type(error).__name__}: {error}).") from error
        if _reads_other_files(composed, config_dir):
            _refuse_other_arguments(composed, overrides)
            trusted = ConfigLoaderImpl(_search_only(config_dir))
            given = [*_choose_as(composed, overrides, config_dir), *filter(_is_of_hydra, overrides)]
            options = {"from_shell": False, "validate_sweep_overrides": False}
            _refuse_program(composed, load(trusted, config_name, given, RunMode.RUN, **options), overrides)
            places = [*given, *(override for override in overrides if _is_of_places(override, config_dir))]
            _refuse_places(composed, load(trusted, config_name, places, RunMode.RUN, **options))
        return composed

    setattr(ConfigLoaderImpl, load.__name__, load_guarded)


def _reads_other_files(composed: DictConfig, config_dir: Path) -> bool:
    """Whether anything was composed from a file that is not one of the verbs' own or in `conf/hydra`."""
    for group, choice in composed.hydra.runtime.choices.items():
        if choice in (None, "null") or str(group).startswith("hydra/"):
            continue
        if not _is_known(str(group), str(choice), config_dir) or (config_dir / group / f"{choice}.yaml").exists():
            return True
    sources = [source for source in composed.hydra.runtime.config_sources if source.schema == "file"]
    return any(Path(source.path) != config_dir for source in sources)


def _search_only(config_dir: Path) -> ConfigSearchPathImpl:
    """The places of Hydra's own configurations and this project's, without any that were added."""
    search_path = ConfigSearchPathImpl()
    search_path.append("hydra", "pkg://hydra.conf")
    search_path.append("main", f"file://{config_dir}")
    search_path.append("schema", "structured://")
    return search_path


def _choose_as(composed: DictConfig, overrides: Sequence[str], config_dir: Path) -> list[str]:
    """The launcher and the like that were chosen, by files too, as overrides; what was given is left to that.

    A name that is none of `conf/hydra` is left out: with `..` in it, it could lead to any file.
    """
    given = {_name_key(override) for override in overrides}
    choices = composed.hydra.runtime.choices.items()
    return [
        f"{group}={choice}"
        for group, choice in choices
        if str(group).startswith(("hydra/launcher", "hydra/sweeper"))
        and group not in given
        and _is_known(str(group), str(choice), config_dir)
    ]


def _is_known(group: str, choice: str, config_dir: Path) -> bool:
    """Whether a choice is a plain name of a file in this project's `conf`, or of what is stored."""
    stored: Any = ConfigStore.instance().repo
    for part in group.split("/"):
        stored = stored.get(part, {}) if isinstance(stored, dict) else {}
    is_plain = choice.replace("_", "").replace("-", "").isalnum()
    return is_plain and (f"{choice}.yaml" in stored or (config_dir / group / f"{choice}.yaml").is_file())


def _name_key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _is_of_hydra(override: str) -> bool:
    key = _name_key(override)
    return key.startswith(("hydra/", "hydra.")) and key != "hydra.searchpath"


def _is_of_places(override: str, config_dir: Path) -> bool:
    """Whether an override gives one of the places, or names a file of this project's `conf/tracking` for that."""
    key, _, value = override.partition("=")
    return _name_key(override) in _PLACES or (key == "tracking" and _is_known("tracking", value, config_dir))


def _refuse_other_arguments(composed: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse what a file wrote where Hydra notes the arguments: a sweep's jobs would take it for them.

    Raises:
        ConfigError: it did.
    """
    noted = [*composed.hydra.overrides.hydra, *composed.hydra.overrides.task]
    if sorted(noted) != sorted(overrides):
        others = ", ".join(str(one) for one in noted if one not in overrides)
        raise ConfigError(f"hydra.overrides is set by a configuration file ({others}). Give arguments as arguments.")


def _refuse_program(composed: DictConfig, known: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse what differs below `hydra` from a composition without other files.

    Raises:
        ConfigError: with the key that a file sets.
    """
    exempt = {"searchpath"} if any(_name_key(one) == "hydra.searchpath" for one in overrides) else set()
    key = _find_difference(_list_decisive(composed, exempt), _list_decisive(known, exempt))
    if key:
        raise ConfigError(
            f"hydra.{key} is set by a configuration file. What Hydra runs is chosen on the command line and in "
            "conf/hydra alone, as such a file would be a program: take it out of the file, or give it as an argument."
        )


def _refuse_places(composed: DictConfig, known: DictConfig) -> None:
    """Refuse a place that differs from a composition without other files.

    Raises:
        ConfigError: with the key that a file sets.
    """
    theirs, ours = (OmegaConf.to_container(one, resolve=False) for one in (composed, known))
    for place in _PLACES:
        value = _select(theirs, place)
        if value != _select(ours, place):
            raise ConfigError(
                f"{place}={value} is set by a configuration file. Where runs are sent and sounds are kept is yours to "
                f"say: give {place} as an argument."
            )


def _list_decisive(composed: DictConfig, exempt: Collection[str]) -> dict[str, Any]:
    values = OmegaConf.to_container(composed.hydra, resolve=False)
    assert isinstance(values, dict)
    for key in (*_OF_THIS_COMPOSITION, *exempt):
        *parents, last = key.split(".")
        _select(values, ".".join(parents)).pop(last, None)
    return {str(key): value for key, value in values.items()}


def _select(values: Any, key: str) -> Any:
    for part in key.split(".") if key else []:
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _find_difference(these: Any, those: Any, prefix: str = "") -> str:
    """The first key in which nested values differ; empty where none does.

    >>> _find_difference({"run": {"dir": "a"}}, {"run": {"dir": "b"}}), _find_difference([1], [1])
    ('run.dir', '')
    """
    if not (isinstance(these, dict) and isinstance(those, dict)):
        return "" if these == those else prefix
    for key in dict.fromkeys([*these, *those]):
        inner = f"{prefix}.{key}".lstrip(".")
        found = _find_difference(these.get(key), those.get(key), inner)
        if found:
            return found
    return ""


def check_swept_choices(composed: DictConfig) -> None:
    """Refuse a sweep over a name that its group does not have, which a search would meet only when it comes to it.

    Raises:
        ConfigError: with the names that there are.
    """
    loader = GlobalHydra.instance().config_loader()
    for override in _parse_swept(composed):
        options = loader.get_group_options(override.key_or_group)
        if not options or not override.is_choice_sweep():
            continue
        for value in override.sweep_string_iterator():
            for name in value.strip("[]").split(","):
                if name not in options:
                    raise ConfigError(explain_choice(f"{override.key_or_group}/{name}", options))


def _parse_swept(composed: DictConfig) -> list[Override]:
    own = composed.hydra.sweeper.get("params") or {}  # what a search may be told beside the command line
    given = [*composed.hydra.overrides.task, *(f"{key}={value}" for key, value in own.items())]
    return OverridesParser.create(config_loader=GlobalHydra.instance().config_loader()).parse_overrides(given)


def keep_out_of_sounds(composed: DictConfig, key: str, place: Path) -> None:
    """Refuse a place among the sounds before anything is made there.

    Raises:
        ConfigError: it lies there.
    """
    try:
        roots = [OmegaConf.select(composed, "data.root", throw_on_missing=False)]
    except OmegaConfBaseException:  # planning says what is wrong with it
        roots = []
    swept = [one for one in _parse_swept(composed) if one.key_or_group == "data.root" and one.is_choice_sweep()]
    roots += [getattr(value, "text", value) for override in swept for value in override.sweep_iterator()]
    for root in roots:
        if root:
            keep_out_of(str(root), {key: place})
