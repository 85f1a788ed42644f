"""What sessions cost, and how they are charged: prices of usage, growth of holds, closes."""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from billing_service.commands.environment import Environment
from billing_service.commands.spending.reverse_deduction import ReverseDeduction, reverse
from billing_service.commands.spending.sessions import Owned
from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.holds import HoldState
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.captures import Captured
from billing_service.domain.spending.outcome_policies import Charge, GenerationOutcome
from billing_service.domain.spending.price_records import PricedUsage, UnpricedUsage
from billing_service.domain.spending.pricing import Price, TimeBasis, price, pricing_time
from billing_service.domain.spending.sessions import (
    Room,
    Session,
    closing,
    late_charge,
    missing_for_close,
    room_of,
    unpriced_charge,
)
from billing_service.domain.spending.unpriced import MODEL, UNPRICED, unpriced_by
from billing_service.domain.spending.usage import Measurement, Usage
from billing_service.ledger.keys import Answer, IdempotencyKey, fingerprint
from billing_service.ledger.operations.sessions import CloseSession, GrowSession
from billing_service.ledger.unit import Caller, Request
from billing_service.storage.rows.hold_reading import read_present_accounts
from billing_service.storage.rows.spend_limits import fetch_limits, missing_limits
from billing_service.storage.statements import Work

NO_GROWTH: Final = frozenset(
    {
        Reason.INSUFFICIENT_CREDITS,
        Reason.SPEND_LIMIT_REACHED,
        Reason.ACCOUNT_FROZEN,
        Reason.HOLD_EXPIRED,
        Reason.HOLD_CLOSED,
    }
)
"""Why a hold that a close wants to grow may not: what the hold has is charged then, and no less."""


Priced = Price | UnpricedUsage
"""What a usage costs a session, or that its card has no price for it."""


async def price_of(environment: Environment, owned: Owned, usage: Usage) -> Priced:
    """What a usage costs the session: by the card of its opening, at the time of its opening or of the usage. A model
    that the card lacks is priced by the card in force. Raises INVALID_FIELD."""
    now_us, window_us = environment.clock_us(), environment.spending.usage_age_max_us
    time_us, basis = pricing_time(usage.occur_time_us, now_us, window_us)
    if basis is TimeBasis.RECEIVED:
        time_us = owned.session.open_time_us  # one price from the first tick to the close
    found = _price_by(owned.card, usage, time_us, basis)
    if isinstance(found, UnpricedUsage) and found.missing == (MODEL,):
        current = (await environment.rate_cards.for_usage(usage.occur_time_us)).card
        return _price_by(current, usage, time_us, basis)
    return found


def _price_by(card: RateCard, usage: Usage, time_us: int, basis: TimeBasis) -> Priced:
    try:
        return price(usage, card, time_us, basis)
    except Refusal as refusal:
        if refusal.reason not in UNPRICED:
            raise
        return unpriced_by(usage, refusal)


Payer = tuple[str, tuple[str, ...]]
"""Who pays for a session: its account, and the spenders that it counts for."""


def payer_of(session: Session) -> Payer:
    return session.account_id, session.spender_ids


async def rooms_of(environment: Environment, payers: Collection[Payer]) -> dict[Payer, Room]:
    """What accounts let their sessions grow by now, in a fixed number of statements; nothing of unknown accounts."""
    clock_us, windows = environment.clock_us(), environment.spending.windows

    def work() -> Work[dict[str, Account]]:
        accounts = yield from read_present_accounts(sorted({account_id for account_id, _ in payers}), clock_us)
        missing = missing_limits(accounts, payers)
        if missing:
            yield from fetch_limits(accounts, missing)
        return accounts

    accounts = await environment.store.read(work)
    return {
        (account_id, spender_ids): room_of(account, spender_ids, windows, account.moment(clock_us))
        for account_id, spender_ids in payers
        if (account := accounts.get(account_id)) is not None
    }


