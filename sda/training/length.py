"""Length of a run: a number of epochs, or a time, for which steps are planned anew while the run goes on.

A run that is to end in time cannot know its length when it begins. It is planned from what a step and the pause between
two epochs take, and both are measured as it goes on. Learning rate, KL warm-up and adversarial phase follow the share
of the run that is over, so that they come to their end with it, whatever is planned anew.
"""

import math
from dataclasses import dataclass, field
from typing import Protocol

from sda.training.schedule import share_done
from sda.training.state import Progress

REPLAN_EVERY_S = 10.0
"""The steps left are counted anew this often within an epoch."""
MOST_END = 0.5
"""Share of the time that is kept for the end at most, however long that may take."""
WORTH_GOING_ON = 0.05
"""Steps that a run goes on for, as a share of those taken: fewer are not worth being judged for themselves."""
LEAST_TIMED_STEPS = 8
"""Steps of an epoch before their pace counts: fewer say little."""


class RunLength(Protocol):
    """How long a run is; `steps_per_epoch` are those of a whole epoch."""

    def count_total(self, progress: Progress, steps_per_epoch: int) -> int:
        """Steps of the whole run, as far as is known."""

    def plan(self, progress: Progress, steps_per_epoch: int) -> None:
        """Settle `progress.total_steps`."""

    def begin_epoch(self, progress: Progress, steps_per_epoch: int) -> None:
        """Before the first step of an epoch, or of what is left of it."""

    def end_step(self, progress: Progress, steps_per_epoch: int) -> None:
        """After a step."""

    def end_epoch(self, progress: Progress, steps_per_epoch: int) -> None:
        """After the last step of an epoch, before it is judged."""

    def is_spent(self, progress: Progress, steps_per_epoch: int) -> bool:
        """Whether the run is at its end; asked before every step and between two epochs."""


@dataclass(frozen=True)
class EpochCount:
    """A run of so many whole epochs."""

    max_epochs: int

    def count_total(self, progress: Progress, steps_per_epoch: int) -> int:
        """Steps of all epochs."""
        return self.max_epochs * steps_per_epoch

    def plan(self, progress: Progress, steps_per_epoch: int) -> None:
        """Settle the steps of all epochs; a run that had a time before has none any more."""
        progress.total_steps = self.count_total(progress, steps_per_epoch)
        progress.planned_at, progress.planned_share = 0, 0.0

    def begin_epoch(self, progress: Progress, steps_per_epoch: int) -> None:
        """Nothing changes."""

    def end_step(self, progress: Progress, steps_per_epoch: int) -> None:
        """Nothing changes."""

    def end_epoch(self, progress: Progress, steps_per_epoch: int) -> None:
        """Nothing changes."""

    def is_spent(self, progress: Progress, steps_per_epoch: int) -> bool:
        """Whether all epochs were trained."""
        return progress.epoch >= self.max_epochs


