from types import SimpleNamespace

import pytest
import soundfile
import torch

from sda.app.making import Order, make
from sda.audio.given import SoundFile
from sda.config.verbs import AUTO_LENGTH, LONGEST_S, GenerateConfig, GenerateMode
from sda.errors import ConfigError
from sda.generation.synthesizer import generate_sound
from sda.models.priors.prior import Drawn
from tests.generation.conftest import RATE_HZ, features, sound, spectral_synthesizer  # noqa: F401


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


def _make(synthesizer, sources, **settings):
    order = Order(synthesizer, [SoundFile(path) for path in sources], GenerateConfig(run="last", **settings), 1.0)
    return [(torch.cat(list(made.stretches)), made) for made in make(order)]


@pytest.fixture
def source(tmp_path, spectral_synthesizer):  # noqa: F811
    path = tmp_path / "voice.wav"
    soundfile.write(path, generate_sound(spectral_synthesizer, RATE_HZ, seed=4, number=1).numpy(), RATE_HZ)
    return str(path)


def test_a_source_is_played_once_by_the_recordings_that_are_named(spectral_synthesizer, source):  # noqa: F811
    settings = {"mode": GenerateMode.transfer, "n": 4, "duration_s": 0.5}
    ((played, made),) = _make(spectral_synthesizer, [source], **settings)
    assert len(played) == round(0.5 * RATE_HZ)
    assert made.sources == [source]
    assert sum(made.provenance.describe()["shares"].values()) == pytest.approx(1.0, abs=1e-3)
    ((again, _),) = _make(spectral_synthesizer, [source], **settings)
    assert torch.equal(played, again)


def test_a_walk_goes_past_the_moments_that_are_named(spectral_synthesizer):  # noqa: F811
    settings = {"mode": GenerateMode.walk, "n": 2, "duration_s": 1}
    (one, made), (other, _) = _make(spectral_synthesizer, [], places="first@0,second@0.5", **settings)
    assert len(one) == len(other) == RATE_HZ
    assert not torch.equal(one, other)
    assert set(made.provenance.describe()["shares"]) == {"first", "second"}
    with pytest.raises(ConfigError, match=r"places=first@0,third@0: there is no recording third .* such as first"):
        _make(spectral_synthesizer, [], places="first@0,third@0", **settings)


def test_a_blend_goes_from_one_sound_to_the_other(spectral_synthesizer, source):  # noqa: F811
    settings = {"mode": GenerateMode.blend, "n": 1, "duration_s": 0.5}
    (changing, whole) = (
        _make(spectral_synthesizer, [source, source], share=share, **settings)[0][0] for share in ("0:0,0.5:1", 0.5)
    )
    torch.testing.assert_close(changing, whole, atol=1e-4, rtol=1e-3)
