import subprocess
import sys


def test_looking_at_a_checkpoint_does_not_import_the_compiler():
    """It takes seconds, and some of torch's functions need it on the device on which a checkpoint is looked at."""
    code = """
import sys, torch
from sda.app.builders import check_fit
from sda.runs.plan import to_schema
from sda.audio.mel import LogMel
from sda.config.model import ModelName
from sda.config.schema import TrainRunConfig
from types import SimpleNamespace
for name in ModelName:
    config = TrainRunConfig()
    config.model.name = name
    found = {}
    check_fit(config, LogMel(), SimpleNamespace(check_tensors=found.update))
    assert len(found) > 20, name
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
