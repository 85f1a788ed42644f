"""AdminService, re-rating: what a past window of usage costs by another rate card."""

from collections.abc import Iterable, Sequence
from typing import Final

from prepaid.billing.v1 import reasons_pb2, rerating_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of
from billing_service.api.servicers.admin import reason_of
from billing_service.api.servicers.rate_cards import VERSION_MAX
from billing_service.commands.environment import Environment
from billing_service.commands.spending.correct_charges import CorrectCharges, CorrectedPart, correct_part
from billing_service.commands.spending.rerate_usage import Window, rerate_part
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.rerating import SETTLED_US, WINDOW_MAX_US, Rerated, Totals

USAGES_MAX: Final = 1_000
"""Of one part, until the read that reaches them ends: one answer has room for so many accounts."""
CORRECTED_MAX: Final = 500
"""The same where they are corrected: one account writes 3,000 rows at most."""
_DAY_US: Final = 86_400 * 1_000_000
_corrected = Replies(rerating_pb2.ReRateResponse)


def window_of(request: rerating_pb2.ReRateRequest) -> Window:
    """Raises INVALID_FIELD."""
    to_version = validation.identifier("to_rate_card_version", request.to_rate_card_version, VERSION_MAX)
    from_version = request.from_rate_card_version
    if from_version:
        validation.identifier("from_rate_card_version", from_version, VERSION_MAX)
    start_us, end_us = (_time_us(request, name) for name in ("start_time", "end_time"))
    if not start_us < end_us <= start_us + WINDOW_MAX_US:
        raise invalid_field("end_time", f"must be after start_time, by at most {WINDOW_MAX_US // _DAY_US} days")
    return Window(from_version, to_version, start_us, end_us)


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
        corrected_microcredits=totals.corrected,
        shortfall_microcredits=totals.shortfall,
        decided_count=totals.decided,
    )


def _sums(found: Rerated) -> rerating_pb2.ReRateResponse:
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
    )


def _added(parts: Iterable[bytes]) -> rerating_pb2.ReRateResponse:
    """The sums of several accounts in one answer."""
    whole = rerating_pb2.ReRateResponse()
    models: dict[tuple[str, str], rerating_pb2.ReRatedTotals] = {}
    unpriced: dict[tuple[str, str, str], rerating_pb2.UnpricedUsage] = {}
    for part in map(rerating_pb2.ReRateResponse.FromString, parts):
        whole.accounts.extend(part.accounts)
        for model in part.models:
            _add(models.setdefault((model.provider, model.model), rerating_pb2.ReRatedTotals()), model.totals)
        for lack in part.unpriced:
            named = (lack.provider, lack.model, lack.missing)
            sums = unpriced.setdefault(
                named, rerating_pb2.UnpricedUsage(provider=named[0], model=named[1], missing=named[2])
            )
            sums.usage_count += lack.usage_count
            sums.charged_microcredits += lack.charged_microcredits
    whole.models.extend(
        rerating_pb2.ReRatedModel(provider=provider, model=model, totals=totals)
        for (provider, model), totals in sorted(models.items())
    )
    whole.unpriced.extend(sums for _, sums in sorted(unpriced.items()))
    return whole


def _add(sums: rerating_pb2.ReRatedTotals, more: rerating_pb2.ReRatedTotals) -> None:
    for field in rerating_pb2.ReRatedTotals.DESCRIPTOR.fields:
        setattr(sums, field.name, getattr(sums, field.name) + getattr(more, field.name))


def _encode_account(found: Rerated) -> bytes:
    return _sums(found).SerializeToString()


class Rerating:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret

    async def re_rate(self, request: rerating_pb2.ReRateRequest, call: Call) -> rerating_pb2.ReRateResponse | bytes:
        window = window_of(request)
        if request.page_size < 0:
            raise invalid_field("page_size", "must not be negative")
        binding = ("rerating", *window)
        after = decode_page_token(self._page_token_secret, request.page_token, binding) if request.page_token else ""
        if request.HasField("dry_run") and not request.dry_run:
            return await self._correct(request, call, window, after)
        usages = min(request.page_size or USAGES_MAX, USAGES_MAX)
        part = await rerate_part(self._environment, window, after, usages)
        response = _sums(part.rerated)
        self._end(response, window, part.next_after, part.reached_us)
        return response

    async def _correct(self, request: rerating_pb2.ReRateRequest, call: Call, window: Window, after: str) -> bytes:
        settled_us = SETTLED_US + self._environment.spending.late_capture_us
        if window.end_us > self._environment.clock_us() - settled_us:
            raise invalid_field("end_time", f"must be {settled_us // 1_000_000} s ago where dry_run is false")
        reason = reason_of(request.reason)
        usages = min(request.page_size or CORRECTED_MAX, CORRECTED_MAX)
        meaning = (*window, after, usages, reason)

        def encode(part: CorrectedPart) -> bytes:
            response = _added(part.accounts)
            response.uncorrected.extend(
                rerating_pb2.UncorrectedAccount(
                    account_id=account_id, refusal=reasons_pb2.Reason.Value(f"REASON_{refusal.reason.value}")
                )
                for account_id, refusal in part.refused
            )
            self._end(response, window, part.next_after, part.reached_us)
            return response.SerializeToString()

        command = CorrectCharges(
            request_of(call, "", request.idempotency_key, *meaning),
            lambda account_id: request_of(call, account_id, request.idempotency_key, *meaning),
            window,
            after,
            usages,
            reason,
            _encode_account,
            encode,
        )
        return _corrected(await correct_part(self._environment, command))

    def _end(self, response: rerating_pb2.ReRateResponse, window: Window, next_after: str, reached_us: int) -> None:
        reached = translate.timestamp(reached_us)
        assert reached is not None
        response.reached_time.CopyFrom(reached)
        if next_after:
            binding: Sequence[str | int] = ("rerating", *window)
            response.next_page_token = encode_page_token(self._page_token_secret, next_after, binding)
