import json
import sys

import torch

from experiments.gpu import __main__ as gpu
from experiments.gpu.cost import Arrangement, Cost

CPU = torch.device("cpu")


def make_cost(size: str, batch_size: int, step_s: float, *, compiled: bool = False) -> Cost:
    return Cost(Arrangement(size, batch_size, "bfloat16", compiled), step_s, kernels_s=step_s / 4, memory=2**30)


def test_a_step_is_measured_and_taken_apart(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "measure_drawing", lambda device, quick: [])  # a section of the bench, tested there
    output = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--quick", "--device=cpu", f"--output={output}"])
    gpu.main()
    report = json.loads(output.read_text())
    (cost,) = report["costs"]
    assert cost["arrangement"] == {"size": "tiny", "batch_size": 1, "precision": "float32", "compiled": False}
    assert cost["sound_per_s"] == cost["steps_per_s"] > 0
    assert cost["floor_share"] is None
    assert max(report["kernels_s"], key=report["kernels_s"].get) in capsys.readouterr().out


def test_what_there_is_no_time_or_no_memory_for_is_named(monkeypatch, capsys):
    def measure(arrangement, device, *, quick):
        if arrangement.batch_size == 512:
            raise torch.OutOfMemoryError
        return make_cost(arrangement.size, arrangement.batch_size, 0.1)

    monkeypatch.setattr(gpu, "measure_cost", measure)
    costs, left_out = gpu.measure_all(CPU, deadline=float("inf"), quick=False)
    assert len(costs) == 18
    assert set(left_out.values()) == {"no memory"}
    assert "base 512 float32 eager (no memory)" in capsys.readouterr().out
    costs, left_out = gpu.measure_all(CPU, deadline=0.0, quick=False)
    assert len(costs) == 1
    assert list(left_out.values()).count("no time") == 23


def test_a_gpu_is_asked_for_graphs_too():
    arrangements = list(gpu.list_arrangements(torch.device("cuda")))
    assert len(arrangements) == len(set(arrangements)) == 36
    assert sum(arrangement.compiled for arrangement in arrangements) == 12


def test_the_smallest_batch_that_is_nearly_as_fast_is_advised():
    costs = [make_cost("tiny", 8, 0.01), make_cost("tiny", 32, 0.0205), make_cost("tiny", 128, 0.08)]
    (line,) = gpu.advise(costs)
    assert line.startswith("tiny 32 bfloat16 eager: 1561 s of sound a second, 98% of the most")
    assert str(costs[0]).split() == ["tiny", "8", "bfloat16", "eager", "10.00", "100.0", "800", "25%", "1.00"]
