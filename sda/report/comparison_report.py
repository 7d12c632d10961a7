"""A comparison written down: a page, a table and its pictures."""

from dataclasses import dataclass
from pathlib import Path

from sda.durable import write_text
from sda.report.comparison_figures import draw_pictures
from sda.report.comparison_lines import write_csv
from sda.report.comparison_page import draw_page
from sda.runs.comparison import Comparison

PAGE = "comparison.html"
TABLE = "comparison.csv"


@dataclass(frozen=True)
class Written:
    """Files that a comparison left."""

    page: Path
    table: Path
    pictures: list[Path]

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [self.page, self.table, *self.pictures]


def write_comparison(folder: Path, comparison: Comparison) -> Written:
    """Write the page, the table and the pictures into a folder."""
    pictures = draw_pictures(comparison)
    write_text(folder / PAGE, draw_page(comparison, pictures))
    write_text(folder / TABLE, write_csv(comparison))
    paths = [folder / f"{picture.name}.png" for picture in pictures]
    for path, picture in zip(paths, pictures, strict=True):
        path.write_bytes(picture.png)  # drawn again whenever it is asked for
    return Written(folder / PAGE, folder / TABLE, paths)
