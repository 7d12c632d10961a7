import numpy as np
import pytest

from sda.evaluation.form import outline
from sda.evaluation.silence import estimate_faint, estimate_silent, measure_silent

LOUD, NEAR_SILENT, SILENT = -20.0, -55.0, -80.0


def _sound(*levels_db):
    return outline(np.array(levels_db))


def test_a_sound_is_silent_where_it_lies_far_under_its_loudest_or_under_that_of_real_sound():
    assert measure_silent(_sound(LOUD, LOUD, SILENT, SILENT), LOUD) == 0.5
    assert measure_silent(_sound(SILENT, SILENT), LOUD) == 1.0
    assert measure_silent(_sound(SILENT, SILENT), SILENT) == 0.0, "all real sound is so quiet"
    assert measure_silent(_sound(0.0, -55.0), -55.0) == 0.5, "beside its own loudest"


def test_a_real_sound_that_ends_is_put_into_the_time_that_generated_ones_have():
    shot = _sound(SILENT, LOUD, LOUD)
    assert measure_silent(shot, LOUD, room=10) == pytest.approx(0.8)
    assert measure_silent(shot, LOUD, room=1) == 0.0
    kinds = {"generated": [_sound(*[LOUD] * 2, *[SILENT] * 8)] * 5, "held_out": [shot] * 3, "train": [shot] * 4}
    shares = estimate_silent(kinds, LOUD, in_room=True)
    assert [shares[kind].value for kind in ("generated", "real")] == pytest.approx([0.8, 0.8])
    assert estimate_silent(kinds, LOUD, in_room=False)["real"].value == pytest.approx(1 / 3)


def test_a_share_of_few_sounds_is_not_known_for_sure():
    kinds = {"generated": [_sound(NEAR_SILENT)] * 3, "held_out": [_sound(LOUD)] * 4, "train": [_sound(LOUD)] * 4}
    shares = estimate_faint(kinds, LOUD)
    assert (shares["generated"].value, shares["real"].value) == (1.0, 0.0)
    assert 0.3 < shares["generated"].low < 0.5
    assert 0.3 < shares["real"].high < 0.4
