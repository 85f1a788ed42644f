"""Every field of a request in every form that the wire allows, and some that it does not, made from the descriptor
alone.

The bytes are put together here, so that forms come about that no protobuf library would write.
"""

from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

VARINT, FIXED64, LENGTH, GROUP, GROUP_END, FIXED32 = range(6)
INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN = 2**63 - 1, -(2**63), 2**31 - 1, -(2**31)
TEXTS = (
    "",
    " ",
    "a",
    " a ",
    "a\x00b",
    "\x00",
    "a\r\nb",
    "\t",
    "\x7f",
    "\x85",
    "\u00e9",
    "e\u0301",
    "\u202eab",
    "\ufeffab",
    "\u200b",
    "\ue000",
    "\uffff",
    "\U0001f4a9" * 128,
    "\U0001f4a9" * 129,
    "'; DROP TABLE accounts; --",
    "%s{0}${x}",
    *(
        "x" * length
        for length in (40, 41, 64, 65, 128, 129, 255, 256, 320, 321, 500, 501, 2000, 2001, 8192, 8193, 60_000)
    ),
)
NOT_TEXT = (
    b"\xff",
    b"\xed\xa0\x80",
    b"\xed\xa0\xbd\xed\xb2\xa9",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"a\x80",
    b"\xe2\x82",
)
"""A stray byte, lone and paired surrogates, an overlong NUL, past the last character, a stray and a missing
continuation."""
NUMBERS = (0, 1, -1, 99, 100, 101, 1000, 1001, INT32_MAX, INT32_MAX + 1, INT32_MIN, 2**32, 2**53, 2**53 + 1)
LARGE_NUMBERS = (10**15, 10**15 + 1, -(10**15), INT64_MAX, INT64_MIN)
SECONDS = (0, -1, 946_684_799, 946_684_800, 253_402_300_799, 253_402_300_800, INT64_MAX, INT64_MIN)
NANOS = (0, 1, 999_999_999, 1_000_000_000, -1, INT32_MAX, INT32_MIN)


@dataclass(frozen=True, slots=True)
class Mutation:
    field: str
    """The request's field that was touched; empty when it was none."""
    form: str
    raw: bytes
    malformed: bool = False
    """No message at all: every decoder must refuse it."""
    harmless: bool = False
    """Means the same as without it."""


def varint(value):
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def delimited(number, payload):
    return tag(number, LENGTH) + varint(len(payload)) + payload


def mutations(request: Message):
    """All of one request. `request` has a value wherever a form is to build upon one."""
    yield from _of_message(request)
    for field in request.DESCRIPTOR.fields:
        rest = type(request)()
        rest.CopyFrom(request)
        rest.ClearField(field.name)
        others = rest.SerializeToString()
        for form, raw, malformed, harmless in _forms(field, request):
            yield Mutation(field.name, form, others + raw, malformed, harmless)


def _of_message(request):
    whole = request.SerializeToString()
    number = max((field.number for field in request.DESCRIPTOR.fields), default=0)
    for unknown in (number + 1, 1000, 2**29 - 1):
        yield Mutation("", f"unknown {unknown} as number", whole + tag(unknown, VARINT) + varint(7), harmless=True)
        yield Mutation("", f"unknown {unknown} as text", delimited(unknown, b"\xff" * 300) + whole, harmless=True)
        yield Mutation(
            "", f"unknown {unknown} as group", whole + tag(unknown, GROUP) + tag(unknown, GROUP_END), harmless=True
        )
        yield Mutation(
            "",
            f"unknown {unknown}, fixed",
            whole + tag(unknown, FIXED32) + b"1234" + tag(unknown, FIXED64) + b"12345678",
            harmless=True,
        )
    yield Mutation("", "field number 0", whole + b"\x00\x01")
    yield Mutation("", "field number past the last", whole + varint(2**29 << 3) + b"\x01", malformed=True)
    yield Mutation("", "end of no group", whole + tag(1000, GROUP_END), malformed=True)
    yield Mutation("", "group without end", whole + tag(1000, GROUP), malformed=True)
    yield Mutation("", "groups without end", whole + tag(1000, GROUP) * 200, malformed=True)
    yield Mutation("", "unknown wire type", whole + tag(1000, 6) + b"\x01", malformed=True)
    yield Mutation("", "length past the end", whole + tag(1000, LENGTH) + varint(5) + b"1234", malformed=True)
    yield Mutation("", "length past 64 bits", whole + tag(1000, LENGTH) + b"\xff" * 9 + b"\x01", malformed=True)
    yield Mutation("", "number without end", whole + tag(1000, VARINT) + b"\x80" * 10 + b"\x01", malformed=True)
    yield Mutation("", "cut in a tag", whole + b"\x80", malformed=True)
    yield Mutation("", "nothing", b"")
    yield Mutation("", "twice", whole + whole)
    for at in {len(whole) * part // 9 for part in range(1, 9)}:
        yield Mutation("", f"cut at {at}", whole[:at])


def _forms(field, request):
    """(name, bytes of this field alone, malformed, harmless) of a field that is otherwise absent."""
    yield "absent", b"", False, False
    for wire_type, payload in ((VARINT, b"\x01"), (FIXED64, b"\x00" * 8), (LENGTH, b"\x02ab"), (FIXED32, b"\xff" * 4)):
        if wire_type not in _wire_types(field):
            yield f"wire type {wire_type}", tag(field.number, wire_type) + payload, False, False
    yield "cut after its tag", tag(field.number, LENGTH), True, False
    yield "longer than the message", tag(field.number, LENGTH) + varint(INT32_MAX) + b"ab", True, False
    yield "of negative length", tag(field.number, LENGTH) + varint(-1), True, False
    own = _own_bytes(field, request)
    if not field.is_repeated and own:
        # one after the other is merged, which doubles what is repeated inside
        doubled = field.message_type is not None and any(inner.is_repeated for inner in field.message_type.fields)
        yield "twice the same", own + own, False, not doubled
    if field.message_type and field.message_type.GetOptions().map_entry:
        yield from _map_forms(field)
    elif field.message_type:
        yield from _message_forms(field, request)
    else:
        yield from _scalar_forms(field, own)
    if field.containing_oneof:
        for other in field.containing_oneof.fields:
            if other is not field:
                yield f"together with {other.name}", own + _some_bytes(other), False, False
                yield f"after {other.name}", _some_bytes(other) + own, False, False


def _wire_types(field):
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE):
        return (LENGTH,)
    return (VARINT, LENGTH) if field.is_repeated else (VARINT,)


