"""What is written says which version of the operations it uses, and not where it was written."""

import io
import zipfile
from pathlib import Path

import torch
from torch import nn

from sda.export.scripting import exported, freeze, script
from tests.export.nn_host import load


class _Twice(nn.Module):
    def __init__(self, core):
        super().__init__()
        self.core = core
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.seen = values
        return self.core(values)

    @exported
    def last(self) -> torch.Tensor:
        return self.seen


def test_a_module_keeps_its_weights_its_state_and_what_is_exported(tmp_path):
    layer = nn.Sequential(nn.Linear(2, 2), nn.GELU()).eval()
    core = freeze(layer, (torch.zeros(2),))
    path = tmp_path / "twice.ts"
    path.write_bytes(script(_Twice(core)))
    one, other = load(path), load(path)
    values = torch.tensor([0.5, -1.0])
    assert torch.equal(one(values), layer(values))
    assert torch.equal(one.last(), values)
    assert torch.equal(other.last(), torch.zeros(2))


def test_the_file_says_its_version_and_no_folder_of_this_machine():
    written = script(freeze(nn.Sequential(nn.GELU()).eval(), (torch.zeros(2),)))
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        records = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    assert int(records[".data/version"]) >= 10, "GELU as it is since then"
    assert not [name for name in records if name.endswith(".debug_pkl")]
    assert str(Path(__file__).parents[2]).encode() not in b"".join(records.values())
