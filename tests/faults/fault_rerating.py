"""Re-ratings that are struck by faults."""

import json

from prepaid.billing.v1 import rate_cards_pb2, rerating_pb2
from prepaid.billing.v1.transactions_pb2 import DeductCreditsRequest
from prepaid.billing.v1.usage_pb2 import Usage, UsageLine

from tests.faults.fault_operations import account_of, calling, granted, key_of, operation
from tests.support.doubles import SECOND_US
from tests.support.priced_stack import flat_card


# Its accounts have a transaction each, after the cards and the window were read: who hangs up until then has begun
# nothing.
@operation(
    "correct two accounts",
    also=frozenset({"clean"}),
    varies=frozenset({"rate_cards.position", "rate_cards.card_file"}),
)
async def correct_charges(service, tag):
    begun_us = service.clock()
    for version, price in ((f"card-{tag}", 10), (f"other-{tag}", 4)):
        card = flat_card(price, version).replace('"m"', json.dumps(tag))
        request = rate_cards_pb2.CreateRateCardVersionRequest(
            card_file=card.encode(), idempotency_key=key_of(tag, version)
        )
        await service.answer("create_rate_card_version", request)
        service.clock.advance_s(11)
        if price == 10:
            await spent(service, tag)
    service.clock.advance_s(1_800)
    window = rerating_pb2.ReRateRequest(
        from_rate_card_version=f"card-{tag}",
        to_rate_card_version=f"other-{tag}",
        dry_run=False,
        reason="a wrong price",
        idempotency_key=key_of(tag),
    )
    window.start_time.FromMicroseconds(begun_us)
    window.end_time.FromMicroseconds(begun_us + 60 * SECOND_US)
    return calling("re_rate", window)


async def spent(service, tag):
    """Two accounts use three tokens each."""
    service.environment.rate_cards._fresh_until = float("-inf")  # time passes for its clock alone
    usage = Usage(provider="p", model=tag, lines=[UsageLine(kind=1, quantity=3)])
    for account_id in (account_of(tag), account_of(tag, "-other")):
        await granted(service, account_id, tag=tag)
        request = DeductCreditsRequest(account_id=account_id, usage=usage, idempotency_key=key_of(tag, "used"))
        await service.answer("deduct_credits", request)


RERATING_OPERATIONS = (correct_charges,)
