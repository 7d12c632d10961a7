"""New sound of one trained run, drawn in several ways and judged as `evaluate.py` judges it; see README.md.

Usage: PYTHONPATH=. python experiments/007-new-sound/measure.py RUN [novelty=0,0.1,0.5] [--no-noise] [--learned FILE]
    [--n 24] [--floor] [--output FILE.json]
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from learned import Learned

from sda.app.assessment import choose_stretches, rebuild
from sda.app.loading import open_run
from sda.app.runs import read_groups
from sda.app.specimens import USUAL_S, are_whole, draw_specimens
from sda.app.subject import Subject, collect_pieces, collect_whole
from sda.app.survey import build_cache
from sda.config.schema import AUTO_LENGTH
from sda.data.corpus import Corpus
from sda.data.split import split_from_facts
from sda.durable import write_json
from sda.evaluation.suite import Material, assess_memorisation, assess_resemblance, assess_whole, list_embeddings

SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("novelty", nargs="?", default="novelty=0.1", help="novelty=…, with commas")
    parser.add_argument("--no-noise", action="store_true", help="the deterministic part of the decoder alone")
    parser.add_argument("--learned", type=Path, help="a learned prior in place of the run's")
    parser.add_argument("--n", type=int, default=24, help="whole sounds to draw")
    parser.add_argument("--floor", action="store_true", help="rebuild training sound too")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    subject = open_subject(arguments.run)
    if arguments.no_noise:
        subject.voice.writes_noise = False
    if arguments.learned:
        subject.voice.prior = Learned.load(arguments.learned)
    rows = []
    for novelty in map(float, arguments.novelty.removeprefix("novelty=").split(",")):
        subject.voice.manner = replace(subject.voice.manner, novelty=novelty)
        rows.append({"run": arguments.run, "novelty": novelty, **measure(subject, arguments.n, arguments.floor)})
        print(json.dumps(rows[-1], indent=1), flush=True)
    if arguments.output:
        write_json(arguments.output, rows)


def open_subject(name: str) -> Subject:
    """A trained run, to be judged."""
    run = open_run(name, "cpu")
    split, known = split_from_facts(run.checkpoint.facts["split"]), run.checkpoint.facts["files"]
    corpus = Corpus(build_cache(run.config), known, run.config.data.gain_db)
    return Subject(run.voice, run.features, run.config, split, corpus, read_groups(run.run_dir))


def measure(subject: Subject, n: int, with_floor: bool) -> dict[str, Any]:
    """Likeness, form, silence and replays of new sound, and how fast it is drawn."""
    voice, rate_hz = subject.voice, subject.features.sample_rate_hz
    sides = {"train": subject.split.train, "held_out": subject.split.val}
    train, held_out = (collect_pieces(pieces, subject.corpus) for pieces in sides.values())
    start = time.monotonic()
    generated, _, n_silent = draw_specimens(voice, n, AUTO_LENGTH, SEED)
    seconds = time.monotonic() - start
    stretches = choose_stretches(train, n, round(USUAL_S * rate_hz)) if with_floor else []
    floor = [one._replace(waveform=rebuild(subject, one.waveform, place)) for place, one in enumerate(stretches)]
    groups = [subject.group_of.get(piece.path, piece.path) for piece in subject.split.train]
    whole = {side: collect_whole(pieces, subject.corpus) for side, pieces in sides.items()}
    material = Material(
        rate_hz, train, held_out, generated, groups, {}, floor, whole, are_whole=are_whole(voice, AUTO_LENGTH)
    )
    memorisation = assess_memorisation(material, SEED)
    form, silence = assess_whole(material, SEED)
    row: dict[str, Any] = {
        "times_real_time": sum(len(one.waveform) for one in generated) / rate_hz / seconds,
        "replay_rate": memorisation.replay.rate.value,
        "collage_rate": memorisation.collage.rate.value,
        "form": {kind: one.value for kind, one in form.distance.items()},
        "traits": {kind: {name: one.value for name, one in of.items()} for kind, of in form.traits.items()},
        "silent_frames": {kind: one.silent_frames.value for kind, one in silence.items()},
        "drawn_again": n_silent,
        "near_silent_files": {kind: one.near_silent_files.value for kind, one in silence.items()},
    }
    for name, embedding in list_embeddings(rate_hz).items():
        likeness = assess_resemblance(material, embedding, SEED).likeness
        if likeness is not None:
            row[name] = {
                "ratio": likeness.ratio.value,
                "coverage": likeness.coverage,
                "coverage_train": likeness.coverage_train,
                "ratio_rebuilt": likeness.rebuilt.ratio.value if likeness.rebuilt else None,
            }
    return row


if __name__ == "__main__":
    main()
