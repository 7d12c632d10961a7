"""What the terminal shows of an evaluation, to the character."""

import math
from dataclasses import replace

from sda.bootstrap import Estimate
from sda.evaluation.form_comparison import Form
from sda.evaluation.suite import DistributionComparison
from sda.report.evaluation_lines import format_assessment
from tests.report.assessments import LIKENESS, RECONSTRUCTION, make_assessment, make_memorisation

LINES = """\
  verdict: overfit. It overfits.
    Few are replays.
    Worse on others.
  try next: More sounds help most.
    python train.py
  reconstruction of 60 held-out chunks             held-out, model         training, model                mean mel            mel and back
    log-mel L1, dB                                3.87 (3.51–4.22)        2.50 (3.51–4.22)        8.50 (3.51–4.22)        1.25 (1.11–1.36)
    Zimtohrli                                               0.0061                  0.0061                  0.0061                       –
  likeness to unheard sound, timbre and movement: MMD² 0.050, training sound 0.010; ratio 3.00 (1.00 to 6.00); density 0.70 (1.00), coverage 0.50 (0.90)
    training sound through the model: ratio 1.70 (0.60 to 2.90); density 0.80, coverage 0.70
  likeness to unheard sound, the sound-effect network: too few to tell: 9 windows
  form, of 5.0 s at most                                 generated                held-out                training
    onsets a second                               4.41 (3.21–5.63)                    1.43                    1.53
    length where they end, s                                     –                       –        2.37 (2.16–2.61)
    distance from held-out sounds, spreads     1.31 (0.71 to 1.92)                            0.02 (-0.14 to 0.26)
  silence: 1 draw in which nothing could be heard was made anew
  replays: 0.02 (0.01 to 0.07) of seconds above a correlation of 0.42, 0.00 (0.00 to 0.04) of quarter seconds; recognised: copies 100 %
    closest: generated 3 at 0.5 s and train 1 at 0:01.00, correlation 0.50
    closest: generated 2 at 0.5 s and train 1 at 0:01.00, correlation 0.30
    closest: generated 1 at 0.5 s and train 1 at 0:01.00, correlation 0.20
  latents: 2 of 3 active, 80 nats a latent, 12 nats between all sounds and the prior
"""  # noqa: E501


def test_everything_that_was_measured_has_its_line():
    lines = format_assessment(make_assessment(n_silent_draws=1), "python train.py")
    assert "\n".join(lines) + "\n" == LINES


def test_of_what_was_not_measured_nothing_is_said():
    bare = make_assessment(reconstruction=None, latents=None, distribution={}, form=Form(), silence={})
    lines = format_assessment(bare)
    assert [line.split()[0] for line in lines if not line.startswith("    ")] == ["verdict:", "try", "replays:"]
    assert "python" not in "\n".join(lines)


def test_that_there_is_too_little_to_tell_is_said():
    few = make_assessment(form=Form(too_few="too few to tell: 3 generated"))
    assert "  form, of 0.0 s at most: too few to tell: 3 generated" in format_assessment(few)
    nothing = replace(make_memorisation().replay, rate=Estimate(math.nan))
    memorisation = replace(make_memorisation(), replay=nothing, window_s=0.2)
    (line,) = [line for line in format_assessment(make_assessment(memorisation=memorisation)) if "replays: " in line]
    assert line.startswith("  replays: not measured of windows of 200 ms above")


def test_what_is_no_number_is_no_number_in_a_table_either():
    measures = {**RECONSTRUCTION.held_out["model"], "log_mel_l1_db": Estimate(math.nan)}
    held_out = {**RECONSTRUCTION.held_out, "model": measures}
    likeness = DistributionComparison(replace(LIKENESS, ratio=Estimate(math.nan), rebuilt=None))
    lines = format_assessment(
        make_assessment(
            reconstruction=replace(RECONSTRUCTION, held_out=held_out, edge_hz=21500.0),
            distribution={"hand_made": likeness},
        )
    )
    assert any(line.split()[:4] == ["log-mel", "L1,", "dB", "–"] for line in lines)
    assert "    spectra are judged up to 21.5 kHz, where these sounds end" in lines
    assert any("ratio not measured; density" in line for line in lines)
    assert not any("through the model" in line for line in lines)


def test_what_a_model_draws_with_its_noise_has_a_column_of_its_own():
    held_out = {**RECONSTRUCTION.held_out, "drawn": {"log_mel_l1_db": Estimate(4.5)}}
    reconstruction = replace(RECONSTRUCTION, held_out=held_out, train={})
    lines = format_assessment(make_assessment(reconstruction=reconstruction))
    (head,) = [line for line in lines if "reconstruction of" in line]
    assert "held-out, model          with its noise                mean mel" in head
    assert "training, model" not in head
