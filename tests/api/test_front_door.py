import subprocess
import sys

import pytest

import sda


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys, sda\n"
        "assert callable(sda.__getattr__) and 'load' in dir(sda)\n"
        "print(sorted({'torch', 'numpy', 'hydra', 'omegaconf', 'rich', 'sda.api'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_leads_somewhere():
    for name in sda.__all__:
        assert getattr(sda, name).__doc__ if name != "__version__" else sda.__version__
    with pytest.raises(AttributeError, match="'sda' has no attribute 'laod'"):
        sda.laod  # noqa: B018
