import os
import time

import pytest

from experiments.equal_time import metered
from experiments.equal_time.budget import Cost, fit
from experiments.equal_time.metered import Told
from experiments.equal_time.plan import read_plan
from experiments.equal_time.table import draw_table


@pytest.mark.parametrize("steps_per_epoch", [3, 40, 700, 2000])
@pytest.mark.parametrize("cpu_s", [60.0, 600.0])
def test_a_training_is_as_long_as_there_is_time(steps_per_epoch, cpu_s):
    cost = Cost(step_s=0.1, n_visits=16, steps_per_epoch=steps_per_epoch)
    n_epochs, n_visits = fit(cost, cpu_s)
    assert n_epochs * steps_per_epoch * n_visits / 16 * cost.step_s == pytest.approx(cpu_s, rel=0.1)
    if steps_per_epoch < 100:
        assert n_visits == 16, "epochs are left as they are where many of them fit"


def test_the_cpu_time_of_a_process_is_what_it_computed():
    before, counted = metered.read_cpu_s(os.getpid()), time.process_time()
    while time.process_time() - counted < 0.3:
        pass
    assert metered.read_cpu_s(os.getpid()) - before == pytest.approx(0.3, abs=0.1)
    idle = metered.read_cpu_s(os.getpid())
    time.sleep(0.2)
    assert metered.read_cpu_s(os.getpid()) - idle < 0.1


def test_a_training_that_fails_is_told_with_its_words(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)failed:.*no_such_key"):
        list(metered.follow_training(tmp_path, tmp_path / "run", ["no_such_key=1"]))


def _measure(variant, seed, log_mel):
    measures = {"mr_stft": 1.0, "spectral_convergence": 0.5, "loudness_error_db": 2.0, "zimtohrli": 0.01}
    held_out = {source: {"log_mel_l1_db": log_mel, **measures} for source in ("model", "ceiling", "mean_mel")}
    figures = {"cpu_s": 90.0, "n_steps": 100, "gap": 0.2, "held_out": held_out, "mmd_ratio": None}
    return {"data": "rain", "variant": variant, "seed": seed, **figures}


def test_the_table_has_a_row_for_each_variant_with_the_spread_of_seeds():
    lines = draw_table([_measure("one", 0, 3.0), _measure("one", 1, 4.0), _measure("other", 0, 5.0)])
    assert len(lines) == 2 + 2 + 2
    assert lines[2].startswith("| rain | one | 1.5 ± 0.0 | 100 ± 0 | 3.50 ± 0.71 | 1.000 ± 0.000 |")
    assert lines[3].endswith("| 5.00 | 1.000 | 0.500 | 2.00 | 0.0100 |  | 20 |")
    assert "no model" in lines[4]


def test_a_plan_without_variants_is_refused(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("cpu_minutes: 1\ncommon: []\nvariants: {}\nseeds: [0]\n")
    with pytest.raises(ValueError, match="names no variant"):
        read_plan(plan)


def test_events_are_told_with_the_time_that_they_took(monkeypatch, tmp_path):
    """The journal grows while the process computes; every event is told once."""
    monkeypatch.setattr(metered, "_read_new", lambda journal, offset: iter([({"n": offset}, offset + 1)]))
    monkeypatch.setattr(metered, "PROJECT", tmp_path)
    (tmp_path / "train.py").write_text("import time; time.sleep(1.0)")
    told = list(metered.follow_training(tmp_path, tmp_path / "run", []))
    assert [one.event["n"] for one in told] == list(range(len(told)))
    assert all(isinstance(one, Told) for one in told)
    assert len(told) > 2