async def grow(environment: Environment, owned: Owned, additional: int, lifetime_us: int) -> None:
    """Lets the hold reserve more, or live longer. Raises what ExtendHold raises."""
    owned.growths += 1
    session = owned.session
    operation = GrowSession(
        session.account_id,
        session.session_id,
        additional,
        lifetime_us,
        IdempotencyKey(
            session.account_id,
            f"{session.session_id}/{session.epoch}/{owned.growths}",
            f"{owned.author.caller}/MeterSession",
            fingerprint(additional, lifetime_us),
        ),
        owned.author,
        lambda changed, _: str(changed.hold.expire_time_us).encode(),
    )
    answer = await environment.writer.submit(operation)
    owned.session.held += additional
    owned.session.expire_time_us = int(answer.reply)


class Close(NamedTuple):
    """What a close charges, decided before it is submitted."""

    amount: int
    priced: PricedUsage | None
    unpriced: UnpricedUsage | None
    charge: Charge
    measurement: Measurement


async def decide_close(
    environment: Environment,
    owned: Owned,
    usage: Usage | None,
    outcome: GenerationOutcome,
) -> Close:
    """What closing the session costs. Never refused for want of a price: what was acknowledged last is charged then.
    Raises INVALID_FIELD."""
    session = owned.session
    found = closing(session, usage, outcome, environment.outcome_policies)
    if found.usage is None:
        return Close(0, None, None, found.charge, found.measurement)
    price = await price_of(environment, owned, found.usage)
    if isinstance(price, UnpricedUsage):
        return Close(unpriced_charge(session), None, price, found.charge, Measurement.ESTIMATED)
    priced = PricedUsage(found.usage, price)
    return Close(price.amount_microcredits, priced, None, found.charge, found.measurement)


async def close_session(
    environment: Environment,
    owned: Owned,
    close: Close,
    encode_reply: Callable[[Captured, Balance], bytes],
    *,
    charged_by_other: Callable[[bytes], str],
) -> Answer:
    """Charges the session, once: a repeat is answered as the first close was. The hold grows by what it lacks, as far
    as the account has it. Raises IDEMPOTENCY_KEY_REUSED where the key charged something else, ACCOUNT_FROZEN and
    HOLD_CLOSED for a late close, HOLD_EXPIRED."""
    session = owned.session
    if owned.ended is None and close.amount > session.held:
        payer = payer_of(session)
        more = missing_for_close(session, close.amount, (await rooms_of(environment, [payer]))[payer])
        if more:
            try:
                await grow(environment, owned, more, 0)
            except Refusal as refusal:
                if refusal.reason not in NO_GROWTH:
                    raise
    if owned.ended is HoldState.EXPIRED and close.amount < owned.captured and not owned.closed_late:
        await _give_back(environment, owned, close.amount)
    return await environment.writer.submit(
        CloseSession(
            session.account_id,
            session.session_id,
            close.amount,
            close.priced,
            close.unpriced,
            IdempotencyKey(
                session.account_id,
                owned.usage_key,
                f"{owned.author.caller}/DeductCredits",
                fingerprint("session", session.account_id, session.session_id),
                charged_by_other,
            ),
            owned.author,
            encode_reply,
        )
    )


async def _give_back(environment: Environment, owned: Owned, cost: int) -> None:
    """Undoes what a hold's expiry charged beyond what the session costs. The token has proved whose it is. A close that
    broke after this can be repeated, but none of another cost takes its place: raises IDEMPOTENCY_KEY_REUSED."""
    session, caller = owned.session, owned.author.caller
    await reverse(
        environment,
        ReverseDeduction(
            Request(
                IdempotencyKey(
                    session.account_id,
                    f"{session.session_id}/late",
                    f"{caller}/MeterSession",
                    fingerprint("late", session.session_id, cost),
                ),
                Caller(caller, "", "MeterSession", is_admin=True),
            ),
            session.account_id,
            owned.end_transaction_id,
            -late_charge(cost, owned.captured),
            "closed after its end",
            lambda reversed_, _: reversed_.transaction.transaction_id.encode(),
        ),
    )
