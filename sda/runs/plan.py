"""From a composed configuration to everything that is settled before training; nothing here imports torch."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sda.runs.continuation import open_continuation
from sda.runs.folder import SWEEP, find_other_content, find_run, is_begun, read_overrides, read_summary
from sda.runs.prepare_data import find_notices, survey_folder
from sda.tracking.delivery_state import resolve_uri
from sda.config.model import refuse_keys_of_others
from sda.config.plain import compose_plain, escape
from sda.config.provenance import Choice, explain_choices
from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.data.cache import SoundCache
from sda.data.groups import Groups
from sda.data.scan import Scan, count_between
from sda.data.split import Segment, Split, split_from_facts
from sda.errors import CheckpointError, ConfigError, DataError
from sda.places import lies_in
from sda.seal import SWEEP as SEALED_AS
from sda.seal import is_own
from sda.training.checkpoint import Checkpoint
from sda.training.config import SHORTEST_CHUNK_S

_TRAITS = list_traits(TrainRunConfig)
RESUMABLE_KEYS = tuple(key for key, traits in _TRAITS.items() if traits.resumable)
"""Keys that may be given with `resume`: they change how long and where a run goes on, not what it learns."""

_KEYS_OF_TRACKING = tuple(key for key in _TRAITS if key.split(".")[0] == "tracking" and key not in RESUMABLE_KEYS)
"""Keys that may be given beside those where another installation's run goes on here."""


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

    @property
    def is_takeover(self) -> bool:
        """Whether another installation's run goes on here."""
        return self.checkpoint is not None and not self.checkpoint.folder.is_relative_to(self.run_dir)

    @property
    def usable_paths(self) -> list[str]:
        """Files that are trained on or held out."""
        return [file.path for file in self.scan.usable]


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
    _refuse_taken(run_dir)
    return foresee_run(composed, run_dir, overrides, preset_choice, sweep_dir)


def foresee_run(
    composed: DictConfig, run_dir: Path, overrides: list[str], preset_choice: str, sweep_dir: Path | None = None
) -> Plan:
    """What `plan_run` settles, wherever the run would lie, and whatever lies there.

    Raises:
        ConfigError, DataError: as `plan_run`.
    """
    given_keys = frozenset(list_keys(overrides))
    if OmegaConf.is_missing(composed.data, "root"):
        raise ConfigError("data.root is not set. Give the folder with your sounds: python train.py data.root=~/sounds")
    # From here on, paths mean the same wherever the run is continued from.
    OmegaConf.update(composed, "data.root", str(Path(composed.data.root).expanduser().absolute()))
    if composed.data.cache_dir:
        OmegaConf.update(composed, "data.cache_dir", str(SoundCache(composed.data.cache_dir).folder))
    OmegaConf.update(composed, "tracking.uri", resolve_uri(composed.tracking.uri))
    config = to_schema(composed)
    refuse_keys_of_others(config.model)
    keep_out_of(config.data.root, _list_places(run_dir, config.tracking.uri))
    scan, groups, split = survey_folder(config)
    choices = explain_choices(composed, given_keys, preset_choice)
    notices = find_notices(config, scan, groups)
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
        _resolve(composed),
        run_dir,
        scan,
        groups,
        split,
        choices,
        notices,
        None,
        sweep_dir,
        overrides,
    )


def plan_resume(
    name: str, overrides: dict[str, Any], yours: DictConfig | None = None, here: Path | None = None
) -> Plan:
    """Settle the continuation of a run from its newest whole checkpoint, or from its start where it was never saved.

    A run that another installation began is data: it goes on in a folder of the user's own, as a run of its own, and
    with the user's places for sounds, decoded sound and tracking.

    Args:
        name: the run, as `find_run` takes it.
        overrides: keys given beside `resume`.
        yours: the composed configuration, for the user's places.
        here: folder for the continuation of another's run.

    Raises:
        CheckpointError: it is no run, or has no usable checkpoint, or it is another's and has nowhere to go on.
        ConfigError: a key is given that would make it another run.
        DataError: the sounds are not those it was trained on.
    """
    run_dir = find_run(name)
    checkpoint, damaged = open_continuation(run_dir)
    is_takeover = not is_own(run_dir)
    if not is_takeover and not checkpoint.is_own:
        raise CheckpointError(
            f"{checkpoint.folder} was saved by another installation, in a run that was begun here. Remove it to go on "
            "from the one before it, or copy the run elsewhere and continue it from there as another's."
        )
    refused = sorted(
        key for key in overrides if key not in RESUMABLE_KEYS and not (is_takeover and key in _KEYS_OF_TRACKING)
    )
    if refused:
        raise ConfigError(
            f"{', '.join(refused)} cannot change when a run is continued; these can: {', '.join(RESUMABLE_KEYS)}. "
            "To change anything else, start a new run."
        )
    composed = compose_plain(checkpoint.config, checkpoint.folder)
    if is_takeover:
        run_dir = _take_places(composed, run_dir, overrides, yours, here)
    for key, value in overrides.items():
        OmegaConf.update(composed, key, escape(value))
    config = to_schema(composed)
    is_over = not is_takeover and read_summary(run_dir)["status"] == "finished"
    if is_over and checkpoint.progress["epoch"] >= config.training.max_epochs:
        raise ConfigError(
            f"{run_dir} is finished: it trained {checkpoint.progress['epoch']} epochs. "
            f"To train on, give more: training.max_epochs={2 * config.training.max_epochs}."
        )
    scan, groups, _ = survey_folder(config)
    try:
        split, choices = _read_facts(checkpoint, scan, overrides)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{checkpoint.folder} does not say what the run was trained on ({type(error).__name__}: {error})."
        ) from error
    notices = [f"damaged checkpoint passed over: {message}" for message in damaged]
    if is_takeover:
        notices.append(f"{checkpoint.folder} is another installation's: it goes on here as a run of your own")
    if not checkpoint.is_start:
        return Plan(config, _resolve(composed), run_dir, scan, groups, split, choices, notices, checkpoint)
    notices.append("it was stopped before anything was saved: it is begun again, with the configuration it had")
    is_job = (run_dir.parent / SWEEP).is_file() and is_own(run_dir.parent, SEALED_AS)
    sweep_dir = run_dir.parent if is_job else None
    given = read_overrides(run_dir)
    return Plan(
        config, _resolve(composed), run_dir, scan, groups, split, choices, notices, checkpoint, sweep_dir, given
    )


