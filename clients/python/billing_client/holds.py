"""What a client adds to the answers about holds."""

from datetime import timedelta
from typing import TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from prepaid.billing.v1.transactions_pb2 import ExtendHoldResponse, HoldCreditsResponse
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.errors import HoldExpired

Answer = TypeVar("Answer", HoldCreditsResponse, ExtendHoldResponse)


def duration_of(time: timedelta | None) -> Duration | None:
    """None stays absent."""
    if time is None:
        return None
    duration = Duration()
    duration.FromTimedelta(time)
    return duration


def check_cost(amount_microcredits: int | None, usage: Usage | None) -> None:
    """TypeError unless it is one of the two."""
    if (amount_microcredits is None) == (usage is None):
        raise TypeError("a hold and its capture take either amount_microcredits or usage")


def still_held(answer: Answer, idempotency_key: str) -> Answer:
    """The answer, unless it is a replay whose hold has ended meanwhile: nothing is reserved any more. Raises
    HoldExpired. Both times are the service's, so that no clock of a client counts."""
    hold, now = answer.hold, answer.server_time
    ends = (hold.expire_time.seconds, hold.expire_time.nanos)
    if answer.replayed and ends <= (now.seconds, now.nanos):
        raise HoldExpired(
            "the hold was made by an earlier request of this key, and its time is up",
            status=grpc.StatusCode.FAILED_PRECONDITION,
            rpc=type(answer).__name__.removesuffix("Response"),
            reason="HOLD_EXPIRED",
            metadata={"hold_id": hold.hold_id},
            idempotency_key=idempotency_key,
        )
    return answer
