"""AdminService, re-rating: what a past window of usage costs by another rate card."""

from typing import Final

from prepaid.billing.v1 import rerating_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.servicers.rate_cards import VERSION_MAX
from billing_service.commands.environment import Environment
from billing_service.commands.spending.rerate_usage import Part, Window, rerate_part
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.rerating import WINDOW_MAX_US, Totals

USAGES_MAX: Final = 1_000
"""Of one part, until the read that reaches them ends: one answer has room for so many accounts."""
_DAY_US: Final = 86_400 * 1_000_000


def window_of(request: rerating_pb2.ReRateRequest) -> Window:
    """Raises INVALID_FIELD."""
    from_version = request.from_rate_card_version
    if from_version:
        validation.identifier("from_rate_card_version", from_version, VERSION_MAX)
    start_us, end_us = (_time_us(request, name) for name in ("start_time", "end_time"))
    if not start_us < end_us <= start_us + WINDOW_MAX_US:
        raise invalid_field("end_time", f"must be after start_time, by at most {WINDOW_MAX_US // _DAY_US} days")
    return Window(from_version, start_us, end_us)


def _time_us(request: rerating_pb2.ReRateRequest, field: str) -> int:
    if not request.HasField(field):  # type: ignore[arg-type]  # one of two names
        raise invalid_field(field, "is required")
    return validation.timestamp_us(field, getattr(request, field))


def _totals(totals: Totals) -> rerating_pb2.ReRatedTotals:
    return rerating_pb2.ReRatedTotals(
        usage_count=totals.usages,
        price_microcredits=totals.price,
        uncollected_microcredits=totals.uncollected,
        charged_microcredits=totals.charged,
        new_price_microcredits=totals.new_price,
        target_microcredits=totals.target,
        difference_microcredits=totals.difference,
    )


def _response(part: Part, next_page_token: str) -> rerating_pb2.ReRateResponse:
    found = part.rerated
    return rerating_pb2.ReRateResponse(
        models=[
            rerating_pb2.ReRatedModel(provider=provider, model=model, totals=_totals(totals))
            for (provider, model), totals in sorted(found.models.items())
        ],
        accounts=[
            rerating_pb2.ReRatedAccount(account_id=account_id, totals=_totals(totals))
            for account_id, totals in sorted(found.accounts.items())
        ],
        unpriced=[
            rerating_pb2.UnpricedUsage(
                **lack._asdict(), usage_count=unpriced.usages, charged_microcredits=unpriced.charged
            )
            for lack, unpriced in sorted(found.unpriced.items())
        ],
        reached_time=translate.timestamp(part.reached_us),
        next_page_token=next_page_token,
    )


class Rerating:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret

    async def re_rate(self, request: rerating_pb2.ReRateRequest, call: Call) -> rerating_pb2.ReRateResponse:
        del call
        to_version = validation.identifier("to_rate_card_version", request.to_rate_card_version, VERSION_MAX)
        window, secret = window_of(request), self._page_token_secret
        if request.page_size < 0:
            raise invalid_field("page_size", "must not be negative")
        binding = ("rerating", to_version, *window)
        after = decode_page_token(secret, request.page_token, binding) if request.page_token else ""
        usages = min(request.page_size or USAGES_MAX, USAGES_MAX)
        part = await rerate_part(self._environment, window, to_version, after, usages)
        token = encode_page_token(secret, part.next_after, binding) if part.next_after else ""
        return _response(part, token)
