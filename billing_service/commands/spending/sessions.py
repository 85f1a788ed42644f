"""Opens, resumes, grows and closes sessions. What is written at each tick is in `ledger.ticks`."""

from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

from billing_service.commands.environment import Environment
from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.ledger.holds import SESSION_PREFIX, HoldState
from billing_service.domain.refusals import account_not_found, conflict
from billing_service.domain.refusals.spending import hold_not_found, hold_owned
from billing_service.domain.spending.holds import Author, HoldMode, HoldTerms
from billing_service.domain.spending.pricing import price
from billing_service.domain.spending.sessions import (
    LIFETIME_US,
    Session,
    least_usage,
)
from billing_service.domain.spending.usage import Usage
from billing_service.domain.spending.usage_records import decode_usage, encode_usage
from billing_service.ledger.keys import IdempotencyKey
from billing_service.ledger.operations.holds import HoldCredits
from billing_service.ledger.unit import begin
from billing_service.storage.rows.hold_reading import read_present_accounts
from billing_service.storage.rows.sessions import StoredSession, insert_session, read_session, take_over
from billing_service.storage.statements import Work

TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class OpenSession:
    """What a session is opened with. Amounts in microcredits."""

    account_id: str
    estimate: Usage | None
    slice: int
    """0: the price of the estimate."""
    grace_us: int
    author: Author
    key: IdempotencyKey
    usage_key: str
    spender_ids: tuple[str, ...] = ()
    """Whom it charges for besides the account: those of the API key first."""


@dataclass(slots=True)
class Owned:
    """A session and what its owner needs of it."""

    session: Session
    author: Author
    usage_key: str
    grace_us: int
    card: RateCard
    token: str = field(repr=False)
    captured: int = 0
    """What its hold's expiry charged, by `end_transaction_id`."""
    end_transaction_id: str = ""
    closed_late: bool = False
    ended: HoldState | None = None
    """What its hold ended as. An expired one can be closed late."""
    growths: int = 0


async def open_session(environment: Environment, asked: OpenSession) -> Owned:
    """Holds what the estimate costs, or a slice, and makes the caller the owner; a repeat of the key takes the session
    over. Raises what HoldCredits raises, and UNKNOWN_MODEL, PRICE_MISSING."""
    card, time_us, basis = await environment.rate_cards.for_usage(None)
    expected = price(asked.estimate, card, time_us, basis).amount_microcredits if asked.estimate else asked.slice
    least = least_usage(asked.estimate) if asked.estimate else None
    minimum = price(least, card, time_us, basis).amount_microcredits if least else 1
    step = asked.slice or max(expected, 1)
    operation = HoldCredits(
        asked.account_id,
        HoldTerms(
            amount=expected,
            mode=HoldMode.UP_TO_AVAILABLE if expected else HoldMode.REJECT,
            minimum=max(minimum, 1),
            lifetime_us=asked.grace_us,
            expiry_capture=0,
            prefix=SESSION_PREFIX,
            spender_ids=asked.spender_ids,
        ),
        asked.key,
        asked.author,
        lambda changed, _: changed.hold.hold_id.encode(),
    )
    answer = await environment.writer.submit(operation)
    session_id = answer.reply.decode()
    token = _new_token(environment)

    def unit() -> Work[StoredSession | None]:
        row = (
            *(asked.account_id, session_id, _digest(token), 1, 0, 0, 0, "", encode_usage(asked.estimate)),
            *(card.version, step, asked.grace_us, asked.usage_key, "", None),
        )
        found = yield from read_session(asked.account_id, session_id)
        if found is None:
            yield from insert_session(row)
            found = yield from read_session(asked.account_id, session_id)
        elif _is_open(environment, found):
            found = yield from _take_over(asked.account_id, session_id, found, token)
        else:
            found = yield from _booked(environment, asked.account_id, session_id)
        return found

    return await _owned(environment, asked.account_id, session_id, await environment.store.write(unit), token)


async def resume_session(environment: Environment, account_id: str, session_id: str, token: str) -> Owned:
    """Makes the caller the owner, with a new token. Raises ACCOUNT_NOT_FOUND, HOLD_NOT_FOUND, HOLD_OWNED."""
    fresh = _new_token(environment)

    def unit() -> Work[StoredSession | None]:
        found = yield from read_session(account_id, session_id)
        if found is None:
            accounts = yield from read_present_accounts([account_id], environment.clock_us())
            raise hold_not_found(session_id) if accounts else account_not_found(account_id)
        if not compare_digest(found.token_hash, _digest(token)):
            raise hold_owned(session_id)
        if _is_open(environment, found):
            return (yield from _take_over(account_id, session_id, found, fresh))
        return (yield from _booked(environment, account_id, session_id))

    stored = await environment.store.write(unit)
    taken = stored is not None and _is_open(environment, stored)
    return await _owned(environment, account_id, session_id, stored, fresh if taken else token)


def _is_open(environment: Environment, stored: StoredSession) -> bool:
    return not stored.closed and stored.state is HoldState.OPEN and environment.clock_us() < stored.expire_time_us


def _booked(environment: Environment, account_id: str, session_id: str) -> Work[StoredSession | None]:
    """The session once the end of its hold is booked: whoever locks the account does that."""
    unit = yield from begin(environment.sources, [account_id])
    yield from unit.write()
    return (yield from read_session(account_id, session_id))


def _ended_as(state: HoldState) -> HoldState:
    return HoldState.EXPIRED if state is HoldState.OPEN else state


def _take_over(account_id: str, session_id: str, found: StoredSession, token: str) -> Work[StoredSession]:
    taken = yield from take_over(account_id, session_id, found.epoch, _digest(token))
    if not taken:
        raise conflict()
    return found._replace(epoch=found.epoch + 1, token_hash=_digest(token))


async def _owned(
    environment: Environment, account_id: str, session_id: str, stored: StoredSession | None, token: str
) -> Owned:
    assert stored is not None, "the hold was made before its session"
    session = Session(
        session_id=session_id,
        account_id=account_id,
        rate_card_version=stored.rate_card_version,
        slice=stored.slice,
        held=stored.held,
        open_time_us=stored.open_time_us,
        expire_time_us=stored.expire_time_us,
        end_time_us=stored.open_time_us + LIFETIME_US,
        spender_ids=stored.spender_ids,
        estimate=decode_usage(stored.estimate),
        epoch=stored.epoch,
        sequence=stored.sequence,
        charged=stored.charged,
        price_record=stored.price_record,
        usage=decode_usage(stored.usage),
    )
    card = await environment.rate_cards.of_version(stored.rate_card_version)
    return Owned(
        session,
        Author(stored.caller),
        stored.usage_key,
        stored.grace_us,
        card,
        token,
        captured=stored.captured,
        end_transaction_id=stored.end_transaction_id,
        closed_late=stored.late_captured,
        ended=None if _is_open(environment, stored) else _ended_as(stored.state),
    )


def _new_token(environment: Environment) -> str:
    return environment.random_bytes(TOKEN_BYTES).hex()


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
