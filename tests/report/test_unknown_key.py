"""Mistyped keys: every verb answers with its own keys, before torch is imported and anything is made."""

import pytest

CASES = {
    "bare last part": ("train", ["dropout=0.3"], "train.py has no key dropout. Did you mean regularization.dropout? "),
    "several of that last part": ("train", ["name=x"], "Did you mean model.name or prior.name?"),
    "wrong section": ("scan", ["model.sample_rate_hz=3"], "no key model.sample_rate_hz. Did you mean audio.sam"),
    "misspelt": ("generate", ["run=last", "duration=4"], "generate.py has no key duration. Did you mean duration_s?"),
    "misspelt section": ("train", ["modell=mel_vae"], "train.py has no key modell. Did you mean model?"),
    "in a dictionary": ("train", ["training={max_epoch:3}"], "Did you mean training.max_epochs?"),
    "another verb's": ("generate", ["run=last", "max_clips=8"], "no key max_clips; evaluate.py has."),
    "four other verbs'": ("train", ["run=last"], "no key run; evaluate.py, generate.py, play.py and export.py have."),
    "another verb's group": ("evaluate", ["preset=auto"], "evaluate.py has no key preset; scan.py and train.py have."),
    "of nothing": ("compare", ["zzz=1"], "error: compare.py has no key zzz. Every key"),
    "added": ("generate", ["run=last", "+duration=3"], "generate.py has no key duration. Did you mean duration_s?"),
    "added deep down": ("train", ["data.root=/nowhere", "+data.rot=3"], "has no key data.rot. Did you mean data.root?"),
    "taken away": ("train", ["~dropout"], "train.py has no key dropout. Did you mean regularization.dropout?"),
    "wrong type": ("generate", ["run=last", "n=many"], "n: Sounds to write; reconstruct and transfer write at most"),
    "out of range": ("evaluate", ["run=last", "max_clips=0"], "max_clips=0 is out of range: allowed is at least 1"),
    "no choice": ("generate", ["run=last", "mode=x"], "expected one of [sample, continue, vary"),
    "several values": ("generate", ["run=last", "seed=1,2"], "seed=1,2 gives several values. Give one."),
    "several values to train with": ("train", ["seed=1,2"], "values. To train with each of them, add -m.\n"),
    "several folders": ("scan", ["data.root=/,/tmp"], "Give one. To have all of them together, put them in brackets: "),
    "no value": ("train", ["seed"], "seed is not key=value. Give the key a value"),
    "spaces": ("train", ["data.root", "=", "x"], "data.root is not key=value. Give the key a value, without spaces"),
    "a colon": ("train", ["seed:3"], "Did you mean seed=3?"),
    "a folder": ("scan", ["../sounds"], "../sounds is not key=value. Did you mean data.root=../sounds?"),
    "a run": ("evaluate", ["last"], "last is not key=value. Did you mean run=last?"),
    "runs": ("compare", ["last"], "Did you mean runs=last?"),
    "a run to train on": ("train", ["last"], "Did you mean resume=last?"),
    "dashes": ("train", ["--training.max-epochs=3"], "Keys have no dashes before them: training.max_epochs=3. "),
    "dashes and a space": ("generate", ["--n", "3"], "--n is no flag of generate.py. Keys have no dashes"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_verb_answers_with_its_own_keys(command_line, name):
    verb, arguments, message = CASES[name]
    text = command_line.run(verb, *arguments, code=1)
    assert message in text
    assert text.startswith("error: ")
    assert all(f"{other}.py --help" not in text for other in {"train", "scan", "generate", "evaluate"} - {verb})
    assert list(command_line.folder.iterdir()) == []


def test_of_a_key_that_is_given_twice_the_last_counts_and_that_is_said(command_line):
    text = command_line.run("train", "data.root=/nowhere/a", "seed=1", "data.root=/nowhere/b", code=1)
    assert "! data.root is given twice: data.root='/nowhere/b', the last, counts\nerror: data.root=/nowhere/b" in text
    assert "seed is given" not in text
