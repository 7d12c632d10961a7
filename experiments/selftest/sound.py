"""Sound that needs no model, judged as if a model had made it: what must win, what must fail, and at what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sda.audio.inversion import log_mel_to_waveform
from sda.audio.mel import LogMel
from sda.bootstrap import Estimate
from sda.evaluation.baselines import draw_noise, make_silence, play_back, shuffle_grains
from sda.evaluation.findings import Evidence
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.reconstruction import log_mel_l1_db
from sda.evaluation.search import find_nearest
from sda.evaluation.sounds import Sound, Window, cut, list_windows
from sda.evaluation.suite import (
    EvaluationAudio,
    assess_distribution,
    assess_memorisation,
    assess_whole,
    list_embeddings,
)
from sda.evaluation.verdict import find_case
from sda.subsample import subsample_evenly

LENGTH_S = 2.0
N_SOUNDS = 24
N_CLIPS = 48


@dataclass(frozen=True)
class Row:
    """What one kind of sound scored."""

    name: str
    log_mel_l1_db: float
    """Distance to held-out sound that it stands in for, dB."""
    mmd2: dict[str, Estimate]
    """By embedding; those with too little sound are missing."""
    ratio: dict[str, Estimate]
    coverage: float | None
    replay: Estimate
    collage: Estimate
    doubt: str
    case: str
    """What a verdict holds against its silence, likeness or form: `silent`, `unlike`, `deformed`; empty if nothing."""


@dataclass(frozen=True)
class Parts:
    """Three parts of a corpus that share no recording."""

    sample_rate_hz: int
    train: list[Sound]
    held_out: list[Sound]
    fresh: list[Sound]
    """Real sound that plays the part of what a model made."""


def judge_baselines(parts: Parts, tell: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Every baseline through the whole evaluation."""
    rate_hz = parts.sample_rate_hz
    clip_samples, n_samples = rate_hz, round(LENGTH_S * rate_hz)
    windows = subsample_evenly(list_windows(parts.held_out, clip_samples, clip_samples), N_CLIPS)
    originals = cut(parts.held_out, windows, clip_samples)
    nearest = _find_nearest_places(originals, parts.train, rate_hz)
    features = LogMel(rate_hz, n_fft=2048 if rate_hz > 24000 else 1024, hop_length=rate_hz // 94, n_mels=64)
    mean_mel = _sound_mean_mel(parts.train, features, n_samples)
    train_windows = subsample_evenly(list_windows(parts.train, n_samples, n_samples // 2), N_SOUNDS)
    candidates: dict[str, tuple[Sequence[Sound], Tensor]] = {}
    fresh = [Sound(one.name, one.waveform[: 4 * n_samples]) for one in parts.fresh]
    replayed = play_back(parts.train, [(one.sound, one.start) for one in train_windows], n_samples)
    candidates["real, unheard"] = (fresh, originals)
    candidates["replay of training"] = (replayed, cut(parts.train, nearest, clip_samples))
    for name, sounds in (
        ("granular shuffle", shuffle_grains(parts.train, N_SOUNDS, n_samples, rate_hz)),
        ("white noise", draw_noise(N_SOUNDS, n_samples)),
        ("silence", make_silence(N_SOUNDS, n_samples)),
        ("mean mel", [Sound(f"mean {number}", mean_mel) for number in range(N_SOUNDS)]),
    ):
        stand_ins = torch.stack([sounds[index % N_SOUNDS].waveform[:clip_samples] for index in range(len(originals))])
        candidates[name] = (sounds, stand_ins)
    rows = []
    for name, (sounds, stand_ins) in candidates.items():
        tell(name)
        audio = EvaluationAudio(rate_hz, parts.train, parts.held_out, sounds)
        memorisation = assess_memorisation(audio)
        found = {key: assess_distribution(audio, one) for key, one in list_embeddings(rate_hz).items()}
        scored = {key: one.likeness for key, one in found.items() if one.likeness is not None}
        form, silence = assess_whole(audio)
        case = find_case(Evidence(likeness=scored, form=form, silence=silence))
        rows.append(
            Row(
                name=name,
                log_mel_l1_db=log_mel_l1_db(originals, stand_ins, features).mean().item(),
                mmd2={key: one.mmd2 for key, one in scored.items()},
                ratio={key: one.ratio for key, one in scored.items()},
                coverage=scored["hand_made"].coverage if "hand_made" in scored else None,
                replay=memorisation.replay.rate,
                collage=memorisation.collage.rate,
                doubt=memorisation.replay.doubt,
                case=case if case in ("silent", "unlike", "deformed") else "",
            )
        )
    return rows


def list_expectations(rows: Sequence[Row]) -> list[tuple[str, bool]]:
    """What must hold, in words, and whether it does."""
    by_name = {row.name: row for row in rows}
    real, replay, grains = by_name["real, unheard"], by_name["replay of training"], by_name["granular shuffle"]
    noise, silence, mean = by_name["white noise"], by_name["silence"], by_name["mean mel"]
    expected = [
        ("real sound is no replay", real.replay.value <= 0.1),
        ("real sound reconstructs itself best", all(real.log_mel_l1_db < row.log_mel_l1_db for row in rows[1:])),
        ("playing training sound back is a replay", replay.replay.value >= 0.9),
        ("a granular shuffle is a collage of training sound", grains.collage.value >= 0.8),
        ("white noise is no replay", noise.replay.value <= 0.1),
        ("the mean mel is no replay", mean.replay.value <= 0.1),
        ("silence cannot be judged, and says so", silence.doubt != "" and not silence.mmd2),
        ("silence is held against silence", silence.case == "silent"),
        ("nothing is held against real sound, or against training sound played back", not real.case + replay.case),
        ("white noise is held to be unlike", noise.case == "unlike"),
        ("something is held against the mean mel", mean.case != ""),
        ("white noise, silence and the mean mel reconstruct nothing", all(
            row.log_mel_l1_db > real.log_mel_l1_db + 1.0 for row in (noise, silence, mean)
        )),
    ]  # fmt: skip
    for key in real.mmd2:
        distances = {row.name: row.mmd2[key].value for row in rows if key in row.mmd2}
        good, shuffled = max(distances[one.name] for one in (real, replay)), distances[grains.name]
        bad = min(distances[one.name] for one in (noise, mean))
        expected.append(
            (f"{key}: real and replayed sound are closer to unheard sound than a shuffle", good <= shuffled)
        )
        expected.append((f"{key}: a shuffle is closer than white noise or the mean mel", shuffled < bad))
    return expected


def print_rows(rows: Sequence[Row]) -> list[str]:
    """The table, as Markdown."""
    heads = ["sound", "log-mel L1 to held-out, dB", "MMD² ratio, hand-made", "MMD² ratio, aisfx", "coverage"]
    heads += ["replay rate", "collage rate", "held against it"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        ratios = [str(row.ratio[key]) if key in row.ratio else "too few to tell" for key in ("hand_made", "aisfx")]
        coverage = "" if row.coverage is None else f"{row.coverage:.2f}"
        replay = f"{row.replay} {'(!)' if row.doubt else ''}".strip()
        lines.append(
            f"| {row.name} | {row.log_mel_l1_db:.1f} | {' | '.join(ratios)} | {coverage} | {replay} | {row.collage} "
            f"| {row.case} |"
        )
    return lines


def _find_nearest_places(clips: Tensor, train: Sequence[Sound], rate_hz: int) -> list[Window]:
    """For each clip, the place in training sound that is most like it."""
    features = PatchFeatures(rate_hz).fit(train)
    matches = find_nearest([features.patches(clips)], train, features)[0]
    source = matches.correlation.argmax(dim=1)
    starts = matches.start_s.gather(1, source[:, None])[:, 0]
    return [
        Window(int(index), max(0, round((float(start) - train[index].start_s) * rate_hz)))
        for index, start in zip(source.tolist(), starts.tolist(), strict=True)
    ]


def _sound_mean_mel(sounds: Sequence[Sound], features: LogMel, n_samples: int) -> Tensor:
    """The average training spectrogram, made into sound."""
    mean = torch.stack([features(sound.waveform[None])[0].mean(dim=1) for sound in sounds]).mean(dim=0)
    log_mel = mean[None, :, None].expand(-1, -1, features.n_frames(n_samples))
    return log_mel_to_waveform(log_mel, features, n_samples)[0]
