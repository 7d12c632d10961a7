"""Planning a run: from a composed configuration to everything that is settled before training; without torch."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sda.config.environment import describe_environment
from sda.config.model import ModelName, refuse_keys_of_others
from sda.config.plain import escape
from sda.config.provenance import Choice, explain_choices
from sda.config.running import TrackingBackend
from sda.config.schema import TrainRunConfig
from sda.data.cache import SoundCache
from sda.data.groups import Groups
from sda.data.scanned import Scan, count_between
from sda.data.split import Segment, Split
from sda.errors import ConfigError, DataError
from sda.roots import keep_out_of, settle_roots
from sda.runs.folder import find_model, find_other_content, is_begun
from sda.runs.prepare_data import find_notices, prepare_data
from sda.runs.sweep_folder import identify
from sda.shell import name_command
from sda.tracking.delivery_state import resolve_uri
from sda.training.checkpoint import Checkpoint
from sda.training.config import SHORTEST_CHUNK_S


@dataclass(frozen=True)
class Plan:
    """A run, settled: what `sda.app.train` builds from."""

    config: TrainRunConfig
    resolved: dict[str, Any]
    """The same as plain values, for checkpoints and tracking."""
    run_dir: Path
    scan: Scan
    groups: Groups
    split: Split
    choices: list[Choice]
    notices: list[str] = field(default_factory=list)
    """What was adjusted, in words."""
    checkpoint: Checkpoint | None = None
    """Where to go on from, be it the run's very start; `None` for a new run."""
    sweep_dir: Path | None = None
    overrides: list[str] = field(default_factory=list)
    """What was given on the command line, such as `preset=conservative`."""
    identity: str = ""
    """What makes the run a sweep's job, see `identify`: of what was asked for, not of what a machine has time for."""

    @property
    def is_takeover(self) -> bool:
        """Whether another installation's run goes on here."""
        return self.checkpoint is not None and not self.checkpoint.folder.is_relative_to(self.run_dir)


def plan_run(
    composed: DictConfig, run_dir: Path, overrides: list[str], preset_choice: str, sweep_dir: Path | None
) -> Plan:
    """Settle a new run.

    Args:
        composed: the composed configuration, its interpolations unresolved.
        overrides: what was given on the command line, such as `preset=conservative`.
        preset_choice: the option chosen in the group `preset`.
        sweep_dir: the sweep that the run is part of.

    Raises:
        ConfigError: a value is missing or out of range.
        DataError: the sounds cannot be used as asked.
    """
    refuse_taken(run_dir)
    is_left = {key: OmegaConf.is_interpolation(composed.tracking, key) for key in ("uri", "experiment")}
    plan = foresee_run(composed, run_dir, overrides, preset_choice, sweep_dir)
    tracking = plan.config.tracking
    if tracking.backend is TrackingBackend.none:
        return plan
    named = describe_environment(
        tracking.uri, tracking.experiment, is_uri_left=is_left["uri"], is_experiment_left=is_left["experiment"]
    )
    return replace(plan, notices=[*plan.notices, *named])


def foresee_run(
    composed: DictConfig, run_dir: Path, overrides: list[str], preset_choice: str, sweep_dir: Path | None = None
) -> Plan:
    """What `plan_run` settles, wherever the run would lie, and whatever lies there.

    Raises:
        ConfigError, DataError: as `plan_run`.
    """
    given_keys = frozenset(list_keys(overrides))
    if OmegaConf.is_missing(composed.data, "root"):
        raise ConfigError(
            f"data.root is not set. Give the folder with your sounds: {name_command('train')} data.root=~/sounds"
        )
    if preset_choice != "auto" and OmegaConf.is_interpolation(composed.preset, "name"):
        OmegaConf.update(composed, "preset.name", preset_choice)  # a preset of the user's that gives itself no name
    # From here on, paths mean the same wherever the run is continued from.
    OmegaConf.update(composed, "data.root", escape(settle_roots(composed.data.root)))
    if composed.data.cache_dir:
        OmegaConf.update(composed, "data.cache_dir", str(SoundCache(composed.data.cache_dir).folder))
    OmegaConf.update(composed, "tracking.uri", resolve_uri(composed.tracking.uri))
    if composed.init_from:
        OmegaConf.update(composed, "init_from", str(find_model(composed.init_from)))
    config = to_schema(composed)
    refuse_keys_of_others(config.model)
    refuse_pieces(config)
    refuse_two_lengths(config, given_keys)
    keep_out_of(config.data.root, list_places(run_dir, config.tracking.uri))
    scan, groups, split = prepare_data(config)
    choices = explain_choices(composed, given_keys, preset_choice)
    notices = find_notices(config, scan, groups)
    if config.init_from:
        notices.append(
            f"begins with the weights of {config.init_from}: what it heard before is not searched for replays"
        )
    longest_s = max(file.measured.sound_end_s for file in scan.usable)
    if longest_s < config.training.chunk_duration_s:
        shorter_s = max(SHORTEST_CHUNK_S, math.ceil(100 * longest_s) / 100)
        notices.append(
            f"chunk_duration_s lowered from {config.training.chunk_duration_s:g} to {shorter_s:g} s: the longest sound "
            f"has {longest_s:.2f} s"
        )
        OmegaConf.update(composed, "training.chunk_duration_s", shorter_s)
        config.training.chunk_duration_s = shorter_s
    n_train_chunks = count_chunks(split.train, scan, config.training.chunk_duration_s)
    if config.training.batch_size > n_train_chunks:
        if "training.batch_size" in given_keys:
            raise DataError(
                f"training.batch_size={config.training.batch_size} is larger than the data: there are {n_train_chunks} "
                f"training chunks. Use training.batch_size={max(1, n_train_chunks // 4)} or fewer, or add sounds."
            )
        notices.append(f"batch_size lowered to {n_train_chunks}: that is all the training chunks there are")
        OmegaConf.update(composed, "training.batch_size", n_train_chunks)
        config.training.batch_size = n_train_chunks
    return Plan(
        config,
        resolved := resolve(composed),
        run_dir,
        scan,
        groups,
        split,
        choices,
        notices,
        None,
        sweep_dir,
        overrides,
        identify(resolved, scan.fingerprint),
    )


