"""What sessions write, struck by faults. A stream is not under test here: its owner calls again, as clients do."""

from dataclasses import replace

from billing_service.commands.spending.session_charges import close_session, decide_close, grow
from billing_service.commands.spending.sessions import OpenSession, open_session, resume_session
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.holds import Author
from billing_service.domain.spending.outcome_policies import GenerationOutcome
from billing_service.domain.spending.sessions import tick_of
from billing_service.domain.spending.usage import usage_of
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from tests.faults.fault_cards import created_card
from tests.faults.fault_operations import account_of, granted, key_of, operation
from tests.support.doubles import SECOND_US
from tests.support.fault_service import Told, renamed

AGAIN = frozenset({"clean"})
OWNERS = frozenset({"sessions.epoch", "sessions.token_hash", "rate_cards.position", "rate_cards.card_file"})
"""Each try to open or to resume makes an owner."""
GRACE_S = 600


def used(tokens):
    """A usage that costs a microcredit or more for 10 tokens."""
    return usage_of(provider="openai", model="gpt-5-nano", lines=[(1, "", tokens)])


def opening(tag, slice_=40):
    key = IdempotencyKey(account_of(tag), key_of(tag), "tests/MeterSession", fingerprint(tag))
    author = Author("tests")
    return OpenSession(account_of(tag), None, slice_, GRACE_S * SECOND_US, author, key, key_of(tag, "usage"))


async def opened(service, tag):
    """A session that was opened before, with 40 of 100 microcredits."""
    await granted(service, account_of(tag))
    await created_card(service, tag)
    return await open_session(service.environment, opening(tag))


def shown(owned):
    session = owned.session
    words = (session.session_id, session.sequence, session.charged, session.held, owned.captured)
    return Told(renamed(" ".join(map(str, words))), replayed=False)


@operation("open a session", also=AGAIN, unkeyed=True, varies=OWNERS)
async def open_a_session(service, tag):
    await granted(service, account_of(tag))
    await created_card(service, tag)

    async def call(now):
        return [shown(await open_session(now.environment, opening(tag)))]

    return call


@operation("resume a session", also=AGAIN, unkeyed=True, varies=OWNERS)
async def resume_a_session(service, tag):
    owned = await opened(service, tag)

    async def call(now):
        try:
            again = await resume_session(now.environment, account_of(tag), owned.session.session_id, owned.token)
        except Refusal as refusal:  # the answer to a former try was lost, and with it the newest token
            if refusal.reason is not Reason.HOLD_OWNED:
                raise
            again = await open_session(now.environment, opening(tag))
        return [shown(again)]

    return call


@operation("tick", also=AGAIN, unkeyed=True, varies=OWNERS)
async def tick(service, tag):
    session = (await opened(service, tag)).session
    row = tick_of(replace(session, sequence=3, charged=30, usage=used(10)))

    async def call(now):
        owner = await now.environment.ticks.submit(row)
        if not owner.has(row):
            raise Refusal(Reason.SESSION_TAKEN_OVER, "as its stream would say")
        return [Told("acknowledged", replayed=False)]

    return call


@operation("grow a session", one_unit=True, also=AGAIN, unkeyed=True, varies=OWNERS)
async def grow_a_session(service, tag):
    owned = await opened(service, tag)

    async def call(now):
        again = replace(owned, session=replace(owned.session))
        await grow(now.environment, again, 30, 2 * GRACE_S * SECOND_US)
        return [
            Told(f"{again.session.held} until seconds: {again.session.expire_time_us // SECOND_US}", replayed=False)
        ]

    return call


async def closed(now, owned, usage):
    close = await decide_close(now.environment, owned, usage, GenerationOutcome.COMPLETE)
    answer = await close_session(
        now.environment,
        owned,
        close,
        lambda captured, shown_: f"{captured.transaction_id} {captured.amount} {shown_.available}".encode(),
        charged_by_other=lambda _: "",
    )
    return [Told(renamed(answer.reply.decode()), answer.replayed)]


@operation("close a session", also=AGAIN, varies=OWNERS)
async def close_a_session(service, tag):
    owned = await opened(service, tag)

    async def call(now):
        return await closed(now, replace(owned, session=replace(owned.session)), used(10))

    return call


@operation("close a session after its hold's end", also=AGAIN, varies=OWNERS | {"audit_records"})
async def close_late(service, tag):
    """What the end charged is more than the close: the difference comes back."""
    owned = await opened(service, tag)
    session = replace(owned.session, sequence=3, charged=39, usage=used(10))
    assert (await service.environment.ticks.submit(tick_of(session))).has(tick_of(session))
    service.clock.advance_s(GRACE_S + 1)

    async def call(now):
        again = await resume_session(now.environment, account_of(tag), session.session_id, owned.token)
        return await closed(now, again, used(10))

    return call


SESSION_OPERATIONS = (open_a_session, resume_a_session, tick, grow_a_session, close_a_session, close_late)
