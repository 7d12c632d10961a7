"""New sound of one trained run, made in several ways and judged as `evaluate.py` judges it; see README.md.

Usage: PYTHONPATH=. python experiments/007-new-sound/measure.py RUN [WAY…] [--n 24] [--output FILE.json]

Ways are those of `ways.py`. Figures are added to those that the file holds already.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harmonic import count_harmonic_events
from ways import SEED, Way, choose_way

from sda.app.builders import build_trained_model
from sda.app.loading import open_run
from sda.audio.waveform import read_waveform
from sda.bootstrap import Estimate
from sda.data.corpus import Corpus
from sda.data.split import split_from_facts
from sda.durable import write_json
from sda.evaluation.floor import choose_stretches, rebuild
from sda.evaluation.sounds import Sound
from sda.evaluation.specimens import LONGEST_S, USUAL_S
from sda.evaluation.suite import (
    EvaluationAudio,
    assess_distribution,
    assess_memorisation,
    assess_whole,
    list_embeddings,
)
from sda.evaluation.trained_model import TrainedModel, collect_segments, collect_whole
from sda.runs.folder import read_groups
from sda.runs.prepare_data import build_cache

WAYS = ("density-noiseless", "density", "mosaic=0.1-noiseless", "mosaic=0", "mosaic=0.1", "mosaic=0.3", "played-back",
        "shuffled")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("ways", nargs="*", default=WAYS)
    parser.add_argument("--n", type=int, default=24, help="whole sounds to draw")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    trained, root = open_trained(arguments.run)
    floor = rebuild_training_sound(trained, arguments.n)
    rows: dict[str, Any] = {}
    if arguments.output and arguments.output.exists():
        rows = json.loads(arguments.output.read_text())
    for name in arguments.ways:
        rows[name] = measure(trained, choose_way(name, root), arguments.n, floor)
        print(json.dumps({name: rows[name]}, indent=1), flush=True)
        if arguments.output:
            write_json(arguments.output, rows)


def open_trained(name: str) -> tuple[TrainedModel, str]:
    """A trained run, to be judged, and the folder of its sounds."""
    run = open_run(name, "cpu")
    split, known = split_from_facts(run.checkpoint.facts["split"]), run.checkpoint.facts["files"]
    corpus = Corpus(build_cache(run.config), known, run.config.data.gain_db)
    trained = build_trained_model(run.config, run.synthesizer, split, corpus, read_groups(run.run_dir))
    return trained, run.config.data.root


def rebuild_training_sound(trained: TrainedModel, n: int) -> list[Sound]:
    """Training sound through the model, whole sounds where they are no longer than new ones may be."""
    train = collect_segments(trained.split.train, trained.corpus, trained.split.names)
    rate_hz = trained.features.sample_rate_hz
    stretches = choose_stretches(train, n, round(USUAL_S * rate_hz), round(LONGEST_S * rate_hz))
    return [
        one._replace(waveform=rebuild(trained, read_waveform(one.waveform), place))
        for place, one in enumerate(stretches)
    ]


def measure(trained: TrainedModel, way: Way, n: int, floor: Sequence[Sound]) -> dict[str, Any]:
    """Likeness, form, silence, replays and harmonic events of new sound."""
    rate_hz = trained.features.sample_rate_hz
    sides = {"train": trained.split.train, "held_out": trained.split.val}
    train, held_out = (collect_segments(segments, trained.corpus, trained.split.names) for segments in sides.values())
    whole = {side: collect_whole(segments, trained.corpus, trained.split.names) for side, segments in sides.items()}
    generated, _, n_silent = way(trained, whole["train"], n)
    groups = [trained.group_of.get(segment.path, segment.path) for segment in trained.split.train]
    audio = EvaluationAudio(rate_hz, train, held_out, generated, groups, {}, floor, whole, are_whole=True)
    memorisation = assess_memorisation(audio, SEED)
    form, silence = assess_whole(audio, SEED)
    kinds = {"generated": generated, **whole}
    harmonic = {
        kind: [count_harmonic_events(read_waveform(one.waveform), rate_hz) for one in of] for kind, of in kinds.items()
    }
    row: dict[str, Any] = {
        "n": len(generated),
        "replay_rate": _spell(memorisation.replay.rate),
        "collage_rate": _spell(memorisation.collage.rate),
        "form": {kind: one.value for kind, one in form.distance.items()},
        "traits": {kind: {name: one.value for name, one in of.items()} for kind, of in form.traits.items()},
        "silent_frames": {kind: one.silent_frames.value for kind, one in silence.items()},
        "near_silent_files": {kind: one.near_silent_files.value for kind, one in silence.items()},
        "drawn_again": n_silent,
        "with_harmonic_event": {kind: sum(count > 0 for count in of) / len(of) for kind, of in harmonic.items()},
    }
    for name, embedding in list_embeddings(rate_hz).items():
        likeness = assess_distribution(audio, embedding, SEED).likeness
        if likeness is not None:
            row[name] = {
                "ratio": _spell(likeness.ratio),
                "coverage": likeness.coverage,
                "coverage_train": likeness.coverage_train,
                "floor": _spell(likeness.rebuilt.ratio) if likeness.rebuilt else None,
            }
    return row


def _spell(estimate: Estimate) -> list[float | None]:
    """Value, and the ends of its interval."""
    return [estimate.value, estimate.low, estimate.high]


if __name__ == "__main__":
    main()
