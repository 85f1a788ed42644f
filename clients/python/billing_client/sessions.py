"""What a session is opened with."""

from collections.abc import Mapping, Sequence

from google.protobuf.duration_pb2 import Duration
from prepaid.billing.v1.sessions_pb2 import OpenSession
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.idempotency import new_idempotency_key
from billing_client.messages import message

NANOS_PER_S = 1_000_000_000


def opening_of(
    *,
    account_id: str,
    estimate: Usage | None,
    slice_microcredits: int,
    grace_s: float | None,
    description: str,
    metadata: Mapping[str, str] | None,
    idempotency_key: str | None,
    spender_ids: Sequence[str],
) -> OpenSession:
    """The message. TypeError or ValueError for what can't be meant."""
    grace = None
    if grace_s is not None:
        grace = Duration(seconds=int(grace_s), nanos=round((grace_s - int(grace_s)) * NANOS_PER_S))
    return message(
        OpenSession,
        account_id=account_id,
        estimate=estimate,
        slice_microcredits=slice_microcredits,
        grace=grace,
        description=description,
        metadata=metadata or {},
        idempotency_key=idempotency_key or new_idempotency_key(),
        spender_ids=spender_ids,
    )
