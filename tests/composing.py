"""Configurations as a verb composes them, in the process of a test."""

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from sda.app.hydra_call import CONFIG_DIR  # which registers the resolvers
from sda.config.store import register_configs


def compose_verb(verb: str, *overrides: str, **options: Any) -> DictConfig:
    """What Hydra makes of the keys that a verb is given; `options` are those of `hydra.compose`."""
    register_configs(verb)
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose(verb, overrides=list(overrides), **options)
