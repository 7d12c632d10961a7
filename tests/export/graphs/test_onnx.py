"""The graphs give what the model gives, and what is said of them is enough to use them without sda."""

import json
import math

import numpy as np
import pytest
import torch

from sda.audio.mel import LogMel
from sda.audio.noise import draw_noise
from sda.errors import CheckpointError, ConfigError
from sda.export import onnx_check, onnx_graph
from sda.export.onnx import write_onnx
from sda.generation.mel_synthesizer import MelSynthesizer
from sda.models.mel_vae import MelVAE
from tests.conftest import RATE_HZ
from tests.export.graphs.conftest import GAIN_DB

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.slow

GAIN = 10 ** (GAIN_DB / 20)


@pytest.fixture(scope="module")
def exported(synthesizer, description, graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sda.export.onnx.translate", lambda *given: graphs)
        written = write_onnx(synthesizer, description, folder)
    assert [path.name for path in written] == ["decoder.onnx", "encoder.onnx", "model.json"]
    return folder


@pytest.fixture(scope="module")
def card(exported):
    return json.loads((exported / "model.json").read_text())


@pytest.fixture(scope="module")
def run(exported):
    sessions = {
        name: onnx_check.open_graph((exported / f"{name}.onnx").read_bytes()) for name in ("encoder", "decoder")
    }
    return lambda name, **inputs: sessions[name].run(None, inputs)[0]


def hear(frequency_hz, level, n_samples=RATE_HZ):
    return (level * np.sin(2 * np.pi * frequency_hz * np.arange(n_samples) / RATE_HZ)).astype(np.float32)[None]


def test_a_sound_goes_through_the_graphs_as_it_goes_through_the_model(run, synthesizer):
    sound = 0.05 * draw_noise(3, 0, RATE_HZ + 77)
    latents = run("encoder", waveform=sound.numpy()[None])
    torch.testing.assert_close(torch.from_numpy(latents[0]), synthesizer.encode(sound * GAIN), atol=1e-4, rtol=1e-4)
    n_latents = latents.shape[2]
    noise = draw_noise(5, 0, synthesizer.model.count_noise(n_latents)).numpy()[None]
    made = run("decoder", latents=latents, noise=noise, more_noise=np.zeros((1, n_latents), np.float32))
    expected = synthesizer.decode(torch.from_numpy(latents[0]), len(sound), seed=5) / GAIN
    assert onnx_check.measure_error_db(torch.from_numpy(made[0, : len(sound)]), expected) < -100


def test_stretches_with_the_context_that_the_card_names_leave_no_trace(run, card, synthesizer):
    context, hop = card["decoder"]["context_latents"], card["hop_samples"]
    n_latents, first, last = 3 * context, context + 2, context + 9
    path = synthesizer.sample(n_latents, 1)[None].numpy()
    more_noise = np.linspace(-2, 2, n_latents, dtype=np.float32)[None]

    def decode(begin, end):
        noise = draw_noise(5, begin * hop, synthesizer.model.count_noise(end - begin)).numpy()[None]
        return run("decoder", latents=path[..., begin:end], noise=noise, more_noise=more_noise[:, begin:end])[0]

    whole, stretch = decode(0, n_latents), decode(first - context, last + context)
    own = stretch[context * hop : -context * hop]
    np.testing.assert_allclose(own, whole[first * hop : last * hop], atol=1e-5)
    with pytest.raises(AssertionError):  # half of it is too little
        np.testing.assert_allclose(decode(first - 1, last + 1)[hop:-hop], whole[first * hop : last * hop], atol=1e-5)


def test_latents_of_a_piece_with_its_context_are_those_of_the_whole(run, card):
    context, hop = card["encoder"]["context_latents"], card["hop_samples"]
    sound = draw_noise(3, 0, 2 * RATE_HZ).numpy()[None]
    whole = run("encoder", waveform=sound)
    piece = run("encoder", waveform=sound[:, 4 * hop : (4 + 2 * context + 5) * hop])
    inside = slice(4 + context, 4 + context + 5)
    np.testing.assert_allclose(piece[..., context : context + 5], whole[..., inside], atol=1e-4)


def test_loudness_is_what_the_card_says(run, card):
    for level in (0.5, 0.05):
        latents = run("encoder", waveform=hear(1000, level))
        loudness = card["loudness"]
        middle = latents[0, loudness["dims"], latents.shape[2] // 2].mean()
        dbfs = loudness["db_per_unit"] * middle + loudness["dbfs_at_zero"]
        assert dbfs == pytest.approx(20 * math.log10(level / math.sqrt(2)), abs=0.1)


def _philox(key, counter):
    """Ten rounds, as the paper has them."""
    c, k, mask = [counter, 0, 0, 0], [key, 0], 2**64 - 1
    for _ in range(10):
        high0, low0 = divmod(c[0] * 0xD2E7470EE14C6C93, 2**64)
        high1, low1 = divmod(c[2] * 0xCA5A826395121157, 2**64)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
    return c


def test_noise_can_be_drawn_by_what_the_card_says(card):
    assert "Philox4x64-10" in card["noise"]["generator"]
    samples = []
    for block in range(3):
        for word in _philox(7, block + 1):
            a, b = ((word >> 32) + 0.5) / 2**32, ((word % 2**32) + 0.5) / 2**32
            r = math.sqrt(-2 * math.log(a))
            samples += [r * math.cos(2 * math.pi * b), r * math.sin(2 * math.pi * b)]
    np.testing.assert_allclose(draw_noise(7, 0, 24), samples, rtol=1e-6)


def test_the_card_says_what_goes_in_and_out_and_how_well_it_agrees(card, exported):
    import onnx

    for name in ("encoder", "decoder"):
        graph = onnx.load(exported / f"{name}.onnx").graph
        for listed, found in (("inputs", graph.input), ("outputs", graph.output)):
            assert [one["name"] for one in card[name][listed]] == [one.name for one in found]
    assert (card["license"], card["name"], card["epoch"]) == ("CC0", "rain", 7)
    assert (card["sample_rate_hz"], card["hop_samples"], card["latent_dim"]) == (RATE_HZ, 512, 8)
    agreement = card["agreement"]
    assert agreement["decoder_error_db"] < agreement["decoder_error_db_allowed"] == -80
    assert agreement["encoder_max_abs"] < agreement["encoder_max_abs_allowed"]
    assert str(exported) not in json.dumps(card)


def test_a_graph_that_gives_something_else_is_refused(synthesizer, exported):
    decoder = onnx_graph.Decoder(synthesizer.model, GAIN * 1.01)  # a tenth of a dB louder
    encoder = onnx_graph.Encoder(synthesizer.model, synthesizer.features, GAIN)
    graphs = [(exported / f"{name}.onnx").read_bytes() for name in ("encoder", "decoder")]
    onnx_check.compare(encoder, onnx_graph.Decoder(synthesizer.model, GAIN), *graphs)
    with pytest.raises(CheckpointError, match=r"sound by -40 dB \(allowed is -80\)"):
        onnx_check.compare(encoder, decoder, *graphs)


def test_what_is_no_number_is_never_close_enough():
    assert onnx_check.measure_error_db(torch.tensor([torch.nan]), torch.ones(1)) == math.inf


def test_another_network_is_refused_by_name(description, tmp_path):
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    with pytest.raises(ConfigError, match="format=onnx needs a run with model=spectral_vae"):
        write_onnx(MelSynthesizer(MelVAE(32, 32, 8), features), description, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_how_to_install_it(synthesizer, description, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "NEEDED", ("onnx", "onnxscribe"))
    with pytest.raises(ConfigError, match=r"needs onnxscribe, which is not installed: make setup, or uv pip install"):
        write_onnx(synthesizer, description, tmp_path)
