"""Requests are checked by the configuration of `generate.py`, and can name no file."""

import re

import pytest

from sda.config.verbs import GenerateMode
from sda.errors import ConfigError
from sda.play.form import describe_keys, describe_modes, read_settings


def test_a_form_knows_every_key_that_a_request_may_give():
    keys = {key["key"]: key for key in describe_keys()}
    assert {"n", "duration_s", "seed", "novelty", "strength", "share", "loudness", "noise"} <= set(keys)
    assert not {"run", "source", "output", "data", "device", "mode", "checkpoint", "wanted"} & set(keys)
    novelty = keys["novelty"]
    assert (novelty["kind"], novelty["low"], novelty["high"]) == ("number", 0, 1)
    assert "sample" in novelty["modes"]
    assert "blend" not in novelty["modes"]
    assert keys["strength"]["modes"] == ["vary"]
    assert keys["loudness"]["choices"] == ["mix", "first", "second"]
    assert keys["noise"]["kind"] == "switch"
    assert keys["duration_s"]["high"] == 600
    assert keys["seed"]["modes"] == []


def test_modes_that_keys_name_are_modes():
    named = {mode for key in describe_keys() for mode in key["modes"]}
    assert named <= set(describe_modes())


def test_a_request_becomes_the_configuration_of_a_call():
    config = read_settings(
        {"mode": "vary", "n": 2, "strength": 0.25, "duration_s": "auto"},
        "/runs/one",
        "/tmp/voice.wav",
        checkpoint="last",
    )
    assert (config.run, config.source) == ("/runs/one", "/tmp/voice.wav")
    assert (config.mode, config.n, config.strength, config.duration_s) == (GenerateMode.vary, 2, 0.25, "auto")
    assert config.checkpoint.name == "last"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"strength": 2}, "strength=2.0 is out of range: allowed is at least 0 and at most 1"),
        ({"mode": "sing"}, "mode"),
        ({"mode": "/etc"}, "mode=/etc is not allowed"),
        ({"n": 65}, "n=65 is too many at once for the page: up to 64"),
        ({"n": "many"}, "n=many is not allowed"),
        ({"duration_s": 601}, "duration_s=601 is too long for the page: up to 600 s"),
        ({"duration_s": float("nan")}, "duration_s=nan is out of range"),
        ({"source": "/etc/passwd"}, "source is no key that the page may give"),
        ({"output": "/tmp/x"}, "output is no key"),
        ({"run": "/else"}, "run is no key"),
        ({"device": "cuda"}, "device is no key"),
        ({"data": {"root": "/"}}, "data is no key"),
        ({"zzz": 1}, "zzz is no key"),
        ({"seed": [1]}, "seed is a list or an object"),
        ({"duration_s": "${oc.env:HOME}"}, "is not allowed: give a number, or a curve"),
        ({"duration_s": "curve.csv"}, "is not allowed: give a number, or a curve"),
        ({"noise": "${oc.env:HOME}"}, "is not allowed"),
        ({"loudness": "../mix"}, "loudness=../mix is not allowed"),
        ([], "the request is no set of keys and values"),
        (None, "the request is no set of keys and values"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_with_what_is(given, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_settings(given, "run", "")
