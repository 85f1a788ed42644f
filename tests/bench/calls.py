"""The requests that the load generator sends, as bytes made ahead of time."""

import itertools
import time
from collections.abc import Callable, Iterator
from random import Random

from prepaid.billing.v1 import accounts_pb2, transactions_pb2, usage_pb2

AMOUNT_MICROCREDITS = 1_000
USAGE = usage_pb2.Usage(
    provider="openai",
    model="gpt-5",
    lines=[
        usage_pb2.UsageLine(kind=usage_pb2.USAGE_KIND_INPUT_TOKENS, quantity=1_000),
        usage_pb2.UsageLine(kind=usage_pb2.USAGE_KIND_CACHED_INPUT_TOKENS, quantity=4_000),
        usage_pb2.UsageLine(kind=usage_pb2.USAGE_KIND_OUTPUT_TOKENS, quantity=500),
    ],
)
"""A call of a model in three lines, which the built-in card prices."""
PREFIX_BYTES = 5
"""Of each gRPC message: a flag and its length."""
_KEY_BYTES = 36
_KEY_TAG = bytes([transactions_pb2.DeductCreditsRequest.IDEMPOTENCY_KEY_FIELD_NUMBER << 3 | 2, _KEY_BYTES])

Encode = Callable[[], bytes]
"""Makes the next request: its gRPC message with the five bytes of length before it."""


SPENDERS = ("tenant", "project", "user")
"""Whom a deduction at limits is for. With the account itself they are four levels, each of which has a limit."""


def account_id(index: int) -> str:
    """The id of the account of this number, the same for whoever seeds and whoever calls."""
    return f"bench-{index:06d}"


def limited_account_id(index: int) -> str:
    """The same of accounts with spend limits."""
    return f"limited-{index:06d}"


def shuffled_accounts(accounts: int, random: Random) -> Iterator[str]:
    """Ids of accounts, each once in a random order, and so again."""
    ids = [account_id(index) for index in range(accounts)]
    random.shuffle(ids)
    return itertools.cycle(ids)


def time_ordered_keys(random: Random) -> Iterator[bytes]:
    """UUIDs of version 7 in text, random within the millisecond as those of many clients are."""
    while True:
        milliseconds = b"%012x" % (time.time_ns() // 1_000_000)
        noise = b"%018x" % random.getrandbits(72)
        yield b"%s-%s-7%s-8%s-%s" % (milliseconds[:8], milliseconds[8:], noise[:3], noise[3:6], noise[6:])


def random_keys(random: Random) -> Iterator[bytes]:
    """UUIDs of version 4 in text."""
    while True:
        noise = b"%030x" % random.getrandbits(120)
        yield b"%s-%s-4%s-8%s-%s" % (noise[:8], noise[8:12], noise[12:15], noise[15:18], noise[18:])


KEYS: dict[str, Callable[[Random], Iterator[bytes]]] = {"time-ordered": time_ordered_keys, "random": random_keys}


def _deductions(
    accounts: int,
    keys: Iterator[bytes],
    random: Random,
    before: Callable[[int], bytes],
    *,
    priced: bool = False,
    limited: bool = False,
) -> Encode:
    """Deductions of AMOUNT_MICROCREDITS, or of USAGE where they are `priced`, over this many accounts in random order.
    Each has a key of its own and `before` its length. `limited` ones are for spenders, on accounts with limits."""
    prefixes = []
    for index in range(accounts):
        request = transactions_pb2.DeductCreditsRequest(account_id=account_id(index))
        if limited:
            request.account_id = limited_account_id(index)
            request.spender_ids.extend(SPENDERS)
        if priced:
            request.usage.CopyFrom(USAGE)
        else:
            request.amount_microcredits = AMOUNT_MICROCREDITS
        fixed = request.SerializeToString() + _KEY_TAG
        prefixes.append(before(len(fixed) + _KEY_BYTES) + fixed)
    order = _order(prefixes, random)
    return lambda: next(order) + next(keys)


def deduct_credits(accounts: int, keys: Iterator[bytes], random: Random, **kind: bool) -> Encode:
    """DeductCredits, each call with a key of its own. For `priced` and `limited`, see `_deductions`."""
    return _deductions(accounts, keys, random, length_prefix, **kind)


def batch_deduct_credits(accounts: int, keys: Iterator[bytes], random: Random, **kind: bool) -> Encode:
    """BatchDeductCredits of ITEMS deductions."""
    tag = bytes([transactions_pb2.BatchDeductCreditsRequest.DEDUCTIONS_FIELD_NUMBER << 3 | 2])
    deduction = _deductions(accounts, keys, random, lambda length: tag + _short(length), **kind)

    def encode() -> bytes:
        request = b"".join([deduction() for _ in range(ITEMS["BatchDeductCredits"])])
        return length_prefix(len(request)) + request

    return encode


def stream_deductions(accounts: int, keys: Iterator[bytes], random: Random) -> Encode:
    """The next request of a stream."""
    tag = bytes([transactions_pb2.StreamDeductionsRequest.DEDUCTION_FIELD_NUMBER << 3 | 2])
    before = lambda length: length_prefix(length + 2) + tag + _short(length)  # noqa: E731 - for one call
    return _deductions(accounts, keys, random, before)


def get_balance(accounts: int, _keys: Iterator[bytes], random: Random, **kind: bool) -> Encode:
    """GetBalance over this many accounts in random order."""
    assert not any(kind.values()), "a balance is neither priced nor limited"
    requests = (
        accounts_pb2.GetBalanceRequest(account_id=account_id(index)).SerializeToString() for index in range(accounts)
    )
    return _order([length_prefix(len(request)) + request for request in requests], random).__next__


METHODS: dict[str, Callable[..., Encode]] = {
    "DeductCredits": deduct_credits,
    "BatchDeductCredits": batch_deduct_credits,
    "GetBalance": get_balance,
}
ITEMS = {"BatchDeductCredits": 100}
"""Deductions in one call, where there is more than one."""


def refused_items(answer: bytes) -> int:
    """How many outcomes of a BatchDeductCreditsResponse say no."""
    outcomes = transactions_pb2.BatchDeductCreditsResponse.FromString(answer).outcomes
    return sum(not outcome.HasField("deducted") for outcome in outcomes) + ITEMS["BatchDeductCredits"] - len(outcomes)


def request_headers(authority: str, method: str, authorization: str | None) -> list[tuple[str, str]]:
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", f"/prepaid.billing.v1.BillingService/{method}"),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    return headers if authorization is None else [*headers, ("authorization", authorization)]


def _short(length: int) -> bytes:
    """The length of a message inside of another."""
    assert length < 128, "one byte says it"
    return bytes([length])


def length_prefix(message_bytes: int) -> bytes:
    return b"\0" + message_bytes.to_bytes(4, "big")


def _order(requests: list[bytes], random: Random) -> Iterator[bytes]:
    """Every request once in a shuffled order, then that order again: each account gets its share and none is warm."""
    random.shuffle(requests)
    return itertools.cycle(requests)
