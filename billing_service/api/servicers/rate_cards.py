"""AdminService, rate cards: versions of what usage costs."""

import asyncio
from hashlib import sha256
from typing import Final, NamedTuple

from prepaid.billing.v1 import rate_cards_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of
from billing_service.commands.catalogue.rate_cards import CreateRateCard, create_rate_card, rate_card, rate_card_page
from billing_service.commands.environment import Environment
from billing_service.domain.catalogue.rate_card_checks import CardInvalid
from billing_service.domain.catalogue.rate_card_packing import packed, unpacked
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_card_versions import StoredCard
from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.refusals import Refusal, invalid_field
from billing_service.domain.refusals.catalogue import card_file_invalid

CARD_FILE_BYTES_MAX: Final = 1_048_576
"""As it is sent."""
VERSION_MAX: Final = 256
PROBLEMS_MAX: Final = 10
PROBLEM_CHARACTERS_MAX: Final = 200
FIRST_CHARACTERS_MAX: Final = 220
"""Of the one that the message names, so that it has room for how many there are."""
PROBLEMS_BYTES_MAX: Final = 4_000
"""A status travels in trailers, of which clients take 8 KiB, and Base64 makes it a third longer."""
_created = Replies(rate_cards_pb2.CreateRateCardVersionResponse)


class SentCard(NamedTuple):
    """A card as it came, read."""

    card: RateCard
    card_file: bytes
    """As it is kept: compressed by gzip."""
    digest: str
    """Of its JSON as the service writes it, so that two ways to write one card are one request."""


def card_of(content: bytes) -> SentCard:
    """The card of a file. Takes 1.1 s for all of litellm's map. Raises INVALID_FIELD, naming places in the file."""
    try:
        card = unpacked(content)
    except CardInvalid as invalid:
        raise card_invalid(invalid) from None
    text = card_text(card)
    return SentCard(card, packed(text), sha256(text.encode()).hexdigest())


def card_invalid(invalid: CardInvalid) -> Refusal:
    """Every problem is a field violation of its own, as far as a status has room."""
    violations: list[tuple[str, str]] = []
    left = PROBLEMS_BYTES_MAX
    for problem in invalid.problems[:PROBLEMS_MAX]:
        place, _, words = problem.partition(": ")
        field = "card_file" if place == "file" else f"card_file.{place}"
        violation = field[:PROBLEM_CHARACTERS_MAX], words[:PROBLEM_CHARACTERS_MAX]
        left -= sum(len(text.encode()) for text in violation)
        if left < 0:
            break
        violations.append(violation)
    more = len(invalid.problems) - 1
    first = ": ".join(violations[0])[:FIRST_CHARACTERS_MAX]
    return card_file_invalid(f"{first}; and {more} more" if more else first, violations, len(invalid.problems))


def _shown(row: StoredCard) -> rate_cards_pb2.RateCard:
    return rate_cards_pb2.RateCard(
        version=row.version,
        effective_time=translate.timestamp(row.effective_time_us),
        in_force_time=translate.timestamp(row.in_force_time_us),
        create_time=translate.timestamp(row.create_time_us),
        source=row.source,
        markup_ppm=row.markup_ppm,
        entry_count=row.entry_count,
    )


def _encode_created(row: StoredCard) -> bytes:
    return rate_cards_pb2.CreateRateCardVersionResponse(rate_card=_shown(row)).SerializeToString()


class RateCards:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret

    async def create_rate_card_version(self, request: rate_cards_pb2.CreateRateCardVersionRequest, call: Call) -> bytes:
        validation.idempotency_key(request.idempotency_key)
        if not request.card_file:
            raise invalid_field("card_file", "is required")
        if len(request.card_file) > CARD_FILE_BYTES_MAX:
            raise invalid_field(
                "card_file", f"has {len(request.card_file)} bytes; at most {CARD_FILE_BYTES_MAX} are taken: compress it"
            )
        # In a thread, so that deductions go on meanwhile.
        sent = await asyncio.to_thread(card_of, request.card_file)
        keyed = request_of(call, "", request.idempotency_key, sent.digest)
        return _created(
            await create_rate_card(self._environment, CreateRateCard(keyed, sent.card, sent.card_file, _encode_created))
        )

    async def list_rate_cards(
        self, request: rate_cards_pb2.ListRateCardsRequest, call: Call
    ) -> rate_cards_pb2.ListRateCardsResponse:
        del call
        size, binding, secret = validation.page_size(request.page_size), ("rate cards",), self._page_token_secret
        before = int(decode_page_token(secret, request.page_token, binding)) if request.page_token else None
        page = await rate_card_page(self._environment, before, size)
        return rate_cards_pb2.ListRateCardsResponse(
            rate_cards=[_shown(row) for row in page.cards],
            next_page_token=encode_page_token(secret, str(page.last), binding) if page.last else "",
            version_in_force=page.version_in_force,
        )

    async def get_rate_card(
        self, request: rate_cards_pb2.GetRateCardRequest, call: Call
    ) -> rate_cards_pb2.GetRateCardResponse:
        del call
        version = validation.identifier("version", request.version, VERSION_MAX) if request.version else ""
        row = await rate_card(self._environment, version)
        return rate_cards_pb2.GetRateCardResponse(rate_card=_shown(row), card_file_gzip=row.card_file)
