"""Loading: a checkpoint, back into a model and its prior, into a run in progress, or as a trained run to be used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sda.app.builders import build_features, build_model, build_prior, build_synthesizer, check_fit
from sda.audio.mel import LogMel
from sda.config.data import DataConfig
from sda.config.model import ModelName, PriorName
from sda.config.plain import compose_plain
from sda.config.schema import TrainRunConfig
from sda.config.verbs import WhichCheckpoint
from sda.data.split import Split, split_from_facts
from sda.errors import CheckpointError, ConfigError
from sda.export.description import Description
from sda.export.model_reading import open_model_file
from sda.generation.synthesizer import Synthesizer
from sda.models.autoencoder import Autoencoder
from sda.models.priors.prior import Prior
from sda.roots import settle_roots
from sda.runs.folder import CHECKPOINTS, find_model, read_groups
from sda.runs.moved_sounds import find_moved
from sda.runs.outputs import list_sound_folders
from sda.runs.plan import to_schema
from sda.runs.prepare_data import build_cache
from sda.seal import is_own
from sda.shell import name_command
from sda.training.checkpoint import PRIOR, Checkpoint, open_best, open_newest
from sda.training.device import choose_device
from sda.training.state import AVERAGE_PREFIX, FORMER_PRIOR, Progress, TrainState, select_model


@dataclass(frozen=True)
class TrainedRun:
    """Everything that follows from a run's checkpoint; nothing is derived a second time."""

    run_dir: Path
    checkpoint: Checkpoint
    config: TrainRunConfig
    features: LogMel
    synthesizer: Synthesizer
    places: dict[str, str]
    """Where each file that it was trained on lies now, by the path it had then; of a model file, by what the recording
    is called, and nothing where its sounds were not given."""
    description: Description | None = None
    """What a model file says of itself; nothing where it is a run."""

    @property
    def split(self) -> Split:
        """What was trained on and what was held out, by where it lies now."""
        if not self.places:
            return Split((), ())
        return split_from_facts(self.checkpoint.facts["split"], self.places)

    @property
    def known(self) -> dict[str, str]:
        """Content hash of every file by where it lies now."""
        files = self.checkpoint.facts["files"].items()
        return {self.places[path]: sha256 for path, sha256 in files if self.places}

    @property
    def group_of(self) -> dict[str, str]:
        """The recording that each file belongs to, by where it lies now.

        Raises:
            DamagedError: the manifest is damaged.
        """
        groups = read_groups(self.run_dir) if self.description is None else self.description.groups
        return {self.places.get(path, path): group for path, group in groups.items()}

    @property
    def sound_folders(self) -> list[Path]:
        """Folders that its sounds lie or lay in, which are never written to."""
        then = self.places if self.description is None else ()
        root = self.config.data.root
        return list_sound_folders(root, [*then, *self.places.values()]) if root else []

    @property
    def is_own(self) -> bool:
        """Whether this installation began and saved it; else nothing is written into its folder."""
        return self.checkpoint.is_own and is_own(self.run_dir)


def open_run(name: str, device_name: str, which: WhichCheckpoint = WhichCheckpoint.best, root: str = "") -> TrainedRun:
    """Open a run's best epoch, or its last one that was saved; or a model in one file.

    The places that another installation's run names are not used: decoded sound is kept where it is by default. A model
    file is always taken for a stranger's, whoever wrote it.

    Args:
        name: as `find_model` takes it.
        root: where its sounds lie now, if they have moved: a folder, or several, see `sda.roots`. They are known by
            content.

    Raises:
        CheckpointError: it is neither, or has no usable checkpoint, or is damaged.
        DataError: the sounds are not there.
        ConfigError: the device is unknown or not there.
    """
    device: torch.device = choose_device(device_name)
    run_dir = find_model(name)
    file = open_model_file(run_dir) if run_dir.is_file() else None
    checkpoint = _open_checkpoint(run_dir / CHECKPOINTS, which) if file is None else file.checkpoint
    config = _take_config(checkpoint)
    if not (checkpoint.is_own and is_own(run_dir)):
        config.data.cache_dir = DataConfig().cache_dir
    known: dict[str, str] = checkpoint.facts["files"]
    places = {path: path for path in known} if file is None else {}
    if root:
        config.data.root = settle_roots(root)
        places = find_moved(known, config.data.root, build_cache(config))
    features = build_features(config, device)
    check_fit(config, features, checkpoint)
    model = build_model(config, features, device)
    load_model(model, checkpoint)
    synthesizer = build_synthesizer(config, model, features, load_prior(config, checkpoint))
    description = None
    if file is not None:
        description = file.read_controls(synthesizer.loudness, config.training.latent_dim)
    return TrainedRun(run_dir, checkpoint, config, features, synthesizer, places, description)


def _open_checkpoint(folder: Path, which: WhichCheckpoint) -> Checkpoint:
    return open_best(folder) if which is WhichCheckpoint.best else open_newest(folder)[0]


