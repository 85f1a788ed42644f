"""A rate card that is there before an operation."""

from prepaid.billing.v1 import rate_cards_pb2

from tests.support.rate_card_examples import card_file


async def created_card(service, tag):
    """A card that is in force."""
    card = rate_cards_pb2.CreateRateCardVersionRequest(
        card_file=card_file(f"card-{tag}"), idempotency_key=f"card-{tag}"
    )
    await service.answer("create_rate_card_version", card)
    service.clock.advance_s(11)