@dataclass
class TimeBudget:
    """A run that is to end in time.

    What is not measured yet is told in steps, so that it follows their pace: a machine that is slow, or busy with other
    things, is so in everything.

    Args:
        seconds: from the first step on, for all training, judging, previews and saving of the run and for what comes
            after, over all its continuations.
        step_s: what a step takes, until it is measured.
        pause_steps: what lies between the last step of an epoch and the first of the next, as so many steps, until it
            is measured.
        end_steps: what comes after the last step, as so many steps; no more than `MOST_END` of the time is kept for it.
    """

    seconds: float
    step_s: float
    pause_steps: float = 0.0
    end_steps: float = 0.0
    _pauses: list[float] = field(default_factory=list)
    _timed_from: tuple[int, float] = (0, 0.0)
    """Step, and time of training, from which on steps of this epoch are timed."""
    _last_step_at: float | None = None
    _planned_at: float = -math.inf
    _is_timed: bool = False
    """Whether steps of this process were timed."""

    @property
    def pause_s(self) -> float:
        """What lies between the last step of an epoch and the first of the next."""
        return sum(self._pauses) / len(self._pauses) if self._pauses else self.pause_steps * self.step_s

    @property
    def end_s(self) -> float:
        """What is kept for the end."""
        return min(self.end_steps * self.step_s, MOST_END * self.seconds)

    def begin_epoch(self, progress: Progress, steps_per_epoch: int) -> None:
        """Plan, knowing what the pause before took; steps are timed from here."""
        if self._last_step_at is not None:
            self._pauses.append(progress.elapsed_s - self._last_step_at)
        self._timed_from = (progress.step, progress.elapsed_s)
        self.plan(progress, steps_per_epoch)

    def end_step(self, progress: Progress, steps_per_epoch: int) -> None:
        """Time a step, and plan anew where the last plan is old."""
        if self._last_step_at is None:  # a process's first step is no measure: with it come memory, kernels, previews
            self._timed_from = (progress.step, progress.elapsed_s)
        first, began = self._timed_from
        self._last_step_at = progress.elapsed_s
        if progress.step - first >= LEAST_TIMED_STEPS:
            self.step_s = (progress.elapsed_s - began) / (progress.step - first)
            if not self._is_timed or progress.elapsed_s - self._planned_at >= REPLAN_EVERY_S:
                self.plan(progress, steps_per_epoch)
            self._is_timed = True

    def end_epoch(self, progress: Progress, steps_per_epoch: int) -> None:
        """Before an epoch is judged: it is the last one where, after that, too little time would be left."""
        left_s = self.seconds - self.end_s - progress.elapsed_s - self.pause_s
        if count_steps(left_s, self.step_s, self.pause_s, steps_per_epoch) < max(1.0, WORTH_GOING_ON * progress.step):
            replan(progress, progress.step)

    def is_spent(self, progress: Progress, steps_per_epoch: int) -> bool:
        """Whether the run is at its end: asked where the last plan ends, and between two epochs.

        It goes on where there is time that is worth another pause.
        """
        is_between = progress.batch == 0 and progress.step > 0
        if progress.step < (progress.total_steps or 0) and not is_between:
            return False
        n_left = self.count_left(progress, steps_per_epoch)
        is_over = n_left < max(1.0, WORTH_GOING_ON * progress.step)
        replan(progress, progress.step + (0 if is_over else n_left))
        return is_over

    def plan(self, progress: Progress, steps_per_epoch: int) -> None:
        """Let the run end where its time does."""
        replan(progress, self.count_total(progress, steps_per_epoch))
        self._planned_at = progress.elapsed_s

    def count_total(self, progress: Progress, steps_per_epoch: int) -> int:
        """Steps that were taken, and those that there still is time for."""
        return progress.step + self.count_left(progress, steps_per_epoch)

    def count_left(self, progress: Progress, steps_per_epoch: int) -> int:
        """Steps that there still is time for."""
        return count_steps(self.seconds - self.end_s - progress.elapsed_s, self.step_s, self.pause_s, steps_per_epoch)


def count_steps(seconds: float, step_s: float, pause_s: float, steps_per_epoch: int) -> int:
    """Steps that there is time for, with a pause after every epoch and after the last step.

    >>> count_steps(100.0, step_s=1.0, pause_s=10.0, steps_per_epoch=20)
    60
    """
    return max(0, math.floor((seconds - pause_s) / (step_s + pause_s / steps_per_epoch)))


def replan(progress: Progress, total_steps: int) -> None:
    """Let a run end at another step: what has been done stays the share that it was, and the rest is stretched.

    A run that is to be longer stands where one that had always been so long would stand at its step: it has more to
    learn, and a learning rate that has fallen already would not let it.
    """
    former, step = progress.total_steps, progress.step
    total_steps = max(1, step, total_steps)
    share = step / total_steps
    if former is not None and step < former:
        share = min(share, share_done(step, former, progress.planned_at, progress.planned_share))
        stretch = (total_steps - step) / (former - step)
        progress.kl_warmup_steps = _stretch(progress.kl_warmup_steps, step, stretch)
        progress.second_phase_step = _stretch(progress.second_phase_step, step, stretch)
    progress.planned_at, progress.planned_share, progress.total_steps = step, share, total_steps


def _stretch(place: int | None, step: int, stretch: float) -> int | None:
    """Where a step that is still to come moves to."""
    return place if place is None or place <= step else step + math.ceil((place - step) * stretch)
