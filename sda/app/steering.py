"""Controls of a trained run: found and tried once, kept in its folder, and turned into what steers its sounds."""

from collections.abc import Callable, Mapping

from sda.app.loading import TrainedRun
from sda.config.verbs import GenerateConfig
from sda.config_field import Range, list_traits
from sda.data.corpus import Corpus
from sda.errors import ConfigError, DataError
from sda.evaluation.controls import ProvenControls, number_axis, prove_controls, take_real, take_starts
from sda.evaluation.trained_model import collect_segments
from sda.generation.controls import ORDER, fit_controls
from sda.generation.curves import Curve, load_curve
from sda.generation.steering import ControlSteering
from sda.generation.wanted import Wanted, parse_wanted
from sda.runs.controls_record import read_controls, write_controls
from sda.runs.moved_sounds import refuse_changed
from sda.runs.prepare_data import build_cache
from sda.training.checkpoint import hash_file

FIT_SHARE = 0.5
"""Of the time it takes, what finding takes; the rest is trying."""
WIDEST = 3.0
"""Times its proven reach that a control may be turned: further, nothing is known of it."""
WIDEST_LEVEL_DB = 24.0
"""Level is exact however far it is turned; of sounds that are all equally loud, more than their range is wanted."""


def find_controls(run: TrainedRun, advance: Callable[[float], None] = lambda _: None) -> ProvenControls:
    """A run's controls, as they were found and tried before, or found and tried now, in one or two CPU minutes.

    Args:
        advance: told now and then how much of it is done, in [0, 1].

    Raises:
        ConfigError: the model is of a kind that has none.
        DataError: the sounds that it was trained on, which they are tried on, are gone or have changed.
    """
    if run.synthesizer.n_loudness == 0:
        raise ConfigError(
            f"model={run.config.model.name.value} has no controls: its latents are a second long. Train with "
            "model=spectral_vae to have them."
        )
    known = find_known_controls(run)
    if known is None and not run.known:
        raise DataError(
            f"{run.run_dir} holds no controls that were tried, and not the sounds to try them on. Give the folder with "
            "what it was trained on: data.root=FOLDER."
        )
    return known or _measure_controls(run, hash_file(run.checkpoint.tensors_path), advance)


def find_known_controls(run: TrainedRun) -> ProvenControls | None:
    """A run's controls where they were found and tried before; nothing else is done.

    Of a model file it is what the file says of them, unless its sounds were given, on which they can be tried.
    """
    if run.description is not None:
        return None if run.known else run.description.controls
    return read_controls(run.run_dir, hash_file(run.checkpoint.tensors_path)) if run.is_own else None


def _measure_controls(run: TrainedRun, sha256: str, advance: Callable[[float], None]) -> ProvenControls:
    split, cache = run.split, build_cache(run.config)
    refuse_changed([*split.train_paths, *split.val_paths], run.known, cache)
    corpus = Corpus(cache, run.known, run.config.data.gain_db)
    train, held_out = (collect_segments(segments, corpus, split.names) for segments in (split.train, split.val))
    rate_hz = run.features.sample_rate_hz
    controls = fit_controls(run.synthesizer, advance=lambda share: advance(FIT_SHARE * share))
    proven = prove_controls(
        run.synthesizer,
        controls,
        take_starts(held_out, rate_hz),
        take_real([*train, *held_out], rate_hz),
        advance=lambda share: advance(FIT_SHARE + (1.0 - FIT_SHARE) * share),
    )
    if run.is_own:
        write_controls(run.run_dir, proven, sha256)
    return proven


def list_turned(config: GenerateConfig) -> dict[str, float | str]:
    """The controls that a call turns: by the key that was given, such as `brightness` or `axis_4`, its value."""
    keys = [key for key, traits in list_traits(GenerateConfig).items() if traits.is_control]
    return {key: getattr(config, key) for key in keys if getattr(config, key) not in (None, 0)}


def needs_controls(config: GenerateConfig) -> bool:
    """Whether a call has to know the run's controls, or what real sound is like."""
    return bool(list_turned(config) or config.wanted)


def build_steering(
    proven: ProvenControls, turned: Mapping[str, float | str], *, is_loop: bool = False
) -> ControlSteering:
    """What steers a call's sounds.

    Args:
        turned: see `list_turned`.
        is_loop: whether they go round.

    Raises:
        ConfigError: a control does not keep its word on this model, is turned too far, or is no curve.
    """
    return proven.controls.steer(_read_turned(proven, turned, is_loop))


def build_wanted(
    proven: ProvenControls, wanted: str, turned: Mapping[str, float | str], *, gain: float = 1.0, is_loop: bool = False
) -> Wanted:
    """What a call's sounds shall be like; controls with a name are used for it, within what was tried of them.

    Args:
        wanted: descriptors and places, see `parse_wanted`.
        turned: controls that are turned beside it, see `list_turned`.
        gain: so much louder the model knows sounds than they are written.
        is_loop: whether the sounds go round.

    Raises:
        ConfigError: as `build_steering`; or real sound has no such descriptor, or it is turned too.
    """
    places, curves = parse_wanted(wanted), _read_turned(proven, turned, is_loop)
    for key in places:
        if key not in proven.ranges:
            raise ConfigError(f"wanted={wanted} is not possible with this run: its sounds have no {key}.")
        if key in curves:
            raise ConfigError(f"wanted={wanted}: {key} is turned as a control too. Give one of the two.")
    reaches = {
        proof.key: proof.reach
        for proof in proven.proofs
        if proof.key in proven.controls.keys and proven.is_named(proof.key)
    }
    return Wanted(
        places,
        proven.ranges,
        reaches,
        lambda moves: proven.controls.steer(curves | {key: Curve((0.0,), (by,)) for key, by in moves.items()}),
        gain,
    )


def _read_turned(proven: ProvenControls, turned: Mapping[str, float | str], is_loop: bool) -> dict[str, Curve]:
    """The curves of the controls that are turned, by descriptor, once they are seen to be allowed."""
    curves: dict[str, Curve] = {}
    for given, value in turned.items():
        key = ORDER[int(given.removeprefix("axis_")) - 1] if given.startswith("axis_") else given
        proof = proven.find(key)
        if proof is None or key not in proven.controls.keys:
            raise ConfigError(f"{given}={value} is not possible with this model: its sounds have no {key} to change.")
        if given == key and not proven.is_named(key):
            raise ConfigError(f"{given}={value}: {_explain(proven, key)}")
        if key in curves:
            raise ConfigError(f"{given}={value}: it is turned twice, as {key} and as axis_{number_axis(key)}.")
        widest = max(WIDEST * proof.reach, WIDEST_LEVEL_DB if key == "level" else 0.0)
        curves[key] = load_curve(value, given, Range(-widest, widest))
        if is_loop and not curves[key].is_constant:
            raise ConfigError(f"{given}={value} would break the loop where it goes round: give one number.")
    return curves


def _explain(proven: ProvenControls, key: str) -> str:
    """Why a control has no name on a model, and what it is to be called."""
    proof = proven.find(key)
    assert proof is not None
    disturbed = proven.list_disturbed(key)
    why = (
        f"it moves {' and '.join(disturbed)} too"
        if proof.is_followed
        else f"what is heard does not follow it (rank correlation {proof.correlation})"
    )
    return (
        f"on this model the control does not keep its word: {why}. Use it without the name: axis_{number_axis(key)}=…"
    )
