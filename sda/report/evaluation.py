"""An evaluation: its subject, which is a run or folders of sound, what was found, and what can be done next."""

from dataclasses import asdict, dataclass

from sda.evaluation.assessment import Assessment
from sda.evaluation.suite import EvaluationAudio


@dataclass(frozen=True, kw_only=True)
class RunSubject:
    """What is evaluated of a run; its fields are what `evaluation.json` begins with."""

    suite: str
    """`small` or `full`."""
    run: str
    """Its folder."""
    epoch: int
    checkpoint: str
    """`best` or `last`."""
    validation_weakness: str
    """Why what was held out says less than it should; empty where whole groups are."""


@dataclass(frozen=True, kw_only=True)
class FoldersSubject:
    """Folders of sound that are evaluated without a run; its fields are what `evaluation.json` begins with."""

    suite: str = "folders"
    reference: str
    generated: str
    held_out: str
    """Empty where a part of the reference was held out."""
    validation_weakness: str
    """Why what was held out says less than it should; empty where it does not."""


@dataclass(frozen=True)
class Evaluation:
    """What was evaluated, what was found, and what can be done next."""

    subject: RunSubject | FoldersSubject
    assessment: Assessment
    command: str = ""
    """As it can be pasted; empty where there is no run."""


def list_facts(evaluation: Evaluation) -> list[str]:
    """What was evaluated, in words: the epoch, the suite, how many files, a line each."""
    facts = asdict(evaluation.subject)
    lines = [f"{key.replace('_', ' ')}: {value}" for key, value in facts.items() if value != ""]
    files = count_files(evaluation.assessment.audio)
    return [
        *lines,
        f"{files['train']} training, {files['held_out']} held-out and {files['generated']} generated sounds",
    ]


def count_files(audio: EvaluationAudio) -> dict[str, int]:
    """How many files were looked at, by kind of sound."""
    return {
        "train": len({sound.name for sound in audio.train}),
        "held_out": len({sound.name for sound in audio.held_out}),
        "generated": len(audio.generated),
    }
