"""Configurations that are resolved already."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from sda.config.plain import compose_plain, escape, format_plain, read_yaml
from sda.errors import CheckpointError


def test_any_text_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("SECRET", "swordfish")
    draw = np.random.default_rng(0)
    pieces = ["${", "}", "\\", "oc.env:SECRET", "a", "'", '"', ":", "$", "{", "[", " "]
    texts = ["".join(draw.choice(pieces, draw.integers(1, 9))) for _ in range(2000)]
    composed = OmegaConf.create({"texts": escape(texts)})
    assert OmegaConf.to_object(composed) == {"texts": texts}
    assert OmegaConf.to_container(composed, resolve=True) == {"texts": texts}


def test_plain_values_make_a_configuration_whose_texts_stay(tmp_path):
    composed = compose_plain({"data": {"root": "/sounds/${oc.env:HOME}"}, "seed": 3}, tmp_path)
    assert (composed.data.root, composed.seed) == ("/sounds/${oc.env:HOME}", 3)


@pytest.mark.parametrize("values", [{"nope": 1}, {"seed": "x"}, {"training": {"nope": 1}}, {"training": 3}, [], 7])
def test_what_is_no_configuration_is_named(values, tmp_path):
    with pytest.raises(CheckpointError, match="configuration"):
        compose_plain(values, tmp_path)


def test_yaml_is_written_and_read_back(tmp_path):
    values = {"a": {"b": [1, 2.5e-05, None, True, "${x}", "ü", "1e-3", "no", "???"]}, "long": "x " * 300}
    (tmp_path / "a.yaml").write_text(format_plain(values))
    assert read_yaml(tmp_path / "a.yaml") == values


@pytest.mark.parametrize(
    "text", ["a: &a [1]\nb: *a", "a: {", "!!python/object/apply:os.system ['true']", "[" * 5000, "a: \x00"]
)
def test_yaml_that_refers_to_itself_or_is_none_is_refused(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011  the words are the library's
        read_yaml(tmp_path / "a.yaml")
