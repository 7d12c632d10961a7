"""What a field of the configuration says of itself."""

from dataclasses import dataclass

from sda.config.schema import TrainRunConfig
from sda.config_field import Traits, describe_settings, list_traits, setting


@dataclass
class _Inner:
    place: str = setting("", "Where.", is_path=True)
    other: int = setting(1, "How many.", decides=True)


@dataclass
class _Outer:
    inner: _Inner = setting(_Inner, "", decides=False, compared=False)
    size: int = setting(1, "how large.", only_for="large_model", resumable=True)


def test_a_section_speaks_for_the_keys_in_it_which_may_contradict_it():
    assert list_traits(_Outer) == {
        "inner": Traits(decides=False, compared=False),
        "inner.place": Traits(decides=False, compared=False, is_path=True),
        "inner.other": Traits(decides=True, compared=False),
        "size": Traits(resumable=True, only_for="large_model"),
    }


def test_the_help_says_which_model_a_key_is_for():
    assert ("size", "1", "large_model: how large.") in describe_settings(_Outer)


def test_what_a_run_may_change_when_it_goes_on_is_not_what_it_learns():
    resumable = {key for key, traits in list_traits(TrainRunConfig).items() if traits.resumable}
    assert "training.max_epochs" in resumable
    assert not {key for key in resumable if key.split(".")[0] in ("model", "regularization", "augmentation", "audio")}
