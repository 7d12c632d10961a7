"""Pages that need nothing but themselves: a template in, HTML out."""

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
