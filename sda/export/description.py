"""What an export says of its model, whichever format it has."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Description:
    """Facts about a model that go with it. What names the user's files or folders is not among them."""

    name: str
    """Of the model, and of the files that are written, without an ending."""
    epoch: int
    """The epoch that it is of."""
    config: dict[str, Any]
    """Its configuration as plain values, resolved, without places on this machine."""
    license: str
    """What the user says that others may do with it; empty where nothing was said."""
