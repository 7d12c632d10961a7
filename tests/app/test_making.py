from types import SimpleNamespace

import pytest

from sda.app.making import Order, make
from sda.config.verbs import AUTO_LENGTH, GenerateConfig
from sda.errors import ConfigError


def test_lengths_as_in_the_corpus_need_a_run_that_knows_them():
    synthesizer = SimpleNamespace(prior=SimpleNamespace(names=[]))
    order = Order(synthesizer, [], GenerateConfig(run="last", duration_s=AUTO_LENGTH), 1.0)
    with pytest.raises(ConfigError, match="duration_s=4"):
        next(make(order))
