import pytest
import torch

from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import find_nearest
from sda.evaluation.sounds import Sound
from sda.parallel import use_threads

RATE_HZ = 16000


def _texture(seed, n_samples=3 * RATE_HZ):
    """Noise whose colour and level wander: a sound like no other."""
    generator = torch.Generator().manual_seed(seed)
    waveform = torch.zeros(n_samples)
    time_s = torch.arange(n_samples) / RATE_HZ
    for _ in range(40):
        hz, start_s, decay = (torch.rand(3, generator=generator) * torch.tensor([6000.0, 3.0, 20.0])).tolist()
        since = (time_s - start_s).clamp(min=0.0)
        waveform += torch.sin(2 * torch.pi * (100 + hz) * since) * torch.exp(-(1 + decay) * since) * (since > 0)
    return 0.1 * waveform + 0.01 * torch.randn(n_samples, generator=generator)


@pytest.fixture(scope="module")
def sounds():
    return [Sound(f"texture {seed}", _texture(seed)) for seed in range(5)]


@pytest.fixture(scope="module")
def features(sounds):
    return PatchFeatures(RATE_HZ).fit(sounds)


def _search(clips, sounds, features):
    return find_nearest([features.patches(clips)], sounds, features)[0]


def test_a_copy_is_found_where_it_is(sounds, features):
    clips = torch.stack([sounds[index].waveform[start : start + RATE_HZ] for index, start in ((0, 4000), (3, 16000))])
    matches = _search(clips, sounds, features)
    assert matches.correlation.argmax(dim=1).tolist() == [0, 3]
    assert matches.correlation.amax(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-4)
    assert matches.start_s[0, 0].item() == pytest.approx(0.25, abs=1e-6)
    assert matches.start_s[1, 3].item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("shift_s", [0.010, 0.020, 0.300])
@pytest.mark.parametrize("gain", [1.0, 0.25, -2.0])
def test_a_shift_by_whole_frames_and_another_level_change_nothing(sounds, features, shift_s, gain):
    start = 8000 + round(shift_s * RATE_HZ)
    matches = _search(gain * sounds[1].waveform[start : start + RATE_HZ][None], sounds, features)
    assert matches.correlation[0, 1].item() == pytest.approx(1.0, abs=1e-3)
    assert matches.start_s[0, 1].item() == pytest.approx(start / RATE_HZ, abs=1e-6)


def test_half_a_frame_between_the_grid_changes_little(sounds, features):
    assert _search(sounds[1].waveform[8080 : 8080 + RATE_HZ][None], sounds, features).correlation[0, 1] > 0.95


def test_other_sound_and_sound_played_backwards_are_no_copies(sounds, features):
    backwards = sounds[2].waveform[8000 : 8000 + RATE_HZ].flip(0)
    matches = _search(torch.stack([_texture(99)[8000 : 8000 + RATE_HZ], backwards]), sounds, features)
    assert matches.correlation.max() < 0.6


def test_a_sound_is_searched_among_longer_and_shorter_ones_as_alone(features):
    """A short one is transformed in a shorter block; the copy lies where a block of the longest ends."""
    lengths_s = (0.5, 1.2, 3.0, 14.0)
    mixed = [Sound(f"{s} s", _texture(50 + number, round(s * RATE_HZ))) for number, s in enumerate(lengths_s)]
    cuts = ((1, 0.1), (2, 1.0), (3, 10.0))
    starts = [round(start_s * RATE_HZ) for _, start_s in cuts]
    clips = [mixed[place].waveform[start : start + RATE_HZ] for (place, _), start in zip(cuts, starts, strict=True)]
    together = _search(torch.stack(clips), mixed, features)
    for number, (place, start_s) in enumerate(cuts):
        assert together.correlation[number, place].item() == pytest.approx(1.0, abs=1e-3)
        assert together.start_s[number, place].item() == pytest.approx(start_s, abs=1e-6)
    for place, sound in enumerate(mixed):
        alone = _search(torch.stack(clips), [sound], features)
        assert together.correlation[:, place].tolist() == pytest.approx(alone.correlation[:, 0].tolist(), abs=1e-5)


