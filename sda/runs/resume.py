"""Planning a continuation: from a checkpoint to everything that is settled before training; without torch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sda.config.plain import compose_plain, escape
from sda.config.provenance import Choice
from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.data.cache import SoundCache
from sda.data.scanned import Scan
from sda.data.split import Split, split_from_facts
from sda.errors import CheckpointError, ConfigError, DataError
from sda.roots import describe_roots, keep_out_of, settle_roots, split_roots
from sda.runs.continuation import open_continuation
from sda.runs.folder import IDENTITY, SWEEP, find_run, read_overrides, read_summary
from sda.runs.moved_sounds import match_by_content
from sda.runs.plan import Plan, list_places, refuse_taken, refuse_two_lengths, resolve, to_schema
from sda.runs.prepare_data import prepare_data
from sda.runs.sweep_folder import identify
from sda.seal import SWEEP as SEALED_AS
from sda.seal import is_own
from sda.shell import name_command
from sda.tracking.delivery_state import resolve_uri
from sda.training.checkpoint import Checkpoint

_TRAITS = list_traits(TrainRunConfig)
RESUMABLE_KEYS = tuple(key for key, traits in _TRAITS.items() if traits.resumable)
"""Keys that may be given with `resume`: they change how long and where a run goes on, not what it learns."""

_DECISIVE = {key for key, traits in _TRAITS.items() if traits.decides}
"""Keys that make a run another job of a sweep."""

_KEYS_OF_TRACKING = tuple(key for key in _TRAITS if key.split(".")[0] == "tracking" and key not in RESUMABLE_KEYS)
"""Keys that may be given beside those where another installation's run goes on here."""


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
    _refuse_what_cannot_change(checkpoint, overrides, is_takeover=is_takeover)
    if "data.root" in overrides:
        overrides["data.root"] = settle_roots(str(overrides["data.root"]))
    composed = compose_plain(checkpoint.config, checkpoint.folder)
    if is_takeover:
        run_dir = _take_places(composed, run_dir, overrides, yours, here)
    minutes_before = float(composed.training.minutes)
    for key, value in overrides.items():
        OmegaConf.update(composed, key, escape(value))
    config = to_schema(composed)
    refuse_two_lengths(config, overrides)
    if not is_takeover:
        _refuse_nothing_to_do(run_dir, checkpoint, config, minutes_before)
    folders = split_roots(config.data.root)
    gone = [folder for folder in folders if not Path(folder).is_dir()]
    if gone and "data.root" not in overrides:
        where = "where to: data.root=FOLDER" if len(folders) == 1 else "where all of them lie now: 'data.root=[A,B]'"
        raise DataError(
            f"the sounds of {run_dir} are not where they were, in {describe_roots(gone)}. If they have moved, say "
            f"{where}."
        )
    scan, groups, _ = prepare_data(config)
    try:
        split, choices = _read_facts(checkpoint, scan, overrides)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{checkpoint.folder} does not say what the run was trained on ({type(error).__name__}: {error})."
        ) from error
    notices = [f"damaged checkpoint passed over: {message}" for message in damaged]
    if is_takeover:
        notices.append(f"{checkpoint.folder} is another installation's: it goes on here as a run of your own")
    resolved = resolve(composed)
    identity = "" if is_takeover or _DECISIVE & set(overrides) else str(read_summary(run_dir).get(IDENTITY) or "")
    identity = identity or identify(resolved, scan.fingerprint)
    plan = Plan(config, resolved, run_dir, scan, groups, split, choices, notices, checkpoint, None, [], identity)
    if not checkpoint.is_start:
        return plan
    notices.append("it was stopped before anything was saved: it is begun again, with the configuration it had")
    is_job = (run_dir.parent / SWEEP).is_file() and is_own(run_dir.parent, SEALED_AS)
    return replace(plan, sweep_dir=run_dir.parent if is_job else None, overrides=read_overrides(run_dir))


def _refuse_what_cannot_change(checkpoint: Checkpoint, overrides: dict[str, Any], *, is_takeover: bool) -> None:
    """Refuse a checkpoint that came into a run of the user's own, and keys that would make it another run."""
    if not is_takeover and not checkpoint.is_own:
        raise CheckpointError(
            f"{checkpoint.folder} was saved by another installation, in a run that was begun here. Remove it to go on "
            "from the one before it, or copy the run elsewhere and continue it from there as another's."
        )
    allowed = (*RESUMABLE_KEYS, *_KEYS_OF_TRACKING) if is_takeover else RESUMABLE_KEYS
    refused = sorted(key for key in overrides if key not in allowed)
    if refused:
        raise ConfigError(
            f"{', '.join(refused)} cannot change when a run is continued; these can: {', '.join(RESUMABLE_KEYS)}. "
            "To change anything else, start a new run."
        )


def _refuse_nothing_to_do(run_dir: Path, checkpoint: Checkpoint, config: TrainRunConfig, minutes_before: float) -> None:
    """Refuse a run that is finished, unless it is given more epochs, or more time."""
    if read_summary(run_dir)["status"] != "finished":
        return
    training = config.training
    if training.minutes:
        is_more = training.minutes > minutes_before
        more = f"training.minutes={2 * max(training.minutes, minutes_before):g}"
    else:
        is_more = training.max_epochs > checkpoint.progress["epoch"]
        more = f"training.max_epochs={2 * training.max_epochs}"
    if not is_more:
        raise ConfigError(
            f"{run_dir} is finished: it trained {checkpoint.progress['epoch']} epochs. To train on, give more: {more}."
        )


def _read_facts(checkpoint: Checkpoint, scan: Scan, overrides: dict[str, Any]) -> tuple[Split, list[Choice]]:
    """What a checkpoint says of split and choices, for the sounds as they lie now."""
    known = {str(path): str(sha256) for path, sha256 in checkpoint.facts["files"].items()}
    hash_of = {file.path: file.sha256 for file in scan.usable}
    _check_unchanged(hash_of, known)
    # The split is the one that was trained with; files may have been moved and renamed since.
    split = split_from_facts(checkpoint.facts["split"], match_by_content(known, hash_of))
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
            f"where its sounds lie here is for you to say: {name_command('train')} resume={theirs} data.root=~/sounds"
        )
    refuse_taken(here)
    uri = resolve_uri(str(yours.tracking.uri))
    OmegaConf.update(composed, "data.cache_dir", escape(str(SoundCache(yours.data.cache_dir).folder)))
    OmegaConf.update(composed, "data.cache_max_gb", yours.data.cache_max_gb)
    for key in ("backend", "experiment", "close_timeout_s"):
        OmegaConf.update(composed, f"tracking.{key}", escape(yours.tracking[key]))
    OmegaConf.update(composed, "tracking.uri", escape(uri))
    for key in _KEYS_OF_TRACKING:
        overrides.pop(key, None)  # composed with all the rest of them
    keep_out_of(overrides["data.root"], list_places(here, uri))
    return here


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
        "Put them back, say where they have moved to (data.root=FOLDER), or start a new run."
    )
