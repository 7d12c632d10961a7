"""Events as a run tells them, in few words."""

from sda.training.events import (
    EpochMetrics,
    RunStarted,
    StepMetrics,
    TrainingCompleteEvent,
)


def started(**fields) -> RunStarted:
    values = {"n_parameters": 1, "device": "cpu", "precision": "float32", "n_train_files": 3, "n_val_files": 1}
    values |= {"n_train_chunks": 9, "n_val_chunks": 2, "run_dir": "/run", "total_epochs": 4, "total_steps": 8}
    return RunStarted(**(values | {"steps_per_epoch": 2} | fields))


def step(number: int) -> StepMetrics:
    return StepMetrics((number + 1) // 2, number, 8, 0.5, 0.4, 0.1, 1.0, 1e-3, 0.01)


def epoch(number: int, is_best: bool = False) -> EpochMetrics:
    return EpochMetrics(number, 4, 0.3, 0.4, 0.3, 0.1, 20.0, 0.1, 1e-3, 60.0, 2.0 * number, is_best=is_best)


def complete(n_epochs: int = 4) -> TrainingCompleteEvent:
    return TrainingCompleteEvent(n_epochs, 8.0, 0.3, 0.4, 0.4, 2)


class Recorder(list):
    def __call__(self, event):
        self.append(event)
