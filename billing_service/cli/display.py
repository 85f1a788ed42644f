"""What commands print: fields for people, JSON for programs, errors as one line."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn, Protocol

import orjson
import typer
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.text import Text

from billing_service.cli.layout import field_lines, printable

PIPE_COLUMNS: Final = 1_000
"""Width of what rich lays out where there is no terminal."""
ENDLESS: Final = sys.maxsize
"""Width of lines where there is no terminal: a row is one line for whoever reads it from a pipe or a file."""
EXIT_FAILED = 1
EXIT_MISCONFIGURED = 2


class WireEnum(Protocol):
    """An enum of the protos."""

    DESCRIPTOR: EnumDescriptor

    def keys(self) -> Sequence[str]: ...

    def values(self) -> Sequence[Any]: ...


def console() -> Console:
    """Made anew for each use, so that it writes to what is standard output then."""
    return Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False, soft_wrap=False)


def width() -> int:
    """Columns that a line may take."""
    return console().width if sys.stdout.isatty() else ENDLESS


def plain(value: object) -> Text:
    """A text that takes effect neither as markup nor by control characters."""
    return Text(printable(value))


def say(line: str) -> None:
    console().print(plain(line), soft_wrap=True)


def show_lines(title: str, lines: Sequence[str], *, headings: int = 0) -> None:
    """A title and what is under it. The terminal, not this program, breaks what is longer than it is wide."""
    out = console()
    out.print(plain(title), style="bold", soft_wrap=True)
    for number, line in enumerate(lines):
        out.print(Text(line), style="dim" if number < headings else None, soft_wrap=True)


def show_fields(title: str, fields: Iterable[tuple[str, object]]) -> None:
    """One thing, a line for each field that has a value."""
    show_lines(title, field_lines(fields, width()))


def show_json(found: Message | Mapping[str, object]) -> None:
    """A message as an object: names as in the protos, 64-bit integers as text, enums in the words that options take."""
    sys.stdout.write(f"{json_text(found)}\n")


def json_text(found: Message | Mapping[str, object]) -> str:
    value = as_json_value(found) if isinstance(found, Message) else found
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def shown_enum(kind: WireEnum, value: int) -> str:
    """`completed` of PURCHASE_STATUS_COMPLETED: the word that options take and tables and JSON show."""
    return _enum_word(kind.DESCRIPTOR, value)


def enum_option(kind: WireEnum, description: str) -> Any:
    """An option that takes one of the words of `shown_enum`, and gives the enum's number."""
    numbers = {shown_enum(kind, value.number): value.number for value in kind.DESCRIPTOR.values if value.number}

    def read(word: str) -> int:
        if word not in numbers:
            raise typer.BadParameter(f"{word!r} is none of {', '.join(numbers)}")
        return int(numbers[word])

    return typer.Option(parser=read, metavar="WORD", help=f"{description} ({', '.join(numbers)})", show_default=False)


def fail(*lines: str, code: int = EXIT_FAILED) -> NoReturn:
    """Says why on standard error, without a secret, and ends the command."""
    from billing_service.logs import without_secrets

    for line in lines:
        sys.stderr.write(f"{without_secrets(line)}\n")
    raise typer.Exit(code)


def _enum_word(kind: EnumDescriptor, number: int) -> str:
    """A number that these protos don't know stays a number."""
    value = kind.values_by_number.get(number)
    return value.name.removeprefix(_prefix(kind)).lower() if value is not None else str(number)


def _prefix(kind: EnumDescriptor) -> str:
    return kind.values_by_number[0].name.removesuffix("UNSPECIFIED")


def as_json_value(message: Message) -> Any:
    """A message as `show_json` shows it."""
    value = MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        use_integers_for_enums=True,
    )
    return _with_words(value, message.DESCRIPTOR)


def _with_words(value: dict[str, Any], kind: Any) -> dict[str, Any]:
    """The same in the order of the proto, with each enum's word in place of its number. `kind` is the message's
    descriptor."""
    return {field.name: _word_of(value[field.name], field) for field in kind.fields if field.name in value}


def _word_of(value: Any, field: FieldDescriptor) -> Any:
    if isinstance(value, list):
        return [_word_of(each, field) for each in value]
    if field.enum_type is not None:
        return _enum_word(field.enum_type, value)
    if field.message_type is not None and isinstance(value, dict) and not field.message_type.GetOptions().map_entry:
        return _with_words(value, field.message_type)
    return value
