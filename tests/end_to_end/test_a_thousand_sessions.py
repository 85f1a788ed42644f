"""1,000 sessions of one account, at once: never one microcredit over, and nothing acknowledged is lost."""

import asyncio

import pytest

from billing_service.commands.spending.session_charges import (
    close_session,
    decide_close,
    grow,
    payer_of,
    price_of,
    rooms_of,
)
from billing_service.commands.spending.sessions import OpenSession, open_session
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.holds import Author
from billing_service.domain.spending.outcome_policies import GenerationOutcome
from billing_service.domain.spending.price_records import UnpricedUsage
from billing_service.domain.spending.sessions import growth, take_tick, tick_of
from billing_service.domain.spending.usage import usage_of
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from tests.end_to_end.test_batches_of_deductions import rich
from tests.support.doubles import SECOND_US
from tests.support.metered import cost
from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")

SESSIONS, CREDITS = 1_000, 150
"""Together the sessions want half as much again as the account has."""
SLICE = CREDIT // 10
SHORT = {Reason.INSUFFICIENT_CREDITS}


def used(number):
    return usage_of(provider="openai", model="gpt-5", lines=[(4, "", 100 + number % 200)])


async def one_session(environment, account_id, number):
    """What one session cost, and what of it was charged."""
    key = IdempotencyKey(account_id, f"open-{number}", "tests/MeterSession", fingerprint(number))
    asked = OpenSession(account_id, None, SLICE, 600 * SECOND_US, Author("tests"), key, f"usage-{number}")
    try:
        owned = await open_session(environment, asked)
    except Refusal as refusal:
        if refusal.reason not in SHORT:
            raise
        return 0, 0
    price = await price_of(environment, owned, used(number))
    assert not isinstance(price, UnpricedUsage)
    owned.session = take_tick(owned.session, 1, used(number), price)
    row = tick_of(owned.session)
    assert (await environment.ticks.submit(row)).has(row)
    payer = payer_of(owned.session)
    more = growth(owned.session, (await rooms_of(environment, [payer]))[payer])
    if more:
        try:
            await grow(environment, owned, more, 0)
        except Refusal as refusal:
            if refusal.reason not in SHORT:
                raise
    close = await decide_close(environment, owned, None, GenerationOutcome.COMPLETE)
    reply = await close_session(
        environment, owned, close, lambda captured, _: str(captured.amount).encode(), charged_by_other=lambda _: ""
    )
    return cost(0, 100 + number % 200), int(reply.reply)


async def test_a_thousand_sessions_never_take_more_than_their_account_has(stack, wire, new_account):
    account_id = await rich(wire, new_account(), CREDITS)
    environment = stack.service.environment
    done = await asyncio.gather(*(one_session(environment, account_id, number) for number in range(SESSIONS)))
    shown = (await wire.call("GetBalance", account_id=account_id)).balance
    charged = sum(each[1] for each in done)
    assert (shown.held_microcredits, shown.debt_microcredits) == (0, 0)
    assert charged + shown.available_microcredits == CREDITS * CREDIT, "to the microcredit"
    assert all(taken <= wanted for wanted, taken in done)
    assert sum(wanted for wanted, _ in done) > charged, "there was too little, or nothing was tried"
