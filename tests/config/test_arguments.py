import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from sda.config.arguments import find_value, prepare_arguments, quote_value
from sda.roots import join_roots, split_roots

NAMES = [
    "Ångström (old) [x], v=2/it's",
    "a b",
    "tab\there",
    'double "quotes"',
    "back\\slash",
    "trailing\\",
    "quote's and slash\\'",
    "${data.root}",
    "100%",
    "emoji 🎹",
    "&;|<>*?#",
    "a,b",
    "{a: b}",
    "true",
]


def _parse(argument: str) -> str:
    override = OverridesParser.create().parse_override(argument)
    config = OmegaConf.create({"value": override.value(), "data": {"root": "WRONG"}})
    return config.value


@pytest.mark.parametrize("name", NAMES)
def test_any_folder_reaches_the_configuration_as_it_is(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (argument,) = prepare_arguments([f"data.root={folder}"])
    assert _parse(argument) == str(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_missing_is_passed_on_to_be_named(name):
    (argument,) = prepare_arguments([f"data.root=/nowhere/{name}"])
    assert _parse(argument) == f"/nowhere/{name}"


@pytest.mark.parametrize("pattern", [r"(\d-\d+)-[A-Z]", r"^([^/]+)/", "takes", r"(a|b)\.wav$", r"take\ \d{1,3}"])
def test_a_pattern_reaches_the_configuration_as_it_is(pattern):
    (argument,) = prepare_arguments([f"data.group_by={pattern}"])
    assert _parse(argument) == pattern


def test_an_automatic_batch_size_is_the_one_that_follows_the_data():
    assert prepare_arguments(["training.batch_size=auto", "seed=1"]) == ["seed=1"]
    assert prepare_arguments(["training.batch_size=8"]) == ["training.batch_size=8"]


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (argument,) = prepare_arguments(["data.root=~/my sounds"])
    assert _parse(argument) == f"{tmp_path}/my sounds"


def test_a_folder_is_the_same_from_wherever_one_stands(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for key in ("data.root", "data.cache_dir"):
        (argument,) = prepare_arguments([f"{key}=my sounds"])
        assert _parse(argument) == f"{tmp_path}/my sounds"
    assert prepare_arguments(["run=last"]) == ["run='last'"]


def test_folders_without_a_slash_stay_a_sweep(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("rain", "wind"):
        (tmp_path / name).mkdir()
    assert prepare_arguments(["data.root=rain,wind"]) == [f"data.root='{tmp_path}/rain','{tmp_path}/wind'"]


def test_folders_to_sweep_over_stay_a_sweep(tmp_path):
    for name in ("a (1)", "b"):
        (tmp_path / name).mkdir()
    (argument,) = prepare_arguments([f"data.root={tmp_path}/a (1),{tmp_path}/b"])
    override = OverridesParser.create().parse_override(argument)
    assert override.is_sweep_override()
    assert [value.text for value in override.sweep_iterator()] == [f"{tmp_path}/a (1)", f"{tmp_path}/b"]


@pytest.fixture
def rain_and_wind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("rain", "wind, old", "a [x]"):
        (tmp_path / name).mkdir()
    return f'["{tmp_path}/rain","{tmp_path}/wind, old"]'


@pytest.mark.parametrize(
    "given",
    ['[rain,"wind, old"]', '["wind, old", ~/rain]', '["~/wind, old","./rain"]'],
)
def test_several_folders_are_one_value_whatever_their_order(rain_and_wind, given):
    (argument,) = prepare_arguments([f"data.root={given}"])
    assert _parse(argument) == rain_and_wind
    assert prepare_arguments([f"data.root={rain_and_wind}"]) == [argument], "as it is when a command is pasted"


@pytest.mark.parametrize("name", NAMES)
def test_several_folders_of_any_name_reach_the_configuration(name):
    names = sorted([f"/nowhere/{name}", "/there"])
    (argument,) = prepare_arguments([f"data.root={join_roots(names)}"])
    assert split_roots(_parse(argument)) == names


def test_several_folders_are_one_of_those_to_sweep_over(rain_and_wind, tmp_path):
    for given in ('data.root=a [x],[rain,"wind, old"]', 'data.root=~/a [x],["wind, old",rain]'):
        override = OverridesParser.create().parse_override(prepare_arguments([given])[0])
        assert [value.text for value in override.sweep_iterator()] == [f"{tmp_path}/a [x]", rain_and_wind]


def test_a_folder_named_like_several_is_one(rain_and_wind, tmp_path):
    (tmp_path / "[rain,wind]").mkdir()
    for given in ("[rain,wind]", "./[rain,wind]", "~/[rain,wind]"):
        assert _parse(prepare_arguments([f"data.root={given}"])[0]) == f"{tmp_path}/[rain,wind]"
    assert _parse(prepare_arguments(["data.root=[rain]"])[0]) == f"{tmp_path}/rain"


def test_where_one_folder_is_asked_for_brackets_are_part_of_its_name(rain_and_wind, tmp_path):
    assert _parse(prepare_arguments(["data.cache_dir=[rain,wind]"])[0]) == f"{tmp_path}/[rain,wind]"


def test_a_home_that_nobody_has_is_a_name(rain_and_wind, tmp_path):
    for key in ("data.root", "data.cache_dir"):
        assert _parse(prepare_arguments([f"{key}=~no such user/a"])[0]) == f"{tmp_path}/~no such user/a"


@pytest.mark.parametrize(
    "argument", ["preset=conservative,balanced", "training.max_epochs=3", "--cfg", "+x=[1,2]", "resume=null", "-m"]
)
def test_everything_else_is_left_to_hydra(argument):
    assert prepare_arguments([argument]) == [argument]


def _read_overrides(argument):
    override = OverridesParser.create().parse_override(prepare_arguments([argument])[0])
    if override.is_sweep_override():
        return [getattr(value, "text", value) for value in override.sweep_iterator()]
    return override.value()


def test_commas_in_a_curve_are_no_sweep_and_commas_between_numbers_are():
    assert _read_overrides("share=0:0,4:1") == "0:0,4:1"
    assert _read_overrides("share=0.2,0.8") == [0.2, 0.8]
    assert _read_overrides("share='0:0,4:1','0:1,4:0'") == ["0:0,4:1", "0:1,4:0"]
    assert _read_overrides("share=rise.csv") == "rise.csv"
    assert _read_overrides("share=0.5") == 0.5


def test_moments_of_recordings_reach_the_configuration_as_they_are():
    places = "rain_01.wav@1.5,old (1)/it's, #2.wav@0"
    assert _read_overrides(f"places={places}") == places


def test_v_is_verbose():
    assert prepare_arguments(["-v"]) == ["verbose=true"]


def test_values_are_found():
    assert find_value(["a=1", "resume=last", "resume='x=y'"], "resume") == "'x=y'"
    assert find_value(["resumes=1"], "resume") is None


@pytest.mark.parametrize("value", NAMES)
def test_quoting_survives_the_grammar(value):
    assert _parse(f"key={quote_value(value)}") == value


def test_what_is_wanted_reaches_the_configuration_with_its_commas():
    for given in ("brightness:0.9", "brightness:0.9,noisiness:0.2", "[brightness:0.9,noisiness:0.2]"):
        (argument,) = prepare_arguments([f"wanted={given}"])
        assert _parse(argument) == given
