"""What a configuration file may decide: the training, never what Hydra runs, nor where anything is kept or sent.

Hydra makes its launchers, sweepers, callbacks and log handlers by the names that a composition gives them, so that an
experiment file that sets `hydra.callbacks` would be a program. Everything below `hydra` comes from this project's
`conf/hydra` and from the command line; of other files only their choice among those launchers and searches is taken.
"""

from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.config_store import ConfigStore
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sda.errors import ConfigError

_OF_THIS_COMPOSITION = ("overrides", "runtime", "searchpath", "job.override_dirname")
"""Keys below `hydra` that say how a configuration was composed, or are looked at before anything is."""
_PLACES = ("tracking.uri", "data.cache_dir")
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
        composed = load(self, config_name, overrides, run_mode, **options)
        if OmegaConf.select(composed, "hydra.runtime.choices") is not None and _reads_other_files(composed, config_dir):
            trusted = ConfigLoaderImpl(_search_only(config_dir))
            kept = [*_choose_as(composed, overrides), *(given for given in overrides if _is_trusted(given))]
            known = load(trusted, config_name, kept, RunMode.RUN, from_shell=False, validate_sweep_overrides=False)
            _refuse(composed, known, overrides)
        return composed

    setattr(ConfigLoaderImpl, load.__name__, load_guarded)


def _reads_other_files(composed: DictConfig, config_dir: Path) -> bool:
    """Whether anything was composed from a file that is not one of the verbs' own or in `conf/hydra`."""
    stored = ConfigStore.instance().repo
    for group, choice in composed.hydra.runtime.choices.items():
        if choice in (None, "null") or str(group).startswith("hydra/"):
            continue
        if f"{choice}.yaml" not in stored.get(group, {}) or (config_dir / group / f"{choice}.yaml").exists():
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


def _choose_as(composed: DictConfig, overrides: Sequence[str]) -> list[str]:
    """The launcher and the like that were chosen, by files too, as overrides; what was given is left to that."""
    given = {override.lstrip("+~").partition("=")[0] for override in overrides}
    choices = composed.hydra.runtime.choices.items()
    return [
        f"{group}={choice}"
        for group, choice in choices
        if str(group).startswith(("hydra/launcher", "hydra/sweeper")) and group not in given
    ]


def _is_trusted(override: str) -> bool:
    """Whether an override is about Hydra, or sets one of the places."""
    key = override.lstrip("+~").partition("=")[0]
    return (key.startswith(("hydra/", "hydra.")) and key != "hydra.searchpath") or key in _PLACES


def _refuse(composed: DictConfig, known: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse what differs from a composition without other files.

    Raises:
        ConfigError: with the key that a file sets.
    """
    key = _find_difference(_list_decisive(composed), _list_decisive(known))
    if key:
        raise ConfigError(
            f"hydra.{key} is set by a configuration file. What Hydra runs is chosen on the command line and in "
            "conf/hydra alone, as such a file would be a program: take it out of the file, or give it as an argument."
        )
    named = {override.partition("=")[0] for override in overrides}
    for place in _PLACES:
        if OmegaConf.select(known, place, throw_on_missing=False) is None or place.partition(".")[0] in named:
            continue  # another verb's, or a file in conf/tracking that was chosen by name
        theirs, ours = (OmegaConf.to_container(one, resolve=False) for one in (composed, known))
        value = _select(theirs, place)
        if value != _select(ours, place):
            raise ConfigError(
                f"{place}={value} is set by a configuration file. Where runs are sent and sounds are kept is yours to "
                f"say: give {place} as an argument."
            )


def _list_decisive(composed: DictConfig) -> dict[str, Any]:
    values = OmegaConf.to_container(composed.hydra, resolve=False)
    assert isinstance(values, dict)
    for key in _OF_THIS_COMPOSITION:
        *parents, last = key.split(".")
        _select(values, ".".join(parents)).pop(last, None)
    return {str(key): value for key, value in values.items()}


def _select(values: Any, key: str) -> Any:
    for part in key.split(".") if key else []:
        values = values[part]
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
