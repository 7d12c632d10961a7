"""A sweep from the outside: begun, and at its end, whatever that is, told in the terminal, on a page and to MLflow."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from sda.errors import DamagedError
from sda.report.run_summary import describe_link
from sda.runs.sweep_command import list_swept, name_setting
from sda.runs.sweep_folder import BEGUN, JobEnd, begin_session, hold_sweep, read_command, read_job_ends
from sda.stored import pass_over
from sda.terminal import print_lines
from sda.tracking.deadline import DEADLINE_S, answer_in_time
from sda.tracking.delivery_state import SETTINGS, read_settings, read_state
from sda.tracking.sweep_parent import read_parent

OUTCOMES = {
    "found": "had finished before",
    "continued": "went on from a checkpoint",
    "trained": "trained",
    "stopped": "stopped",
    "failed": "failed",
    BEGUN: "ended without a word",
}
NOT_DONE = ("stopped", "failed", BEGUN)


@dataclass
class Sweep:
    """One call of `train.py -m`."""

    folder: Path
    session: int
    objective: str
    lock: FileLock

    @classmethod
    def begin(cls, folder: Path, arguments: Sequence[str], objective: str) -> "Sweep":
        """Hold the sweep's folder and note the command there.

        Raises:
            ConfigError: another process is at it.
        """
        lock = hold_sweep(folder)
        return cls(folder, begin_session(folder, arguments), objective, lock)

    def end(self, console: Console) -> int:
        """Say what became of each job and what all runs of the sweep say together; gives the number that failed."""
        ends = read_job_ends(self.folder, self.session)
        print_lines(console, ["", *describe_ends(ends, read_command(self.folder))])
        if any(end.outcome in ("found", "continued", "trained") for end in ends):
            self._compare(console)
        self.lock.release()
        return sum(end.outcome in ("failed", BEGUN) for end in ends)

    def _compare(self, console: Console) -> None:
        from sda.app.compare import compare_sweep
        from sda.report.comparison_lines import format_comparison
        from sda.report.comparison_report import write_comparison

        comparison = compare_sweep(self.folder, self.objective)
        print_lines(console, ["", *format_comparison(comparison)])
        written = write_comparison(self.folder, comparison)
        print_lines(console, [f"  read and listen: {written.page}"])
        tracked = self._find_tracked()
        if tracked is None or not read_parent(self.folder):
            return
        from sda.report.sweep_news import describe_sweep, link_to_sweep
        from sda.tracking.delivery import try_to_tell_sweep

        settings = read_settings(tracked)
        news, late = describe_sweep(comparison, written), f"still telling it after {DEADLINE_S:g} s"
        problem = answer_in_time(lambda: try_to_tell_sweep(self.folder, settings, news), late, DEADLINE_S)
        if problem:
            print_lines(console, [f"! MLflow was not told what the sweep came to: {problem}"])
        link = link_to_sweep(settings, read_state(tracked), read_parent(self.folder), self.objective)
        print_lines(console, [f"  MLflow: {describe_link(link)}"])

    def _find_tracked(self) -> Path | None:
        """A run of the sweep that MLflow knows; damaged ones are named and passed over."""
        for path in self.folder.glob(f"*/{SETTINGS}"):
            try:
                read_settings(path.parent), read_state(path.parent)
            except DamagedError as damage:
                pass_over(damage)
            else:
                return path.parent
        return None


def describe_ends(ends: Sequence[JobEnd], command: Sequence[str]) -> list[str]:
    """What became of a call's jobs: how many of each, and which were not simply trained."""
    counts = Counter(end.outcome for end in ends)
    parts = [f"{counts[outcome]} {words}" for outcome, words in OUTCOMES.items() if counts[outcome]]
    lines = [f"sweep: {len(ends)} job{'' if len(ends) == 1 else 's'}; {', '.join(parts) or 'none began'}"]
    for end in ends:
        if end.outcome != "trained":
            mark = "! " if end.outcome in NOT_DONE else "  "
            reason = f": {end.reason}" if end.reason else ""
            swept = name_setting(list_swept(end.overrides, command))
            lines.append(f"{mark}job {end.job} ({swept}) {OUTCOMES.get(end.outcome, end.outcome)}{reason}")
    if any(counts[outcome] for outcome in NOT_DONE):
        lines.append("  to run these again, and no others: the same command with sweep.resume=true")
    return lines
