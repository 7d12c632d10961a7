"""What is compared: a file in an experiment's folder."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf


@dataclass(frozen=True)
class Plan:
    """Variants, and how long each is trained."""

    cpu_minutes: float
    common: list[str]
    """What every variant is told."""
    variants: dict[str, list[str]]
    """What each is told besides, by name; the first is the one that the others are compared with."""
    seeds: list[int]


def read_plan(path: Path) -> Plan:
    """The plan that a YAML file describes by the fields of `Plan`.

    Raises:
        ValueError: there is nothing to compare.
    """
    values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    plan = Plan(**values)
    if not plan.variants or not plan.seeds:
        raise ValueError(f"{path} names no variant, or no seed")
    return plan
