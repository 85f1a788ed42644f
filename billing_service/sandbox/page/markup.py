"""HTML from the templates of this folder; every value is escaped unless it is markup already."""

import html
from functools import cache
from importlib.resources import files
from string import Template


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def render(template: str, **values: object) -> Markup:
    """Fills `templates/<template>.html`. Raises KeyError for a value that is missing."""
    return Markup(_template(template).substitute({name: _escaped(value) for name, value in values.items()}))


def joined(parts: list[Markup]) -> Markup:
    return Markup("\n".join(parts))


@cache
def asset(name: str) -> bytes:
    return (files("billing_service.sandbox.page") / "templates" / name).read_bytes()


@cache
def _template(name: str) -> Template:
    return Template(asset(f"{name}.html").decode())


def _escaped(value: object) -> str:
    return value if isinstance(value, Markup) else html.escape(str(value))
