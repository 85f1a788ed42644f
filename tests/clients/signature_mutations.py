"""Signs payloads, damages them in thousands of ways, and says independently which of them are still good."""

import hashlib
import hmac
import random
import re

NOW_S = 1_900_000_000
SECRET = "whsec_" + "a" * 32
OTHER = "whsec_" + "b" * 32
BODY = b'{"id":"evt_1","object":"event","type":"x"}'


def signature(body=BODY, secret=SECRET, timestamp=NOW_S):
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def header(body=BODY, secret=SECRET, timestamp=NOW_S):
    return f"t={timestamp},v1={signature(body, secret, timestamp)}"


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
    splices = [
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
    ]
    for _ in range(count):
        body = bytearray(BODY)
        timestamp = NOW_S + pick.choice([0, 0, 0, 299, 300, 301, -300, -301, 10**9])
        head = bytearray(header(bytes(body), pick.choice([SECRET, SECRET, OTHER, "whsec_" + "c" * 32]), timestamp), "ascii")
        for _ in range(pick.choice([0, 0, 1, 1, 2, 5])):
            target = pick.choice([head, head, head, body])
            at = pick.randrange(len(target) + 1) if target else 0
            match pick.randrange(5):
                case 0:
                    target[at : at + 1] = bytes([pick.randrange(256)])
                case 1:
                    target[at:at] = pick.choice(splices)
                case 2:
                    del target[at : at + pick.choice([1, 1, 4, 40])]
                case 3:
                    target += b"," + pick.choice(splices) + pick.choice(splices)
                case 4:
                    target[:] = b",".join(sorted(target.split(b","), key=lambda _: pick.random()))
        yield bytes(body), bytes(head)
