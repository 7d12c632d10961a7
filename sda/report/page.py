"""Pages that need nothing but themselves: a template in, HTML out.

All of them extend one base, which holds the palette, the head and the player. Figures in pages are drawn as SVG in
percent by the template; pictures that are files of their own, and go to MLflow too, by matplotlib; and the hundreds of
thumbnails of a folder by Pillow, as they are to take milliseconds.
"""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render_page(template: str, **content: Any) -> str:
    """A template of this package filled in; all text is escaped, and content that is missing is an error."""
    environment = Environment(
        loader=PackageLoader("sda.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**content)


class SoundList:
    """What the page's script may play: sounds in the order in which buttons and points ask for them."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, str, str]] = []

    def add(self, report_number: int, clip: str, title: str) -> int:
        """The sound's number."""
        self.entries.append((report_number, clip, title))
        return len(self.entries) - 1
