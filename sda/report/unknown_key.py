"""A key that a verb does not have: the keys of that verb that may have been meant, and the verbs that have it."""

import difflib
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sda.config.help import SCHEMAS
from sda.config_field import list_traits
from sda.errors import ConfigError
from sda.runs.folder import flatten
from sda.shell import name_command, name_verb

_GROUPS = dict.fromkeys(("scan", "train"), ("experiment",))
"""Groups of files that are chosen by name and are no section of the configuration."""
_SAID_ELSEWHERE = ("preset.", "training.regularization.")
"""Sections whose keys repeat others: the layer below them, and a view of them."""
_LIKE = 0.7
_NEARLY_AS_LIKE = 0.1
_MOST = 3


def explain_unknown_key(verb: str, key: str) -> str:
    """That a verb does not have a key, what may have been meant, and where all keys stand.

    >>> explain_unknown_key("train", "dropout")
    'train.py has no key dropout. Did you mean regularization.dropout? Every key with its range: python train.py --help'
    >>> explain_unknown_key("generate", "runs")
    'generate.py has no key runs; compare.py has. Did you mean run? Every key with its range: python generate.py --help'
    """
    others = [name_verb(other) for other in SCHEMAS if other != verb and key in list_keys_of(other)]
    named = " and ".join(filter(None, (", ".join(others[:-1]), *others[-1:])))
    elsewhere = f"; {named} {'has' if len(others) == 1 else 'have'}" if others else ""
    near = find_near_keys(verb, key)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{name_verb(verb)} has no key {key}{elsewhere}.{meant} {point_to_keys(verb)}"


def refuse_added_keys(verb: str, composed: DictConfig) -> None:
    """Refuse what was put into a configuration with `+` and nothing would read.

    Raises:
        ConfigError: with the key.
    """
    known = frozenset(list_keys_of(verb))
    values = cast(dict[str, Any], OmegaConf.to_container(composed, resolve=False))
    added = next((key for key in flatten(values) if key not in known), None)
    if added is not None:
        raise ConfigError(explain_unknown_key(verb, added))


def point_to_keys(verb: str) -> str:
    """Where all keys of a verb are listed."""
    return f"Every key with its range: {name_command(verb)} --help"


def list_keys_of(verb: str) -> list[str]:
    """All keys of a verb, sections among them."""
    return [*list_traits(SCHEMAS[verb]), *_GROUPS.get(verb, ())]


def find_near_keys(verb: str, key: str) -> list[str]:
    """Keys of a verb that end in the same word; where none does, those that are written most like it.

    >>> find_near_keys("train", "latent_dim"), find_near_keys("train", "regularisation.dropot")
    (['training.latent_dim', 'model.latent_dim'], ['regularization.dropout'])
    >>> find_near_keys("generate", "duration"), find_near_keys("evaluate", "xyz")
    (['duration_s'], [])
    """
    last = key.rpartition(".")[2]
    known = list_keys_of(verb)
    own = [one for one in known if not one.startswith(_SAID_ELSEWHERE)]
    for keys in (own, known):
        same = [one for one in keys if one.rpartition(".")[2] == last]
        if same:
            return same
    alike = {one: max(_compare(one, key), _compare(one.rpartition(".")[2], last)) for one in own}
    best = max(alike.values())
    found = sorted(own, key=lambda one: -alike[one])
    return [one for one in found if alike[one] >= max(_LIKE, best - _NEARLY_AS_LIKE)][:_MOST]


def _compare(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
