"""The step around the payment provider, written once.

    transaction 1   records the intent, with the caller's key
    the provider    is asked with a key derived from the intent; no transaction is open
    transaction 2   settles the intent, or gives it up

A crash in between is resumed by the caller's repeat: transaction 1 finds the intent, and the provider is asked the same
again. `payments/ports/__init__.py` says what may be repeated.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar

from billing_service.domain.refusals import Failure, stripe_key_refused, stripe_refused, stripe_unavailable
from billing_service.ledger.keys import Answer, IdempotencyKey
from billing_service.ledger.unit import Request, Sources, Unit, begin, find_key, record, record_key
from billing_service.payments.ports.outcomes import ProviderKeyRefused, ProviderRefused, ProviderUnavailable
from billing_service.storage.rows.keys import KeyId, answer_key, find_keys, free_key
from billing_service.storage.statements import Work

Intent = TypeVar("Intent")
Said = TypeVar("Said")
Result = TypeVar("Result")


class Begun(NamedTuple, Generic[Intent]):
    """An intent that is recorded."""

    intent: Intent
    resumed: bool = False
    """Whether an earlier call may have asked the provider already."""


async def provider_step(
    *,
    begin: Callable[[], Awaitable[Begun[Intent] | Result]],
    ask: Callable[[Intent], Awaitable[Said]],
    settle: Callable[[Intent, Said], Awaitable[Result]],
    give_up: Callable[[Intent, ProviderRefused], Awaitable[None]],
    next_attempt: Callable[[Intent], Awaitable[Intent]] | None = None,
    find_made: Callable[[Intent], Awaitable[Said | None]] | None = None,
) -> Result:
    """One step. Each part but `ask` and `find_made` is a transaction of its own.

    `begin` answers the result itself where nothing is to be asked. `next_attempt` has the intent ask by another key,
    since the provider keeps a failure for the one that it had; it is None where the call has no such key. `find_made`
    looks whether an earlier call had its effect, for what must not be made twice once the provider has forgotten the
    key; with it, a kept failure is stepped over at once. Raises ProviderRefused, after `give_up`, and
    ProviderUnavailable, after which the same call resumes.
    """
    begun = await begin()
    if not isinstance(begun, Begun):
        return begun
    try:
        said = await _asked(begun, ask, next_attempt, find_made)
    except ProviderRefused as refused:
        await give_up(begun.intent, refused)
        raise
    return await settle(begun.intent, said)


async def _asked(
    begun: Begun[Intent],
    ask: Callable[[Intent], Awaitable[Said]],
    next_attempt: Callable[[Intent], Awaitable[Intent]] | None,
    find_made: Callable[[Intent], Awaitable[Said | None]] | None,
) -> Said:
    made = await find_made(begun.intent) if begun.resumed and find_made is not None else None
    if made is not None:
        return made
    try:
        return await ask(begun.intent)
    except ProviderUnavailable as unavailable:
        if not unavailable.key_spent or next_attempt is None:
            raise
        if find_made is None:
            await next_attempt(begun.intent)
            raise
    made = await find_made(begun.intent)
    if made is not None:
        return made
    return await ask(await next_attempt(begun.intent))


class Recorded(NamedTuple, Generic[Intent]):
    """An intent that is made now, and what is kept with it."""

    intent: Intent
    request: Request
    resource_id: str
    """Finds it again: kept with the key."""


def record_intent(
    sources: Sources,
    account_ids: Sequence[str],
    key_id: KeyId,
    *,
    start: Callable[[Unit], Work[Recorded[Intent]]],
    resume: Callable[[Unit, str], Work[Intent | bytes]],
    key: IdempotencyKey | Callable[[str], Work[IdempotencyKey]],
    make_missing: bool = False,
) -> Work[Begun[Intent] | Answer]:
    """Transaction 1: the answer that the key has got, what it has begun, or what `start` makes now.

    Where what the key means depends on what it began, `key` answers it by the resource's id. It is checked before
    `resume` reads that. `resume` answers the reply itself where nothing is to be asked any more. Raises
    IDEMPOTENCY_KEY_REUSED, and what `start` raises.
    """
    unit = yield from begin(sources, account_ids, make_missing=make_missing)
    stored = (yield from find_keys([key_id])).get(key_id)
    if stored is None:
        made = yield from start(unit)
        yield from unit.write()
        yield from record(unit, made.request, {}, None, made.resource_id)
        return Begun(made.intent)
    as_begun = key if isinstance(key, IdempotencyKey) else (yield from key(stored.resource_id))
    answer = as_begun.replay(stored)
    if answer is not None:
        return answer
    resumed = yield from resume(unit, stored.resource_id)
    if isinstance(resumed, bytes):
        yield from answer_key(key_id, resumed)
        return Answer(resumed, replayed=False)
    return Begun(resumed, resumed=True)


def settle_intent(
    sources: Sources,
    account_ids: Sequence[str],
    request: Request,
    resource_id: str,
    effect: Callable[[Unit], Work[bytes]],
) -> Work[Answer]:
    """Transaction 2, where the provider did it: has the effect, whose reply the key keeps. Of two calls that settle the
    same, the second one replays. Raises IDEMPOTENCY_KEY_REUSED."""
    unit = yield from begin(sources, account_ids)
    key = request.key
    stored = yield from find_key(key)
    if stored is not None and stored.resource_id == resource_id:
        answer = key.replay(stored)
        if answer is not None:
            return answer
    reply = yield from effect(unit)
    yield from unit.write()
    if stored is None:  # the provider refused another call with the key meanwhile, which freed it
        yield from record_key(unit, key, reply, resource_id)
    elif stored.resource_id == resource_id:  # else a later call began something else under it: the key is that one's
        yield from answer_key(key.id, reply)
    return Answer(reply, replayed=False)


def give_up_intent(
    sources: Sources, account_ids: Sequence[str], request: Request, resource_id: str, undo: Callable[[Unit], Work[None]]
) -> Work[None]:
    """Transaction 2, where the provider said no: undoes the intent and frees its key, unless another call has settled
    it or given it up."""
    unit = yield from begin(sources, account_ids)
    stored = yield from find_key(request.key)
    if stored is None or stored.reply is not None or stored.resource_id != resource_id:
        return
    yield from undo(unit)
    yield from unit.write()
    yield from free_key(request.key.id)


@contextmanager
def as_refusals() -> Iterator[None]:
    """Raises what callers are told for what the provider said: STRIPE_REFUSED, STRIPE_UNAVAILABLE,
    STRIPE_KEY_REFUSED."""
    try:
        yield
    except ProviderRefused as refused:
        raise stripe_refused(refused.code) from refused
    except ProviderUnavailable as unavailable:
        raise stripe_failed(unavailable) from unavailable


def stripe_failed(unavailable: ProviderUnavailable) -> Failure:
    """No answer, or one that says nothing of the effect: STRIPE_UNAVAILABLE, or STRIPE_KEY_REFUSED, which only an
    operator can mend."""
    return stripe_key_refused() if isinstance(unavailable, ProviderKeyRefused) else stripe_unavailable()
