"""Messages made of a caller's values. What can't be meant is refused by the name of its field."""

from collections.abc import Callable, Mapping
from typing import Final, ParamSpec, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Made = TypeVar("Made", bound=Message)
Fields = ParamSpec("Fields")

_WHOLE: Final = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)


def message(kind: Callable[Fields, Made], /, *none: Fields.args, **fields: Fields.kwargs) -> Made:
    """A message of that kind, with these fields. Raises TypeError for a value of another type, such as a float for
    credits, and ValueError for a number that no field holds. Both name the field, which protobuf does not."""
    try:
        return kind(*none, **fields)
    except (TypeError, ValueError) as wrong:
        raise _named(kind, fields, wrong) from None


def _named(kind: Callable[..., Message], fields: Mapping[str, object], wrong: Exception) -> Exception:
    for name, value in fields.items():
        try:
            kind(**{name: value})
        except (TypeError, ValueError) as error:
            return type(error)(f"{name}: {_words(kind, name, value, error)}")
    return wrong


def _words(kind: Callable[..., Message], name: str, value: object, error: Exception) -> str:
    field = getattr(kind, "DESCRIPTOR").fields_by_name.get(name)  # noqa: B009 - of every message, and of no callable
    if field is not None and field.cpp_type in _WHOLE and isinstance(error, TypeError):
        return f"must be a whole number, not {value!r}"
    return str(error)
