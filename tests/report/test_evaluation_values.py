"""What is written of an evaluation: one key for every figure, in the file and wherever else it is looked up."""

import json
import math
from dataclasses import replace

import pytest

from sda.bootstrap import Estimate
from sda.evaluation.suite import DistributionComparison
from sda.report.evaluation import Evaluation, FoldersSubject, RunSubject, list_facts
from sda.report.evaluation_sections import list_figures, list_sections
from sda.report.evaluation_side_by_side import COMPARED, SCALES
from sda.report.evaluation_values import flatten_figures, list_values
from sda.runs.objective import SECTIONS
from tests.report.assessments import LIKENESS, RECONSTRUCTION, make_assessment

FOLDERS = FoldersSubject(reference="/real", generated="/new", held_out="", validation_weakness="")
MADE_OF = {"shares": {"a.wav": 0.75, "b.wav": 0.25}, "stretches": []}
WHOLE = make_assessment(
    distribution={name: DistributionComparison(LIKENESS) for name in ("hand_made", "aisfx")},
    reconstruction=replace(RECONSTRUCTION, skill={side: Estimate(0.6, 0.5, 0.7) for side in ("held_out", "train")}),
    made_of=[MADE_OF],
    n_silent_draws=2,
)


def test_what_was_evaluated_comes_first_then_files_verdict_and_sections():
    subject = RunSubject(suite="small", run="/runs/1", epoch=4, checkpoint="last", validation_weakness="few")
    values = list_values(Evaluation(subject, WHOLE, "python generate.py"))
    assert list(values) == [
        "schema", "suite", "run", "epoch", "checkpoint", "validation_weakness", "n_files", "verdict", *SECTIONS,
    ]  # fmt: skip
    assert values["n_files"] == {"train": 28, "held_out": 12, "generated": 4}
    assert values["verdict"]["command"] == "python generate.py"
    assert values["verdict"]["findings"][0] == {
        "text": "Few are replays.",
        "key": "memorisation.replay_rate",
        "value": 0.02,
        "interval": [0.01, 0.07],
    }
    assert list_facts(Evaluation(subject, WHOLE)) == [
        "suite: small", "run: /runs/1", "epoch: 4", "checkpoint: last", "validation weakness: few",
        "28 training, 12 held-out and 4 generated sounds",
    ]  # fmt: skip


def test_of_folders_there_is_what_was_compared_and_no_model():
    values = list_values(Evaluation(FOLDERS, make_assessment(reconstruction=None, latents=None)))
    assert list(values)[1:6] == ["suite", "reference", "generated", "held_out", "validation_weakness"]
    assert values["suite"] == "folders"
    assert not {"reconstruction", "latents", "provenance"} & set(values)
    assert "held out: " not in " ".join(list_facts(Evaluation(FOLDERS, make_assessment())))


def test_every_figure_has_its_interval_behind_it():
    values = list_values(Evaluation(FOLDERS, WHOLE))
    model = values["reconstruction"]["held_out"]["model"]
    assert list(model) == ["log_mel_l1_db", "log_mel_l1_db_interval", "zimtohrli", "zimtohrli_interval"]
    assert (model["log_mel_l1_db"], model["log_mel_l1_db_interval"]) == (3.87, [3.51, 4.22])
    assert values["distribution"]["aisfx"]["ratio_rebuilt_interval"] == [0.6, 2.9]
    assert values["form"]["distance_train_interval"] == [-0.14, 0.26]
    assert values["silence"]["generated"] == {
        "near_silent_files": 0.31,
        "near_silent_files_interval": [0.13, 0.57],
        "silent_frames": 0.46,
        "silent_frames_interval": [0.32, 0.58],
        "windows_left_out": 0.28,
        "drawn_again": 2,
    }


def test_what_is_no_number_is_nothing_and_the_file_stays_json():
    likeness = replace(LIKENESS, ratio=Estimate(math.nan), mmd2=Estimate(0.05, 0.01, math.inf))
    values = list_values(Evaluation(FOLDERS, make_assessment(distribution={"aisfx": DistributionComparison(likeness)})))
    section = values["distribution"]["aisfx"]
    assert (section["ratio"], section["ratio_interval"]) == (None, [None, None])
    assert section["mmd2_interval"] == [0.01, None]
    assert values["reconstruction"]["edge_hz"] is None
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_what_a_figure_is_looked_up_by_is_its_key_in_the_file():
    written = dict(flatten_figures(list_values(Evaluation(FOLDERS, WHOLE))))
    figures = list_figures(WHOLE)
    listed = {key: one.value for key, one in figures.items()}
    listed |= {f"{key}_low": one.low for key, one in figures.items() if math.isfinite(one.low)}
    listed |= {f"{key}_high": one.high for key, one in figures.items() if math.isfinite(one.high)}
    assert listed == {key: value for key, value in written.items() if key.partition(".")[0] in SECTIONS}


@pytest.mark.parametrize("key", dict.fromkeys([*COMPARED, *SCALES, *(one.key for one in WHOLE.verdict.findings)]))
def test_what_is_compared_or_drawn_on_an_axis_of_its_own_is_measured(key):
    assert math.isfinite(list_figures(WHOLE)[key].value)


def test_sections_hold_estimates_and_what_was_not_measured_has_none():
    sections = list_sections(make_assessment(reconstruction=None))
    assert sections["memorisation"]["replay_rate"] == Estimate(0.02, 0.01, 0.07)
    assert "reconstruction" not in sections
    assert "provenance.largest_share" not in list_figures(make_assessment())
