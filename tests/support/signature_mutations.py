"""Damages signed payloads in thousands of ways, and says independently which of them are still good."""

import hmac
import random
import re

from tests.support.signature_seeds import (
    ACCEPTED,
    BODIES,
    BODY,
    NOW_S,
    ODD_TIMES,
    OTHER,
    REFUSED,
    SECRET,
    header,
    signature,
)

STRANGER = "whsec_" + "stranger-of-signature-seeds-0123"
SEED_HEADS = [head.encode("utf-8", "surrogateescape") for head in REFUSED.values()]
SEED_BODIES = list(BODIES.values())
GOOD_HEADS = [head.encode() for head in ACCEPTED]
OFFSETS_S = (0, 0, 0, 1, -1, 299, 300, 301, -299, -300, -301, 600, -600, 10**9, -(10**9))
SCHEMES = (b"t", b"v1", b"v0", b"v2", b"T", b"V1", b" t", b"v1 ", b"", b"t\x00", b"v\xb9")
SPLICES = (
    b"t=",
    b"v1=",
    b"v0=",
    b",",
    b"=",
    b"\x00",
    b"\r\n",
    b"_",
    b"-",
    b"+",
    b" ",
    b"\xef\xbc\x91",
    signature().encode(),
    header().encode(),
    b"9" * 13,
)


def reference(body: bytes, head: bytes, secrets: list[str]) -> bool:
    """Fifteen lines that share nothing with the verifier but the standard library."""
    if len(head) > 8192 or re.search(rb"[^ -~]", head) or not re.fullmatch(rb"[^,=]*=[^,]*(,[^,=]*=[^,]*)*", head):
        return False
    times = re.findall(rb"(?:^|,)t=([^,]*)", head)
    if len(times) != 1 or not re.fullmatch(rb"[0-9]{1,12}", times[0]) or not -300 <= int(times[0]) - NOW_S <= 300:
        return False
    wanted = {hmac.new(secret.encode(), times[0] + b"." + body, "sha256").hexdigest().encode() for secret in secrets}
    return not wanted.isdisjoint(re.findall(rb"(?:^|,)v1=([^,]*)", head))


def mutations(seed: int, count: int):
    """Mostly small damage to good pairs, so that the border between good and bad is where the tries are."""
    pick = random.Random(seed)
    for _ in range(count):
        body, head = _pair(pick)
        for _ in range(pick.choice((0, 0, 1, 1, 2, 5))):
            part = pick.random()
            if part < 0.4:
                _damage(pick, head)
            elif part < 0.7:
                head = _regrammar(pick, head)
            elif part < 0.85:
                head = _retime(pick, bytes(body), head)
            else:
                _damage(pick, body)
                if pick.random() < 0.5:
                    head = bytearray(header(bytes(body)).encode())
        yield bytes(body), bytes(head)


def _pair(pick):
    """A body and a header: one that a seed is about, or one signed anew."""
    kind = pick.random()
    if kind < 0.1:
        return bytearray(BODY), bytearray(pick.choice(SEED_HEADS))
    if kind < 0.2:
        return bytearray(BODY), bytearray(pick.choice(GOOD_HEADS))
    body = pick.choice(SEED_BODIES) if kind < 0.25 else BODY
    secret = pick.choice((SECRET, SECRET, SECRET, OTHER, STRANGER))
    return bytearray(body), bytearray(header(body, secret, NOW_S + pick.choice(OFFSETS_S)).encode())


def _damage(pick, target):
    """Bytes changed, put in, taken out, put behind, or in another order."""
    at = pick.randrange(len(target) + 1)
    match pick.randrange(5):
        case 0:
            target[at : at + 1] = bytes([pick.randrange(256)])
        case 1:
            target[at:at] = pick.choice(SPLICES)
        case 2:
            del target[at : at + pick.choice((1, 1, 4, 40))]
        case 3:
            target += b"," + pick.choice(SPLICES) + pick.choice(SPLICES)
        case 4:
            target[:] = b",".join(sorted(target.split(b",", 200), key=lambda _: pick.random()))


def _regrammar(pick, head):
    """The header's elements, as elements, one of them doubled, lost, renamed, emptied, moved or multiplied."""
    elements = head.split(b",", 200)
    at = pick.randrange(len(elements))
    scheme, _, value = elements[at].partition(b"=")
    match pick.randrange(8):
        case 0:
            elements.insert(pick.randrange(len(elements) + 1), elements[at])
        case 1:
            del elements[at]
        case 2:
            elements[at] = pick.choice(SCHEMES) + b"=" + value
        case 3:
            elements[at] = scheme + pick.choice((b"", b"==", b" =", b"= ", b"\xef\xbc\x9d")) + value
        case 4:
            elements[at] = scheme + b"="
        case 5:
            elements.append(elements.pop(at))
        case 6:
            elements[at:at] = [pick.choice((b"v1=", b"v0=", b"v1=" + b"0" * 64))] * pick.choice((1, 10, 120))
        case 7:
            elements.append(b"v9=" + b"x" * max(0, 8192 - len(head) - 4 + pick.choice((-1, 0, 0, 1))))
    return bytearray(b",".join(elements))


def _retime(pick, body, head):
    """Another time in its place: signed as it stands, or under the old signature."""
    time = pick.choice(
        (*ODD_TIMES.values(), f"0{NOW_S}", "0" * 2 + str(NOW_S), *(NOW_S + offset for offset in OFFSETS_S))
    )
    if pick.random() < 0.5:
        return bytearray(header(body, pick.choice((SECRET, OTHER)), time).encode())
    return bytearray(
        re.sub(rb"(^|,)t=[^,]*", lambda found: found[1] + b"t=" + str(time).encode(), bytes(head), count=1)
    )
