from types import SimpleNamespace

import pytest
import torch

from sda.app.making import Order, make
from sda.config.verbs import AUTO_LENGTH, LONGEST_S, GenerateConfig
from sda.errors import ConfigError
from sda.models.priors.prior import Drawn


def test_lengths_as_in_the_corpus_need_a_run_that_knows_them():
    synthesizer = SimpleNamespace(prior=SimpleNamespace(names=[]))
    order = Order(synthesizer, [], GenerateConfig(run="last", duration_s=AUTO_LENGTH), 1.0)
    with pytest.raises(ConfigError, match="duration_s=4"):
        next(make(order))


def test_a_model_that_says_its_recordings_last_for_years_gives_an_hour_at_most(monkeypatch):
    hop, rate_hz, asked = 10, 1000, []

    class _Endless:
        hop_samples = hop
        features = SimpleNamespace(sample_rate_hz=rate_hz)
        prior = SimpleNamespace(names=["a"], draw_length=lambda seed: 1 << 50)

        def count_points(self, n_samples):
            asked.append(n_samples)
            return n_samples // hop

        def sample_stretches(self, n_points, seed, *, whole=False):
            yield Drawn(torch.ones(1, 4), torch.ones(4, 1), torch.zeros(4))

        def decode_stretches(self, path, n_samples, seed=None):
            yield torch.ones(10)

    order = Order(_Endless(), [], GenerateConfig(run="last", n=1, duration_s=AUTO_LENGTH), 1.0)
    next(make(order))
    assert set(asked) == {round(LONGEST_S * rate_hz)}
