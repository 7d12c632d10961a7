"""Lengths are seconds or `auto`, and every mode of making sound is called as it is asked for."""

import pytest

from sda.config.verbs import AUTO_LENGTH, EvaluateConfig, GenerateConfig, GenerateMode
from sda.errors import ConfigError


@pytest.mark.parametrize(("verb", "key"), [(EvaluateConfig, "generated_s"), (GenerateConfig, "duration_s")])
def test_a_length_is_seconds_or_auto(verb, key):
    for length in (4, 4.5, AUTO_LENGTH):
        assert getattr(verb(**{key: length}), key) == length
    with pytest.raises(ConfigError, match=rf"{key}=long is not allowed: give seconds, such as 4, or auto"):
        verb(**{key: "long"})
    with pytest.raises(ConfigError, match=rf"{key}=-1 is out of range"):
        verb(**{key: -1})


def test_modes_are_called_as_they_are_asked_for():
    assert {mode.name for mode in GenerateMode} == {mode.value for mode in GenerateMode}
    assert GenerateMode["continue"].value == "continue"