def _own_bytes(field, request):
    """The field as the request has it."""
    alone = type(request)()
    alone.CopyFrom(request)
    for other in request.DESCRIPTOR.fields:
        if other is not field:
            alone.ClearField(other.name)
    return alone.SerializeToString()


def _some_bytes(field):
    return delimited(field.number, b"") if LENGTH in _wire_types(field) else tag(field.number, VARINT) + varint(5)


def _scalar_forms(field, own):
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        yield from (
            (f"text {text[:8]!r} of {len(text)}", delimited(field.number, text.encode()), False, False)
            for text in TEXTS
        )
        text = field.type == FieldDescriptor.TYPE_STRING
        yield from ((f"bytes {raw!r}", delimited(field.number, raw), text, False) for raw in NOT_TEXT)
        yield "other, then its own", delimited(field.number, b"other") + own, False, bool(own) and not field.is_repeated
        return
    numbers = sorted({*NUMBERS, *LARGE_NUMBERS, *(field.enum_type.values_by_number if field.enum_type else ())})
    for number in numbers:
        yield f"number {number}", tag(field.number, VARINT) + varint(number), False, False
    yield "fifty bits too long", tag(field.number, VARINT) + b"\xff" * 12 + b"\x01", True, False
    yield "number 1 in ten bytes", tag(field.number, VARINT) + b"\x81" + b"\x80" * 8 + b"\x00", False, False
    yield "other, then its own", tag(field.number, VARINT) + varint(3) + own, False, bool(own) and not field.is_repeated
    if field.is_repeated:
        yield "packed", delimited(field.number, b"\x01\x01\x01"), False, False
        yield "a thousand", (tag(field.number, VARINT) + varint(1)) * 1000, False, False
        yield "packed and cut", delimited(field.number, b"\x01\x80"), True, False


def _map_forms(field):
    def entries(*pairs):
        return b"".join(
            delimited(field.number, delimited(1, name.encode()) + delimited(2, words.encode())) for name, words in pairs
        )

    yield from ((f"name {text[:8]!r} of {len(text)}", entries((text, "v")), False, False) for text in TEXTS)
    yield from ((f"words {text[:8]!r} of {len(text)}", entries(("n", text)), False, False) for text in TEXTS)
    for raw in NOT_TEXT:
        yield f"name {raw!r}", delimited(field.number, delimited(1, raw) + delimited(2, b"v")), True, False
        yield f"words {raw!r}", delimited(field.number, delimited(1, b"n") + delimited(2, raw)), True, False
    yield "fifty", entries(*((f"n{number}", "v") for number in range(50))), False, False
    yield "fifty-one", entries(*((f"n{number}", "v") for number in range(51))), False, False
    yield "one name twice", entries(("n", "v"), ("n", "w")), False, False
    yield "composed and decomposed", entries(("\u00e9", "1"), ("e\u0301", "2")), False, False
    yield "an entry without anything", delimited(field.number, b""), False, False
    yield "an entry without words", delimited(field.number, delimited(1, b"n")), False, False
    yield (
        "an entry with more",
        delimited(field.number, delimited(1, b"n") + delimited(2, b"v") + delimited(9, b"x")),
        False,
        False,
    )
    yield (
        "an entry of numbers",
        delimited(field.number, tag(1, VARINT) + b"\x01" + tag(2, VARINT) + b"\x01"),
        False,
        False,
    )


def _message_forms(field, request):
    """The inner message's own forms, each in place of the first one; times have limits of their own."""
    yield "empty", delimited(field.number, b""), False, False
    yield "no message", delimited(field.number, b"\x80"), True, False
    if field.message_type.full_name == "google.protobuf.Timestamp":
        for seconds in SECONDS:
            for nanos in NANOS:
                inner = tag(1, VARINT) + varint(seconds) + tag(2, VARINT) + varint(nanos)
                yield f"{seconds} s {nanos} ns", delimited(field.number, inner), False, False
        return
    value = getattr(request, field.name)
    first, *others = (value or [GetMessageClass(field.message_type)()]) if field.is_repeated else [value]
    rest = b"".join(delimited(field.number, other.SerializeToString()) for other in others)
    # to write into a message that is absent is to send it, which may be another choice of a oneof
    is_there = bool(value) if field.is_repeated else request.HasField(field.name)
    for inner in mutations(first):
        label = f"{inner.field} {inner.form}".strip()
        yield label, delimited(field.number, inner.raw) + rest, inner.malformed, inner.harmless and is_there
    if field.is_repeated:
        yield "a thousand", delimited(field.number, first.SerializeToString()) * 1000, False, False
