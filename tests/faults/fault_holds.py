"""Operations on holds that are struck by faults."""

from prepaid.billing.v1.transactions_pb2 import (
    OVER_HOLD_FROM_AVAILABLE,
    CaptureHoldRequest,
    ExtendHoldRequest,
    HoldCreditsRequest,
    ReleaseHoldRequest,
)

from tests.faults.fault_operations import account_of, calling, granted, key_of, operation

AGAIN = frozenset({"clean"})
"""A batch that breaks is tried again, so that one strike may leave no trace."""


def hold(tag, amount, name="key", **options):
    return HoldCreditsRequest(
        account_id=account_of(tag), amount_microcredits=amount, idempotency_key=key_of(tag, name), **options
    )


async def held(service, tag, amount, **options):
    """A hold that was made before."""
    await granted(service, account_of(tag))
    return (await service.answer("hold_credits", hold(tag, amount, "before", **options))).hold.hold_id


@operation("hold", one_unit=True, also=AGAIN)
async def hold_credits(service, tag):
    await granted(service, account_of(tag))
    return calling("hold_credits", hold(tag, 60))


@operation("capture a hold", one_unit=True, also=AGAIN)
async def capture_hold(service, tag):
    request = CaptureHoldRequest(
        account_id=account_of(tag),
        hold_id=await held(service, tag, 60),
        amount_microcredits=70,
        over_hold=OVER_HOLD_FROM_AVAILABLE,
        idempotency_key=key_of(tag),
    )
    return calling("capture_hold", request)


@operation("release a hold of all", one_unit=True, also=AGAIN)
async def release_hold(service, tag):
    request = ReleaseHoldRequest(
        account_id=account_of(tag), hold_id=await held(service, tag, 100), idempotency_key=key_of(tag)
    )
    return calling("release_hold", request)


@operation("extend a hold", one_unit=True, also=AGAIN)
async def extend_hold(service, tag):
    request = ExtendHoldRequest(
        account_id=account_of(tag),
        hold_id=await held(service, tag, 60),
        additional_microcredits=40,
        idempotency_key=key_of(tag),
    )
    return calling("extend_hold", request)


@operation("hold what an ended hold gave back", one_unit=True, also=AGAIN)
async def hold_after_an_end(service, tag):
    await held(service, tag, 100, expiry_capture_microcredits=30)
    service.clock.advance_s(601)
    return calling("hold_credits", hold(tag, 70))


HOLD_OPERATIONS = (hold_credits, capture_hold, release_hold, extend_hold, hold_after_an_end)
