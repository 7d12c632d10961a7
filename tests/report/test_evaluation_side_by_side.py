"""Several evaluations beside each other: the same axis for all, and an empty cell where one has no figure."""

import math
from dataclasses import replace

from sda.bootstrap import Estimate
from sda.evaluation.suite import DistributionComparison
from sda.report.evaluation_side_by_side import compare_assessments, show_figure_of
from tests.report.assessments import LIKENESS, RECONSTRUCTION, make_assessment


def _be_unlike(*ratio: float):
    likeness = replace(LIKENESS, ratio=Estimate(*ratio))
    return make_assessment(distribution={"hand_made": DistributionComparison(likeness)})


def test_bars_of_a_row_share_the_axis_that_holds_the_largest_figure_and_interval():
    rows = dict(compare_assessments([_be_unlike(2.0, 1.0, 4.0), _be_unlike(8.0, 5.0, 10.0)]))
    near, far = rows["distance ratio, timbre and movement"]
    assert [near.text, near.bounds, far.text, far.bounds] == ["2.00×", "(1.00 to 4.00)", "8.00×", "(5.00 to 10.00)"]
    assert [near.bar.value, near.bar.low, near.bar.high] == [18.18, 9.09, 36.36]  # of 11
    assert [far.bar.value, far.bar.high] == [72.73, 90.91]
    assert near.bar.limit == far.bar.limit == 45.45  # the verdict's 5


def test_an_axis_reaches_its_limit_even_where_no_figure_does():
    rows = dict(compare_assessments([_be_unlike(1.0), _be_unlike(2.0)]))
    assert [one.bar.value for one in rows["distance ratio, timbre and movement"]] == [18.18, 36.36]  # of 5.5


def test_one_that_was_not_measured_is_an_empty_cell_and_a_row_of_them_is_left_out():
    rows = dict(compare_assessments([_be_unlike(math.nan), _be_unlike(2.0, 1.0, 4.0)]))
    assert [one.text for one in rows["distance ratio, timbre and movement"]] == ["", "2.00×"]
    assert "distance ratio, timbre and movement" not in dict(compare_assessments([_be_unlike(math.nan)] * 2))
    assert "coverage, sound-effect network" not in rows
    assert "active latent dimensions" not in dict(compare_assessments([make_assessment(latents=None)] * 2))


def test_measures_are_written_with_the_digits_of_their_row():
    rows = dict(compare_assessments([make_assessment(), make_assessment(reconstruction=RECONSTRUCTION)]))
    assert rows["Zimtohrli, held-out sound"][0].text == "0.0061"
    assert rows["mel spectrum, held-out sound, dB"][0].text == "3.87"
    assert rows["coverage, timbre and movement"][1].text == "50 %"


def test_a_figure_without_an_axis_of_its_own_is_a_plain_number():
    assert show_figure_of("form.distance", Estimate(1.306)).text == "1.31"
    assert show_figure_of("memorisation.replay_rate", Estimate(0.02)).text == "2 %"
