import pytest
import soundfile
import torch

from sda.evaluation.sounds import Sound
from sda.evaluation.suite import Material, assess_memorisation
from tests.conftest import RATE_HZ


def _read(folder):
    return [
        Sound(path.name, torch.from_numpy(soundfile.read(path, dtype="float32")[0]))
        for path in sorted(folder.iterdir())
    ]


def test_one_shots_shorter_than_a_window_are_recognised_when_they_are_played_back(make_textures):
    shots = _read(make_textures("shots", 12, duration_s=0.5))
    louder = [Sound("louder", 2.0 * shot.waveform) for shot in shots[:4]]
    found = assess_memorisation(Material(RATE_HZ, shots[:8], shots[8:], louder))
    assert found.replay.rate.value == 1.0
    assert found.similarities["generated"].source.tolist() == [0, 1, 2, 3]


def test_training_sound_counts_as_unheard_only_against_other_recordings(make_textures):
    sounds = _read(make_textures("textures", 6))
    takes = [*sounds[:3], *(Sound("take", sound.waveform.flip(0)) for sound in sounds[:3]), *sounds[:3]]
    groups = ["a", "b", "c"] * 3
    apart = assess_memorisation(Material(RATE_HZ, takes, [], sounds[3:], groups))
    assert apart.similarities["unheard"].correlation.max() < 0.6
    alone = assess_memorisation(Material(RATE_HZ, takes, sounds[5:], sounds[3:], ["a"] * 9))
    assert alone.replay.n_null_files == 1, "nothing is new to its own recording"


@pytest.mark.parametrize("level", [1e-4, 0.0])
def test_where_nothing_can_be_heard_it_says_so(make_textures, level):
    sounds = _read(make_textures("textures", 6))
    quiet = [Sound(sound.name, level * sound.waveform) for sound in sounds]
    found = assess_memorisation(Material(RATE_HZ, sounds, quiet, quiet))
    assert "near-silent" in found.replay.doubt
    if level:
        assert "near-silent" in assess_memorisation(Material(RATE_HZ, quiet, quiet, quiet)).replay.doubt


def test_places_stay_true_over_minutes_at_a_rate_that_no_hop_divides(make_textures):
    rate_hz = 22050
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(130 * rate_hz, generator=generator)
    hidden = Sound("hidden", noise[100 * rate_hz : 102 * rate_hz])
    found = assess_memorisation(Material(rate_hz, [Sound("long", noise), Sound("other", noise.flip(0))], [], [hidden]))
    generated = found.similarities["generated"]
    assert generated.start_s.tolist() == pytest.approx([100.0, 100.5, 101.0], abs=0.011)
