import numpy as np
import pytest

from sda.api.settings import settle
from sda.config.verbs import BlendLoudness
from sda.errors import ConfigError


def test_values_of_python_become_those_of_the_command_line(tmp_path):
    values = {"run": tmp_path, "novelty": np.float32(0.5), "loudness": "first", "level": np.array([[0, -3.0], [2, 3]])}
    config = settle("generate", {**values, "memory_s": None, "share": ((0, 0.25), (np.float64(1.5), 1))})
    assert (config.run, config.novelty, config.loudness) == (str(tmp_path), 0.5, BlendLoudness.first)
    assert (config.level, config.share, config.memory_s) == ("0.0:-3.0,2.0:3.0", "0:0.25,1.5:1", None)


def test_a_value_is_never_resolved():
    assert settle("generate", {"run": "${oc.env:HOME}"}).run == "${oc.env:HOME}"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"novelti": 1}, "generate.py has no key novelti. Did you mean novelty"),
        ({"novelty": 2}, "novelty=2.0 is out of range: allowed is at least 0 and at most 1"),
        ({"novelty": "much"}, "Value 'much' of type 'str' could not be converted to Float"),
        ({"duration_s": "soon"}, "duration_s=soon is not allowed: give seconds"),
        ({"mode": "vari"}, "Invalid value 'vari', expected one of"),
    ],
)
def test_errors_are_those_of_the_command_line(values, words):
    with pytest.raises(ConfigError, match=words):
        settle("generate", {"run": "last", **values})
