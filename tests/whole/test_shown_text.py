"""Text from files that others wrote, where it is shown: no terminal, page or spreadsheet takes it for an order."""

import csv
import io

import pytest

from sda.data.walk import _refuse_unread
from sda.errors import DamagedError
from sda.report.comparison_lines import write_csv
from sda.report.comparison_page import draw_page
from sda.runs.comparison import compare_runs
from sda.stored import pass_over
from tests.runs.test_sweep_folder import CONFIG, _write_run

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def test_what_is_passed_over_moves_no_cursor(capsys):
    pass_over(DamagedError(f"runs/{ESCAPE} is damaged"))
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert "\\x1b[2J is damaged" in told


def test_the_ending_of_a_files_name_moves_no_cursor(tmp_path):
    path = tmp_path / f"a.{ESCAPE}"
    path.write_bytes(b"a")
    assert "\x1b" not in _refuse_unread(path)


@pytest.fixture
def comparison(tmp_path):
    """Two runs whose overrides, folders and evaluations are a stranger's."""
    run_dirs = []
    for number, value in enumerate(("=HYPERLINK(1)", "-0.5")):
        run_dir = _write_run(
            tmp_path / f"{number}{ESCAPE}",
            CONFIG,
            "finished",
            reconstruction={"model": {"mr_stft": 1.0 + number}},
            evaluation={"label": "@SUM(1)"},
            validation_weakness=f"weak {ESCAPE}",
        )
        (run_dir / ".hydra" / "overrides.yaml").write_text(f"- 'lr={value}'\n")
        run_dirs.append(run_dir)
    return compare_runs(run_dirs, "mr_stft", "")


def test_a_table_holds_no_formula_and_no_control_sign(comparison):
    text = write_csv(comparison)
    first, second = csv.DictReader(io.StringIO(text))
    assert "\x1b" not in text
    assert (first["lr"], second["lr"]) == ("'=HYPERLINK(1)", "-0.5")
    assert (first["evaluation"], first["status"], float(second["mr_stft"])) == ("'@SUM(1)", "finished", 2.0)


def test_a_page_of_a_comparison_holds_no_control_sign(comparison):
    assert "\x1b" not in draw_page(comparison, [])