def test_blocks_and_stretches_leave_no_lag_out(sounds, features):
    """Against the plain sum over all lags, on a sound of several stretches."""
    long = Sound("long", torch.cat([_texture(seed, 5 * RATE_HZ) for seed in range(10, 36)]))
    ends = [0, 59 * RATE_HZ + 8000, 60 * RATE_HZ + 160, len(long.waveform) - RATE_HZ]
    clips = torch.stack([long.waveform[start : start + RATE_HZ] for start in ends])
    patches = features.patches(clips)
    matches = find_nearest([patches], [long], features)[0]
    assert matches.correlation[:, 0].tolist() == pytest.approx([1.0] * 4, abs=2e-3)
    assert matches.start_s[:, 0].tolist() == pytest.approx([start / RATE_HZ for start in ends], abs=0.0051)

    other = features.patches(torch.stack([sound.waveform[:RATE_HZ] for sound in sounds]))
    frames = features.whitened(long.waveform)
    windows = frames.unfold(1, other.shape[2], 1).permute(1, 0, 2)
    windows = windows - windows.mean(dim=2, keepdim=True)
    plain = (other.flatten(1) @ (windows.flatten(1) / windows.flatten(1).norm(dim=1, keepdim=True)).T).amax(dim=1)
    found = find_nearest([other], [long], features)[0].correlation[:, 0]
    assert found.tolist() == pytest.approx(plain.tolist(), abs=0.01)


def test_patches_of_two_lengths_are_searched_at_once(sounds, features):
    short = sounds[0].waveform[16000 : 16000 + RATE_HZ // 4][None]
    long = sounds[4].waveform[8000 : 8000 + RATE_HZ][None]
    of_short, of_long = find_nearest([features.patches(short), features.patches(long)], sounds, features)
    assert (of_short.correlation[0].argmax().item(), of_long.correlation[0].argmax().item()) == (0, 4)


def test_near_silence_matches_nothing(sounds, features):
    quiet = [Sound("quiet", 1e-5 * sounds[0].waveform), Sound("silent", torch.zeros(RATE_HZ * 2))]
    assert _search(sounds[0].waveform[:RATE_HZ][None], quiet, features).correlation.max() <= 0.0


def test_a_sound_shorter_than_the_window_is_compared_as_far_as_it_goes(sounds, features):
    short = Sound("short", sounds[0].waveform[: RATE_HZ * 6 // 10])
    clip = torch.nn.functional.pad(short.waveform, (0, RATE_HZ * 4 // 10))[None]
    assert _search(clip, [short], features).correlation.item() > 0.9


def test_progress_adds_up_to_the_sound_gone_through(sounds, features):
    told: list[float] = []
    find_nearest([features.patches(sounds[0].waveform[:RATE_HZ][None])], sounds, features, told.append)
    assert sum(told) == pytest.approx(15.0)


def test_what_cannot_be_searched_is_refused(features):
    with pytest.raises(ValueError, match="too short"):
        features.patches(torch.zeros(1, 100))
    with pytest.raises(ValueError, match="no sound"):
        PatchFeatures(RATE_HZ).fit([])
    with pytest.raises(ValueError, match="digital silence"):
        PatchFeatures(RATE_HZ).fit([Sound("silent", torch.zeros(RATE_HZ))])


def test_any_number_of_threads_finds_the_same_bit_for_bit(sounds, features):
    clips = torch.stack([sound.waveform[:RATE_HZ] for sound in sounds])
    found = []
    for n_threads in (1, 2):
        with use_threads(n_threads):
            found.append(_search(clips, sounds, features))
    assert torch.equal(found[0].correlation, found[1].correlation)
    assert torch.equal(found[0].start_s, found[1].start_s)