def _take_config(checkpoint: Checkpoint) -> TrainRunConfig:
    """A checkpoint's configuration, checked.

    Raises:
        CheckpointError: it is none, or has a value that is not allowed.
    """
    try:
        return to_schema(compose_plain(checkpoint.config, checkpoint.folder))
    except ConfigError as error:
        raise CheckpointError(f"{checkpoint.folder}: its configuration cannot be used: {error}") from error


def begin_from(model: Autoencoder, config: TrainRunConfig, features: LogMel) -> None:
    """Take over the weights and statistics of the model that `init_from` names.

    Raises:
        CheckpointError: there is none, or it is damaged.
        ConfigError: it was built in another way; with the keys that build this one alike.
    """
    place = find_model(config.init_from)
    checkpoint = open_model_file(place).checkpoint if place.is_file() else open_best(place / CHECKPOINTS)
    former, wanted = _list_build(_take_config(checkpoint)), _list_build(config)
    other = {key: value for key, value in former.items() if key in wanted and value != wanted[key]}
    if other:
        told = ", ".join(f"{key} is {value} there and {wanted[key]} here" for key, value in other.items())
        keys = " ".join(f"{key}={value}" for key, value in other.items())
        raise ConfigError(f"init_from={config.init_from} was built in another way: {told}. To begin with it: {keys}")
    check_fit(config, features, checkpoint)
    load_model(model, checkpoint)


def _list_build(config: TrainRunConfig) -> dict[str, Any]:
    """What decides the shapes of a network, by key, as it is given on the command line."""
    audio, model = config.audio, config.model
    build = {
        "model": model.name.value,
        "training.latent_dim": config.training.latent_dim,
        "audio.sample_rate_hz": audio.sample_rate_hz,
        "audio.n_fft": audio.n_fft,
        "audio.hop_length": audio.hop_length,
        "audio.n_mels": audio.n_mels,
    }
    if model.name is ModelName.mel_vae:
        return {**build, "training.chunk_duration_s": config.training.chunk_duration_s}
    of_network = {"size": model.size.value, "frames_per_latent": model.frames_per_latent}
    of_network |= {"bounded": model.bounded, "noise": model.noise}
    return {**build, **{f"model.{key}": value for key, value in of_network.items()}}


def load_model(model: Autoencoder, checkpoint: Checkpoint) -> None:
    """Take over a checkpoint's weights and statistics.

    Raises:
        CheckpointError: they are those of another model.
    """
    try:
        model.load_state_dict(select_model(checkpoint.load_tensors()))
    except RuntimeError as error:  # it holds more than the model has
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{checkpoint.folder} does not fit its own configuration: {reason}") from error


def load_prior(config: TrainRunConfig, checkpoint: Checkpoint) -> Prior:
    """The prior that was stored with a model.

    Raises:
        CheckpointError: there is none, or it is none of this model.
    """
    named = checkpoint.load_tensors()
    facts: dict[str, Any] = checkpoint.facts.get(PRIOR) or {"name": PriorName.density.name, "names": ["training sound"]}
    tensors = {key.removeprefix(f"{PRIOR}/"): one for key, one in named.items() if key.startswith(f"{PRIOR}/")}
    if PRIOR not in checkpoint.facts:
        former = AVERAGE_PREFIX + FORMER_PRIOR
        tensors = {key.removeprefix(former): one for key, one in named.items() if key.startswith(former)}
        tensors["lengths"] = torch.ones(1, dtype=torch.int64)
    try:
        prior = build_prior(config, PriorName[facts["name"]])
        prior.restore(tensors, facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        run_dir = checkpoint.folder.parent.parent
        again = f"Train on, and it is fitted anew: {name_command('train')} resume={run_dir}"
        raise CheckpointError(
            f"{checkpoint.folder} holds no prior that new sound could be drawn from ({type(error).__name__}: {error}). "
            f"{'Get it anew.' if checkpoint.is_file else again}"
        ) from error
    return prior


def load_state(state: TrainState, checkpoint: Checkpoint) -> None:
    """Take over a checkpoint's weights, optimiser and random draws, not where it stood.

    Raises:
        CheckpointError: they are those of another model, or damaged.
    """
    try:
        state.load_tensors(checkpoint.load_tensors())
    except (KeyError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.folder} does not fit the run's configuration: {error}") from error


def restore(state: TrainState, checkpoint: Checkpoint) -> None:
    """Take over all of a checkpoint, and go on from where it stood.

    Raises:
        CheckpointError: it is of another model or version, or damaged.
    """
    load_state(state, checkpoint)
    try:
        state.progress = Progress(**checkpoint.progress)
    except TypeError as error:
        raise CheckpointError(f"{checkpoint.folder} is of another version of sda: {error}") from error
    state.history = checkpoint.history
