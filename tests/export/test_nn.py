"""A file for nn~, played by a stand-in for its hosts: the same sound as the preview, in whatever blocks and order."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sda.audio.mel import LogMel
from sda.bootstrap import Estimate
from sda.data.corpus import to_amplitude
from sda.errors import ConfigError
from sda.evaluation.controls import ControlProof, CorpusRange, ProvenControls
from sda.export.description import Description
from sda.export.nn import build_nn, check_streamable, draw_bank, list_knobs, write_nn
from sda.export.scripting import script
from sda.export.streams import find_rest, see_latents
from sda.generation.controls import Controls
from sda.generation.curves import Curve
from sda.generation.loudness import LoudnessScale
from sda.generation.mel_synthesizer import MelSynthesizer
from sda.generation.passages import JOIN_POINTS
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.steering import ControlSteering, Direction
from sda.generation.synthesizer import take_seed
from sda.models.mel_vae import MelVAE
from sda.models.spectral_vae import SpectralVAE
from tests.export.nn_host import Host
from tests.export.nn_models import HOP, RATE_HZ, build_synthesizer, make_noise

N_DIMS, N_PATHS, N_POINTS, SEED, GAIN_DB = 8, 2, 20, 3, -6.0
GAIN = to_amplitude(GAIN_DB)
NOVELTIES = (0.0, 0.6)
BUFFERS = (512, 2048, 4096)
CERTAIN = Estimate(1.0, 0.95, 1.0)
SAID = Description(name="tiny", epoch=3, config={"data": {"gain_db": GAIN_DB}}, license="CC0")


@pytest.fixture(scope="module")
def synthesizer():
    return build_synthesizer()


@pytest.fixture(scope="module")
def controls():
    """Level, and brightness in some direction."""
    generator = torch.Generator().manual_seed(5)
    timbre = torch.cat([torch.zeros(4), torch.randn(4, generator=generator)])
    proofs = [
        ControlProof(key, reach, CorpusRange(0.0, 4.0), CERTAIN, CERTAIN, {}, 5)
        for key, reach in (("level", 6.0), ("brightness", 1.5))
    ]
    directions = {"brightness": Direction(timbre, more_noise=0.7)}
    return ProvenControls(Controls(LoudnessScale(4, 8.0, 0.03), directions), proofs, {})


@pytest.fixture(scope="module")
def drawn(synthesizer):
    path_s = N_POINTS * HOP / RATE_HZ
    return draw_bank(synthesizer, novelties=NOVELTIES, n_paths=N_PATHS, path_s=path_s, seed=SEED)


@pytest.fixture(scope="module")
def files(synthesizer, controls, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sda.export.nn.NOVELTIES", NOVELTIES)
        return write_nn(
            synthesizer, replace(SAID, controls=controls), folder,
            lookahead=None, n_paths=N_PATHS, path_s=N_POINTS * HOP / RATE_HZ, seed=SEED,
        )  # fmt: skip


@pytest.fixture
def host(files):
    return Host(files[0])


@pytest.fixture
def preview(synthesizer):
    """What a stream plays along a path, as the synthesizer renders it: behind silence, of which no more is heard than
    comes out before the path."""
    exact = SpectralSynthesizer(synthesizer.model, synthesizer.features, synthesizer.prior, stretch_points=1)
    view = see_latents(synthesizer.model)
    rest = find_rest(synthesizer.model, synthesizer.features)[:, None].expand(-1, view.width)

    def render(path, steering=None, seed=SEED):
        after = torch.cat([rest, path], dim=1)
        steered = exact.adapted(steering=steering)
        blocks = steered.decode_stretches([after], after.shape[1] * HOP, seed, first=-view.width)
        return (torch.cat(list(blocks))[(1 + view.before) * HOP :][: path.shape[1] * HOP] * (1 / GAIN)).numpy()

    return render


def hold(path):
    """Latents as signals, of which the host takes the last sample: what comes before is something else."""
    signals = path.repeat_interleave(HOP, dim=1)
    signals[:, torch.arange(signals.shape[1]) % HOP != HOP - 1] = 9.0
    return signals.numpy()


def silence(n_latents):
    return np.zeros((1, n_latents * HOP), np.float32)


def test_a_host_finds_methods_and_attributes_by_their_names(host):
    assert host.methods == ["encode", "decode", "forward", "sample"]
    assert [host.params(method) for method in host.methods] == [
        [1, 1, N_DIMS, HOP],
        [N_DIMS, HOP, 1, 1],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
    ]
    assert host.least_buffer == HOP
    inlets, outlets = host.label("decode")
    assert inlets == [f"(signal) loudness {n}" for n in (1, 2, 3, 4)] + [f"(signal) timbre {n}" for n in (1, 2, 3, 4)]
    assert outlets == ["(signal) sound"]
    assert host.attributes == ["level", "brightness", "seed", "path", "novelty", "delay"]
    for attribute in host.attributes:
        assert len(host.get(attribute)) == len(getattr(host.model, f"{attribute}_params"))


def test_it_runs_in_a_process_that_knows_nothing_of_sda(files, synthesizer, preview, tmp_path):
    path = synthesizer.sample(24, 1)
    np.save(tmp_path / "path.npy", hold(path))
    np.save(tmp_path / "sound.npy", make_noise(24 * HOP).numpy()[None])
    played = [("decode", "path", 2048), ("forward", "sound", 4096), ("encode", "sound", 512), ("sample", "sound", 1024)]
    steps = [
        ["play", method, str(tmp_path / f"{given}.npy"), buffer, str(tmp_path / f"{method}.npy")]
        for method, given, buffer in played
    ]
    steps.insert(2, ["set", "level", "1.5"])
    score = tmp_path / "score.json"
    score.write_text(json.dumps({"model": str(files[0]), "sample_rate_hz": RATE_HZ, "steps": steps}))
    code = Path(__file__).with_name("nn_host.py")
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(code), str(score)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sda"] == []
    assert np.array_equal(np.load(tmp_path / "decode.npy")[0], preview(path))
    host = Host(files[0])
    sound = np.load(tmp_path / "sound.npy")
    assert np.array_equal(np.load(tmp_path / "forward.npy"), host.play("forward", sound, 512))
    assert np.array_equal(np.load(tmp_path / "encode.npy"), host.play("encode", sound, 4096))


def test_the_file_tells_nothing_of_the_machine_that_wrote_it(files):
    with zipfile.ZipFile(files[0]) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert str(Path(__file__).parents[2]).encode() not in content
    assert sys.prefix.encode() not in content
    assert b"heron" not in content, "nor of the recordings"


@pytest.mark.parametrize("buffer", BUFFERS)
def test_decode_is_the_preview_bit_for_bit(host, synthesizer, preview, buffer):
    path = synthesizer.sample(24, 1)
    played = host.play("decode", hold(path), buffer)[0]
    assert len(played) == 24 * HOP
    assert np.array_equal(played, preview(path))


def test_encode_gives_latents_that_decode_to_the_sound_of_forward(host, files):
    sound = make_noise(48 * HOP).numpy()[None]
    both = host.play("forward", sound, 2048)
    latents = host.play("encode", sound, 2048)
    one_by_one = host.play("decode", latents, 2048)
    assert np.array_equal(both, one_by_one)
    _, _, delay = host.get("delay")
    heard, given = both[0, delay:], sound[0, : 48 * HOP - delay]
    levels = [np.log(np.square(one[: len(one) // HOP * HOP].reshape(-1, HOP)).mean(1) + 1e-9) for one in (heard, given)]
    assert np.corrcoef(levels[0][8:], levels[1][8:])[0, 1] > 0.9, "as late as it says"


def test_the_hosts_buffer_leaves_no_trace(files):
    sound = make_noise(24 * HOP).numpy()[None]
    for method, given in (("encode", sound), ("forward", sound), ("sample", silence(24))):
        played = [Host(files[0]).play(method, given, buffer) for buffer in BUFFERS]
        assert all(np.array_equal(one, played[0]) for one in played[1:]), method


@pytest.mark.parametrize("buffer", [100, 700])
def test_buffers_that_are_no_whole_latents_lose_nothing(files, buffer):
    sound = make_noise(24 * HOP).numpy()[None]
    whole = Host(files[0]).play("sample", silence(24), 512)
    played = Host(files[0]).play("sample", silence(24), buffer)
    assert np.array_equal(played, whole[:, : played.shape[1]])
    whole = Host(files[0]).play("forward", sound, 512)
    played = Host(files[0]).play("forward", sound, buffer)
    assert np.array_equal(played[:, HOP:], whole[:, : played.shape[1] - HOP]), "it comes a latent later"


def test_methods_may_be_switched_while_it_plays(files, synthesizer, preview):
    host, path, sound = Host(files[0]), synthesizer.sample(24, 1), make_noise(24 * HOP).numpy()[None]
    signals, parts = hold(path), []
    for start in range(0, 24 * HOP, 4 * HOP):
        block = slice(start, start + 4 * HOP)
        parts.append(host.perform("decode", signals[:, block]))
        host.perform("forward", sound[:, block])
        host.perform("encode", sound[:, block])
        host.perform("sample", silence(4))
    assert np.array_equal(np.concatenate(parts, axis=1)[0], preview(path))


def test_two_instances_do_not_hear_each_other(files, synthesizer, preview):
    one, other = Host(files[0]), Host(files[0])
    path, louder = synthesizer.sample(24, 1), synthesizer.sample(24, 2)
    other.set("level", "3")
    parts = []
    for start in range(0, 24 * HOP, 4 * HOP):
        block = slice(start, start + 4 * HOP)
        other.perform("decode", hold(louder)[:, block])
        parts.append(one.perform("decode", hold(path)[:, block]))
    assert np.array_equal(np.concatenate(parts, axis=1)[0], preview(path))


def test_knobs_turned_while_it_plays_do_what_steering_does(host, synthesizer, controls, preview):
    path, hop_s = synthesizer.sample(24, 1), synthesizer.loudness.hop_s
    parts = [host.play("decode", hold(path[:, :8]), 2048)]
    host.set("brightness", "-1.25")
    parts.append(host.play("decode", hold(path[:, 8:]), 2048))
    turned_s = 7.5 * hop_s
    steps = [(controls.controls.directions["brightness"], Curve((0.0, turned_s, turned_s), (0.0, 0.0, -1.25)))]
    played = np.concatenate(parts, axis=1)[0]
    assert np.array_equal(played, preview(path, ControlSteering(synthesizer.loudness, steps)))
    assert not np.array_equal(played, preview(path))


def test_level_is_a_gain_at_once_and_without_a_step(host, synthesizer, preview):
    path = synthesizer.sample(24, 1)
    parts = [host.play("decode", hold(path[:, :8]), 2048)]
    host.set("level", "3.5")
    parts.append(host.play("decode", hold(path[:, 8:]), 2048))
    played, plain = np.concatenate(parts, axis=1)[0], preview(path)
    steering = ControlSteering(synthesizer.loudness, gain=Curve((0.0,), (3.5,)))
    settled = slice(9 * HOP, 24 * HOP)
    assert np.array_equal(played[: 8 * HOP], plain[: 8 * HOP])
    assert np.allclose(played[settled], plain[settled] * 10 ** (3.5 / 20), rtol=1e-5)
    assert played[8 * HOP] == plain[8 * HOP]
    heard = slice((see_latents(synthesizer.model).ahead + 1) * HOP, 24 * HOP)  # from where the curve begins on
    assert np.array_equal(played[heard], preview(path, steering)[heard])


def test_knobs_go_as_far_as_was_proven_and_no_further(host):
    host.set("level", "100")
    assert host.get("level") == [6.0]
    host.set("brightness", "-1.2")
    assert host.get("brightness") == [-1.2]
    with pytest.raises(ValueError, match="-1"):
        host.set("level", "nan")
    assert host.get("level") == [6.0]


def test_a_control_without_a_name_is_no_attribute(synthesizer, drawn, tmp_path):
    path = tmp_path / "plain.ts"
    path.write_bytes(script(build_nn(synthesizer, drawn.bank)))
    host = Host(path)
    assert host.attributes == ["seed", "path", "novelty", "delay"]


def test_the_seed_decides_the_noise(files, synthesizer, preview):
    path, host = synthesizer.sample(24, 1), Host(files[0])
    host.set("seed", "11")
    assert np.array_equal(host.play("decode", hold(path), 2048)[0], preview(path, seed=11))
    assert not np.array_equal(preview(path, seed=11), preview(path))
    with pytest.raises(ValueError, match="-1"):
        host.set("seed", "-4")


def test_sample_plays_the_paths_one_after_the_other_and_round(host, drawn, preview):
    first, second = drawn.bank.paths[0]
    shares = torch.tensor([1 / 3, 2 / 3])
    assert JOIN_POINTS == 3
    joined = [path.clone() for path in (first, second, first)]
    for number, former in ((1, first), (2, second)):
        joined[number][:, :2] = torch.lerp(former[:, -1:], joined[number][:, :2], shares)
    played = host.play("sample", silence(3 * N_POINTS), 2048)[0]
    assert np.array_equal(played, preview(torch.cat(joined, dim=1)))
    assert host.get("path") == [1]


def test_a_trigger_goes_on_to_the_next_path(host, drawn, preview):
    trigger = silence(24)
    trigger[0, 4 * HOP + 100 : 6 * HOP] = 1.0  # it is high for a while, and counts once
    first, second = drawn.bank.paths[0]
    begun = second[:, :20].clone()
    begun[:, :2] = torch.lerp(first[:, 3:4], begun[:, :2], torch.tensor([1 / 3, 2 / 3]))
    assert np.array_equal(host.play("sample", trigger, 4096)[0], preview(torch.cat([first[:, :4], begun], dim=1)))
    assert host.get("path") == [2]


def test_path_and_novelty_are_chosen_while_it_plays(host, drawn, preview):
    played = [host.play("sample", silence(4), 2048)]
    host.set("path", "2")
    played.append(host.play("sample", silence(4), 2048))
    host.set("novelty", "0.4")
    assert host.get("novelty") == [0.6]
    played.append(host.play("sample", silence(16), 2048))
    first, second = drawn.bank.paths[0]
    fade = torch.tensor([1 / 3, 2 / 3])
    begun, newer = second[:, :4].clone(), drawn.bank.paths[1, 1, :, 4:20].clone()
    begun[:, :2] = torch.lerp(first[:, 3:4], begun[:, :2], fade)
    newer[:, :2] = torch.lerp(begun[:, 3:4], newer[:, :2], fade)
    assert np.array_equal(
        np.concatenate(played, axis=1)[0][: 23 * HOP],
        preview(torch.cat([first[:, :4], begun, newer], dim=1))[: 23 * HOP],
    )
    for wrong in ("0", "3"):
        with pytest.raises(ValueError, match="-1"):
            host.set("path", wrong)


def test_several_sounds_at_once_are_as_several_instances(files, synthesizer, preview):
    host, paths = Host(files[0]), [synthesizer.sample(24, seed) for seed in (1, 2)]
    host.perform("decode", hold(paths[0])[:, :2048])  # and it begins anew when their number changes
    both = host.play("decode", np.stack([hold(path) for path in paths]), 2048)
    for number, path in enumerate(paths):
        assert np.array_equal(both[number, 0], preview(path, seed=SEED + number))
    sampled = host.play("sample", np.stack([silence(24)] * 2), 2048)
    assert sampled.shape == (2, 1, 24 * HOP)
    assert not np.array_equal(sampled[0], sampled[1])
    assert host.play("forward", np.stack([silence(8)] * 3), 2048).shape == (3, 1, 8 * HOP)


def test_what_is_no_number_is_forgotten(host, synthesizer):
    sound = make_noise(60 * HOP).numpy()[None]
    whole = host.play("forward", sound, 2048)
    sound[0, 100] = np.nan
    again = host.play("forward", sound, 2048)
    assert np.isnan(again).any()
    assert np.isfinite(again[:, -4 * HOP :]).all()
    assert np.isfinite(whole).all()


def test_another_rate_is_told(files, capfd):
    Host(files[0], RATE_HZ)
    assert capfd.readouterr().out == ""
    Host(files[0], 44100)
    assert "16000 Hz and the host at 44100 Hz" in capfd.readouterr().out


def test_the_bank_is_what_the_prior_draws_with_its_sources(synthesizer, drawn):
    newer = synthesizer.adapted(manner=replace(synthesizer.manner, novelty=0.6))
    assert torch.equal(drawn.bank.paths[1, 1], newer.sample(N_POINTS, take_seed(SEED, 2)))
    assert [(one["novelty"], one["path"]) for one in drawn.sources] == [(0.0, 1), (0.0, 2), (0.6, 1), (0.6, 2)]
    assert all(sum(one["shares"].values()) == pytest.approx(1.0, abs=0.01) for one in drawn.sources)


def test_what_is_said_beside_it(files, host):
    facts = json.loads(files[1].read_text())
    assert (facts["name"], facts["epoch"], facts["license"]) == ("tiny", 3, "CC0")
    assert facts["sample_rate_hz"] == RATE_HZ
    assert facts["samples_per_latent"] == HOP
    assert [facts["delay"][name]["samples"] for name in ("encode", "decode", "forward")] == host.get("delay")
    assert facts["delay"]["decode"]["ms"] == pytest.approx(1000 * host.get("delay")[1] / RATE_HZ, abs=0.1)
    assert facts["attributes"] == {"level": {"from": -6.0, "to": 6.0}, "brightness": {"from": -1.5, "to": 1.5}}
    assert len(facts["paths"]) == 4


def test_models_that_cannot_be_streamed_are_refused():
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    mel = MelSynthesizer(MelVAE(32, features.n_frames(4000), 8), features)
    with pytest.raises(ConfigError, match="model=spectral_vae"):
        check_streamable(mel)
    for stride, hop in ((6, 128), (2, 128), (4, 96)):
        odd = LogMel(RATE_HZ, n_fft=4 * hop, hop_length=hop, n_mels=16)
        model = SpectralVAE(features=odd, latent_dim=8, channels=8, stride=stride)
        with pytest.raises(ConfigError, match="power of two"):
            check_streamable(SpectralSynthesizer(model, odd))


def test_knobs_are_the_controls_that_keep_their_word():
    directions = {key: Direction(torch.ones(N_DIMS)) for key in ("brightness", "noisiness", "roughness")}
    doubtful = Estimate(0.7, 0.2, 1.0)
    proofs = [
        ControlProof(key, 1.5, CorpusRange(0.0, 4.0), correlation, CERTAIN, {}, 5)
        for key, correlation in (
            ("level", CERTAIN), ("brightness", CERTAIN), ("noisiness", doubtful), ("decay", CERTAIN),
            ("roughness", CERTAIN),
        )
    ]  # fmt: skip
    controls = Controls(LoudnessScale(4, 8.0, 0.03), directions)
    knobs = list_knobs(ProvenControls(controls, proofs, {}))
    assert [(knob.key, knob.reach) for knob in knobs] == [("level", 1.5), ("brightness", 1.5)]
    assert knobs[0].direction is None
    assert knobs[1].direction is directions["brightness"]
