"""Headers and bodies that verifiers have stumbled over: each is tested as it is, and mutated further."""

import hashlib
import hmac

HEADER_BYTES_MAX = 8192
NOW_S = 1_900_000_000
SECRET = "whsec_" + "of-signature-seeds-0123456789abc"
OTHER = "whsec_" + "rotating-in-of-signature-seeds-0"
BODY = b'{"id":"evt_1","object":"event","type":"x"}'


def signature(body=BODY, secret=SECRET, timestamp=NOW_S):
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def header(body=BODY, secret=SECRET, timestamp=NOW_S):
    return f"t={timestamp},v1={signature(body, secret, timestamp)}"


def in_digits_from(zero):
    """The time in another script's digits, which Python's int() reads like ours."""
    return str(NOW_S).translate({ord("0") + n: zero + n for n in range(10)})


GOOD = signature()
ODD_TIMES = {
    "empty time": "",
    "negative": -NOW_S,
    "signed with plus": f"+{NOW_S}",
    "space": f" {NOW_S}",
    "underscored": "1_900_000_000",
    "fraction": f"{NOW_S}.0",
    "hexadecimal": hex(NOW_S),
    "exponent": "1e9",
    "huge": "9" * 5000,
    "leading zeros without end": "0" * 20 + str(NOW_S),
    "full-width digits": in_digits_from(0xFF10),
    "arabic digits": in_digits_from(0x0660),
    "superscript": "²",
    "not a number": "NaN",
    "stale": NOW_S - 301,
    "future": NOW_S + 301,
    "a year in the future": NOW_S + 31_536_000,
}
REFUSED = {name: header(timestamp=time) for name, time in ODD_TIMES.items()} | {
    "empty": "",
    "comma": ",",
    "unsigned": f"t={NOW_S}",
    "no time": f"v1={GOOD}",
    "two times": f"t={NOW_S},t={NOW_S},v1={GOOD}",
    "two different times": f"t={NOW_S},t=1,v1={GOOD}",
    "only v0": f"t={NOW_S},v0={GOOD}",
    "v1 as v0": f"t={NOW_S},v0={GOOD},v1=",
    "missing equals": f"t={NOW_S},v1",
    "an element without equals beside a good one": f"t={NOW_S},v1={GOOD},x",
    "tampered": f"t={NOW_S},v1={GOOD[:-1]}{'0' if GOOD[-1] != '0' else '1'}",
    "truncated": f"t={NOW_S},v1={GOOD[:-1]}",
    "upper case": f"t={NOW_S},v1={GOOD.upper()}",
    "other secret": header(secret="whsec_" + "unknown-of-signature-seeds-01234"),
    "empty secret": header(secret=""),
    "other time than signed": f"t={NOW_S + 1},v1={GOOD}",
    "other body": header(body=b"{}"),
    "NUL": header() + "\x00",
    "CRLF": header() + "\r\nt=1",
    "tab": header().replace(",", ",\t"),
    "non-ASCII signature": f"t={NOW_S},v1=é{GOOD[1:]}",
    "non-ASCII beside a good one": header() + ",v2=é",
    "lone surrogate": header() + ",v2=\udcff",
    "too long": header() + ",v2=" + "x" * HEADER_BYTES_MAX,
    "one byte too long": f"{header()},v2=".ljust(HEADER_BYTES_MAX + 1, "x"),
    "ten thousand signatures": f"t={NOW_S}" + ",v1=" * 10_000,
}
ACCEPTED = (
    header(),
    f"v1={GOOD},t={NOW_S}",
    f"t={NOW_S},v1=,v1={'0' * 64},v1={GOOD}",
    f"t={NOW_S},v1={GOOD},v1={signature(secret=OTHER)}",
    f"t={NOW_S},v0={'0' * 64},v1={GOOD},v9=x=y",
    f"{header()},v2=".ljust(HEADER_BYTES_MAX, "x"),
)
BODIES = {
    "list": b"[" + BODY + b"]",
    "string": b'"evt_1"',
    "number": b"1",
    "deep list": b"[" * 50_000,
    "deep event": BODY[:-1] + b',"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "not UTF-8": BODY.replace(b"x", b"\xff"),
    "lone surrogate": BODY.replace(b"x", b"\xed\xb3\xbf"),
    "byte order mark": b"\xef\xbb\xbf" + BODY,
    "NUL": BODY + b"\x00",
    "CRLF": BODY.replace(b",", b",\r\n"),
    "not a number": BODY.replace(b'"x"', b"NaN"),
    "same name twice": BODY[:-1] + b',"type":1}',
    "of another object": BODY.replace(b"evt_1", b"ch_1"),
    "without a type": BODY.replace(b'"x"', b'""'),
    "empty": b"",
}
"""What a thief of the secret could sign. The verifier takes any bytes; the gateway wants an event."""