def _read_facts(checkpoint: Checkpoint, scan: Scan, overrides: dict[str, Any]) -> tuple[Split, list[Choice]]:
    """What a checkpoint says of split and choices, for the sounds as they lie now."""
    known = {str(path): str(sha256) for path, sha256 in checkpoint.facts["files"].items()}
    hash_of = {file.path: file.sha256 for file in scan.usable}
    _check_unchanged(hash_of, known)
    # The split is the one that was trained with; files may have been moved and renamed since.
    split = split_from_facts(checkpoint.facts["split"], _match_by_content(known, hash_of))
    choices = [
        Choice(str(one["key"]), float(one["value"]), str(one["layer"]), str(one["reason"]))
        for one in checkpoint.facts["choices"]
    ]
    return split, [
        Choice(choice.key, overrides[choice.key], "yours", "yours, on resuming") if choice.key in overrides else choice
        for choice in choices
    ]


def _take_places(
    composed: DictConfig, theirs: Path, overrides: dict[str, Any], yours: DictConfig | None, here: Path | None
) -> Path:
    """Put the user's own places into another's configuration; gives the folder where its run goes on."""
    if yours is None or here is None:
        raise CheckpointError(f"{theirs} was begun by another installation and cannot go on in its place.")
    if "data.root" not in overrides:
        raise ConfigError(
            f"{theirs} was not begun by this installation (another user's or machine's, or older than seals are), and "
            f"where its sounds lie here is for you to say: python train.py resume={theirs} data.root=~/sounds"
        )
    _refuse_taken(here)
    root = str(Path(str(overrides["data.root"])).expanduser().absolute())
    uri = resolve_uri(str(yours.tracking.uri))
    overrides["data.root"] = root
    OmegaConf.update(composed, "data.cache_dir", escape(str(SoundCache(yours.data.cache_dir).folder)))
    OmegaConf.update(composed, "data.cache_max_gb", yours.data.cache_max_gb)
    for key in ("backend", "experiment", "close_timeout_s"):
        OmegaConf.update(composed, f"tracking.{key}", escape(yours.tracking[key]))
    OmegaConf.update(composed, "tracking.uri", escape(uri))
    for key in _KEYS_OF_TRACKING:
        overrides.pop(key, None)  # composed with all the rest of them
    keep_out_of(root, _list_places(here, uri))
    return here


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


def _resolve(composed: DictConfig) -> dict[str, Any]:
    """A configuration as plain values, its interpolations resolved."""
    resolved = OmegaConf.to_container(composed, resolve=True, enum_to_str=True)
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def _match_by_content(known: dict[str, str], hash_of: dict[str, str]) -> dict[str, str]:
    """Where each known file lies now: under its own path, or under another with the same sound."""
    free = {sha256: [path for path in sorted(hash_of) if hash_of[path] == sha256] for sha256 in known.values()}
    now = {path: path for path, sha256 in known.items() if hash_of.get(path) == sha256}
    for path in now:
        free[known[path]].remove(path)
    return now | {path: free[sha256].pop(0) for path, sha256 in known.items() if path not in now}


def _refuse_taken(run_dir: Path) -> None:
    """Refuse a folder for a new run that holds one, or anything else: it would be replaced, or a link be followed."""
    if is_begun(run_dir):
        raise ConfigError(
            f"hydra.run.dir={run_dir} holds a run already. Continue it with resume=, or give another folder."
        )
    other = find_other_content(run_dir)
    if other:
        raise ConfigError(f"hydra.run.dir={run_dir} is no empty folder: {other}. Give a new or an empty one.")


def keep_out_of(root: str, places: dict[str, Path]) -> None:
    """Refuse to write below the user's sounds, whatever links lead there.

    Args:
        places: by the key that they were given as.

    Raises:
        ConfigError: one lies there.
    """
    for key, place in places.items():
        if lies_in(place, Path(root).expanduser()):
            raise ConfigError(
                f"{key}={place} lies inside data.root={root}, which is never written to. "
                f"Start from another folder, or give {key}."
            )


def _list_places(run_dir: Path, tracking_uri: str) -> dict[str, Path]:
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


def _check_unchanged(now: dict[str, str], known: dict[str, str]) -> None:
    """Refuse to continue on other sounds than before, by content; moved and renamed files are fine."""
    if sorted(now.values()) == sorted(known.values()):
        return
    gone = sorted(Path(path).name for path, sha in known.items() if sha not in now.values())
    new = sorted(Path(path).name for path, sha in now.items() if sha not in known.values())
    changes = [
        f"{words}: {', '.join(names[:5])}" for words, names in (("missing or changed", gone), ("new", new)) if names
    ]
    changes = changes or [f"{len(known)} files then, {len(now)} now: a copy was added or taken away"]
    raise DataError(
        f"the sounds are not those that the run was trained on ({'; '.join(changes)}). "
        "Put them back, or start a new run."
    )