def list_keys(overrides: Sequence[str]) -> list[str]:
    """The keys of overrides.

    >>> list_keys(["preset=balanced", "+data.fold=1"])
    ['preset', 'data.fold']
    """
    return [override.partition("=")[0].lstrip("+~") for override in overrides]


def to_schema(composed: DictConfig) -> TrainRunConfig:
    """Resolve and check a configuration.

    Raises:
        ConfigError: with the full key, what was received and what is allowed.
    """
    try:
        config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key or 'the configuration'}: {error.msg or error}") from error
    assert isinstance(config, TrainRunConfig)
    return config


def resolve(composed: DictConfig) -> dict[str, Any]:
    """A configuration as plain values, its interpolations resolved."""
    resolved = OmegaConf.to_container(composed, resolve=True, enum_to_str=True)
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def refuse_two_lengths(config: TrainRunConfig, given_keys: Collection[str]) -> None:
    """Refuse epochs that are given beside a time.

    Raises:
        ConfigError: they are.
    """
    minutes = config.training.minutes
    if minutes and "training.max_epochs" in given_keys:
        raise ConfigError(
            f"training.minutes={minutes:g} plans its own epochs, so that training.max_epochs has no say. Give one of "
            "them; training.minutes=0 sets no limit."
        )


def refuse_pieces(config: TrainRunConfig) -> None:
    """Refuse pieces of chunks for a network that takes in a chunk as one.

    Raises:
        ConfigError: it would be given some.
    """
    name = config.model.name
    if name is not ModelName.spectral_vae and config.crop_samples != config.chunk_samples:
        raise ConfigError(
            f"training.crop_fraction={config.training.crop_fraction:g} is for model=spectral_vae: {name.value} takes "
            "in whole chunks. Leave it out, or choose model=spectral_vae."
        )


def refuse_taken(run_dir: Path) -> None:
    """Refuse a folder for a new run that holds one, or anything else: it would be replaced, or a link be followed."""
    if is_begun(run_dir):
        raise ConfigError(
            f"hydra.run.dir={run_dir} holds a run already. Continue it with resume=, or give another folder."
        )
    other = find_other_content(run_dir)
    if other:
        raise ConfigError(f"hydra.run.dir={run_dir} is no empty folder: {other}. Give a new or an empty one.")


def list_places(run_dir: Path, tracking_uri: str) -> dict[str, Path]:
    """Where a run writes, by the key that says so."""
    database = tracking_uri.removeprefix("sqlite:///")
    return {"hydra.run.dir": run_dir, **({} if database == tracking_uri else {"tracking.uri": Path(database)})}


def count_chunks(segments: Iterable[Segment], scan: Scan, chunk_duration_s: float) -> int:
    """Chunks on the grid that training walks, from the first sound of each segment to its last."""
    measured = {file.path: file.measured for file in scan.usable}
    return sum(
        count_between(
            max(segment.start_s, measured[segment.path].sound_start_s),
            min(measured[segment.path].sound_end_s, math.inf if segment.end_s is None else segment.end_s),
            chunk_duration_s,
            segment.start_s,
        )
        for segment in segments
    )
