"""What commands print: tables for people, JSON for programs, errors as one line."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Protocol

import orjson
import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_COLUMNS = 1_000
"""Width where there is no terminal: ids are never cut for whoever reads them from a pipe or a file."""
EXIT_FAILED = 1
EXIT_MISCONFIGURED = 2


class WireEnum(Protocol):
    """An enum of the protos."""

    def Name(self, number: Any) -> str: ...  # noqa: N802 - protobuf's name

    def keys(self) -> Sequence[str]: ...

    def values(self) -> Sequence[Any]: ...


def console() -> Console:
    """Made anew for each use, so that it writes to what is standard output then."""
    return Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False, soft_wrap=False)


def plain(value: object) -> Text:
    """A cell's text: neither markup nor control characters of it take effect."""
    text = str(value)
    return Text(text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def say(line: str) -> None:
    console().print(plain(line), soft_wrap=True)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[str] = ()) -> None:
    """One row a line; the columns named by `numbers` stand to the right."""
    right = set(numbers)
    table = Table(header_style="bold", border_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=column in right, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    if table.row_count:
        _show(title, table)
    else:
        say(f"{title}: none")


def show_fields(title: str, fields: Iterable[tuple[str, object]]) -> None:
    """One thing, a line for each field that has a value."""
    table = Table(show_header=False, border_style="dim")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        if value != "":
            table.add_row(name, plain(value))
    _show(title, table)


def show_json(found: Message | Iterable[Message]) -> None:
    """A message as an object, several as a list; names as in the protos, 64-bit integers as text."""
    value = _as_json(found) if isinstance(found, Message) else [_as_json(message) for message in found]
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def shown_enum(kind: WireEnum, value: int) -> str:
    """`COMPLETED` of PURCHASE_STATUS_COMPLETED, in lower-case words."""
    names = kind.keys()
    name = kind.Name(value) if value in kind.values() else str(value)
    return name.removeprefix(_prefix(names)).lower()


def enum_option(kind: WireEnum, description: str) -> Any:
    """An option that takes one of the words of `shown_enum`, and gives the enum's number."""
    numbers = {shown_enum(kind, number): number for number in kind.values() if not kind.Name(number).endswith("_UNSPECIFIED")}

    def read(word: str) -> int:
        if word not in numbers:
            raise typer.BadParameter(f"{word!r} is none of {', '.join(numbers)}")
        return int(numbers[word])

    return typer.Option(parser=read, metavar="WORD", help=f"{description} ({', '.join(numbers)})", show_default=False)


def fail(*lines: str, code: int = EXIT_FAILED) -> NoReturn:
    """Says why on standard error, masked like a log line, and ends the command."""
    from billing_service.logs import clean

    for line in lines:
        sys.stderr.write(f"{clean(None, '', {'line': line})['line']}\n")
    raise typer.Exit(code)


def _show(title: str, table: Table) -> None:
    # Not the table's own title, which would be folded to the table's width.
    console().print(plain(title), style="bold", soft_wrap=True)
    console().print(table)


def _prefix(names: Iterable[str]) -> str:
    return next(name for name in names if name.endswith("_UNSPECIFIED")).removesuffix("UNSPECIFIED")


def _as_json(message: Message) -> object:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
