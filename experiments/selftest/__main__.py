"""`make eval-selftest`: does the evaluation say of known sound what must be said of it?"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from experiments.selftest import memoriser, sound
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.groups import AUTO, group_files
from sda.data.scan import scan_folder
from sda.evaluation.sounds import Sound

DEMO = Path(__file__).parents[1] / "demo" / "sounds"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.selftest", description=__doc__)
    parser.add_argument("--data", type=Path, default=DEMO, help="folder of sounds; those of the demo by default")
    parser.add_argument("--output", type=Path, default=Path("selftest"), help="folder for the results")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = sound.judge_baselines(divide(arguments.data), lambda name: print(f"judging: {name}", file=sys.stderr))
    print("\n".join(sound.print_rows(rows)))
    with tempfile.TemporaryDirectory() as folder:
        print("training two models to memorise five files, the longer one for 2000 epochs", file=sys.stderr)
        early, late = memoriser.train_and_judge(choose_ten(arguments.data, Path(folder)), Path(folder))
        for one in (early, late):
            shutil.copytree(Path(folder) / one.name / "evaluation", arguments.output / one.name, dirs_exist_ok=True)
    print("\n" + "\n".join(memoriser.print_rows([early, late])))
    print(f"\nROC between them: area {memoriser.find_separation(early, late):.3f}")
    (arguments.output / "roc.json").write_text(json.dumps(memoriser.list_roc(early, late), indent=1))
    expectations = [*sound.list_expectations(rows), *memoriser.list_expectations(early, late)]
    print()
    for words, holds in expectations:
        print(f"{'holds' if holds else 'FAILS'}: {words}")
    return 0 if all(holds for _, holds in expectations) else 1


def divide(folder: Path) -> sound.Parts:
    """Three parts with equally many recordings, dealt out in the order of their content."""
    cache = SoundCache()
    scan = scan_folder(folder, cache=cache)
    groups = group_files(scan, cache, AUTO)
    corpus = Corpus(cache, {file.path: file.sha256 for file in scan.usable})
    parts: list[list[Sound]] = [[], [], []]
    for number, key in enumerate(sorted(groups.members)):
        parts[number % 3] += [Sound(Path(path).name, corpus.get(path)) for path in groups.members[key]]
    return sound.Parts(cache.sample_rate_hz, *parts)


def choose_ten(folder: Path, into: Path) -> Path:
    """Links to ten of the files, spread over the folder and of less than ten seconds where there are enough."""
    usable = scan_folder(folder).usable
    short = [file for file in usable if file.duration_s < 10.0]
    files = short if len(short) >= 2 * memoriser.N_FILES else usable
    ten = into / "ten"
    ten.mkdir()
    for index in range(2 * memoriser.N_FILES):
        path = Path(files[index * len(files) // (2 * memoriser.N_FILES)].path)
        (ten / path.name).symlink_to(path)
    return ten


if __name__ == "__main__":
    sys.exit(main())
