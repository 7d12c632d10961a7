"""How many recordings generated sounds are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sda.evaluation.assessment import Assessment
from sda.evaluation.sounds import Sound
from sda.generation.provenance import list_main


@dataclass(frozen=True)
class Recordings:
    """How many recordings sounds are made of, and how much of a sound comes from one alone."""

    recordings_per_sound: float
    """Those with a share that is worth naming, the mean over sounds."""
    largest_share: float
    """Share of the recording that makes up most of a sound, the mean over sounds."""
    recordings_used: int
    """Of all sounds together."""


def list_made(assessment: Assessment) -> list[tuple[Sound, dict[str, Any]]]:
    """The generated sounds of which it is known what they are made of, each with that, see `Provenance.describe`."""
    # Of two folders of sound, nothing is known.
    together = zip(assessment.audio.generated, assessment.made_of, strict=False)
    return [(sound, made_of) for sound, made_of in together if made_of]


def count_recordings(made_of: Sequence[dict[str, Any]]) -> Recordings | None:
    """Count the recordings that sounds are made of; nothing where it is known of none.

    Args:
        made_of: what each is made of, see `Provenance.describe`.
    """
    if not made_of:
        return None
    main = [list_main(one) for one in made_of]
    return Recordings(
        recordings_per_sound=sum(map(len, main)) / len(main),
        largest_share=sum(max(one["shares"].values(), default=0.0) for one in made_of) / len(made_of),
        recordings_used=len({name for names in main for name in names}),
    )
