"""Group commit: one transaction for all that wait, each with its own answer."""

import asyncio

import pytest

from billing_service.domain.ledger.entries import TransactionKind
from billing_service.domain.refusals import Failure, Reason, Refusal
from billing_service.domain.spending.deductions import DeductionMode
from billing_service.ledger.account_cache import AccountCache
from billing_service.ledger.keys import Answer
from billing_service.storage.rows.history import read_history
from billing_service.storage.rows.keys import find_keys
from billing_service.storage.rows.ledger import read_accounts
from tests.support.ledger_setup import deduction, give, open_account


async def refused(answer):
    with pytest.raises(Refusal) as caught:
        await answer
    return caught.value


async def balance(store, account_id="acme"):
    return (await store.read(lambda: read_accounts([account_id])))[account_id].balance


async def key_is_free(store, operation):
    return await store.read(lambda: find_keys([operation.key.id])) == {}


async def outcomes(answers):
    """What each was told: a reply, or the reason of a refusal."""
    results = await asyncio.gather(*answers, return_exceptions=True)
    return [result.reason if isinstance(result, Refusal) else result for result in results]


async def test_an_unknown_account(writer, store):
    operation = deduction("nobody", 1, "k")
    error = await refused(writer.submit(operation))
    assert (error.reason, error.metadata) == (Reason.ACCOUNT_NOT_FOUND, {"account_id": "nobody"})
    assert await key_is_free(store, operation)


async def test_a_refusal_leaves_nothing_and_the_key_free(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=4)
    operation = deduction("acme", 5, "k")
    assert (await refused(writer.submit(operation))).reason is Reason.INSUFFICIENT_CREDITS
    assert await key_is_free(store, operation)
    await give(store, "acme", 1, clock=clock, ids=ids)
    first = await writer.submit(operation)
    again = await writer.submit(operation)
    assert (first.replayed, again) == (False, Answer(first.reply, replayed=True))
    assert await balance(store) == 0


async def test_a_frozen_account(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=4, frozen=True)
    assert (await refused(writer.submit(deduction("acme", 1, "k")))).reason is Reason.ACCOUNT_FROZEN


@pytest.mark.parametrize("together", [False, True])
async def test_a_key_is_not_reused_for_another_request(writer, store, clock, ids, *, together):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=9)
    first = writer.submit(deduction("acme", 5, "k"))
    if not together:
        await first
    error = await refused(writer.submit(deduction("acme", 4, "k")))
    assert (error.reason, error.metadata) == (Reason.IDEMPOTENCY_KEY_REUSED, {"idempotency_key": "k"})
    assert (await first).replayed is False
    assert await balance(store) == 4


async def test_a_reused_key_is_told_before_a_lack_of_credits(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)
    await writer.submit(deduction("acme", 5, "k"))
    assert (await refused(writer.submit(deduction("acme", 6, "k")))).reason is Reason.IDEMPOTENCY_KEY_REUSED
    assert (await writer.submit(deduction("acme", 5, "k"))).replayed


@pytest.mark.parametrize("way", ["read", "cache", "locked"])
async def test_nothing_to_take_is_a_deduction_of_nothing(*, writer, store, clock, ids, monkeypatch, way):
    """It has no entries; its key is spent, and what comes later is not taken by a repeat."""
    names = ["acme", "beta"]
    for name in names:
        await open_account(store, name, clock=clock, ids=ids, microcredits=1)
        await writer.submit(deduction(name, 1, "all"))
    if way == "read":
        monkeypatch.setattr(writer, "_cache", AccountCache())
    elif way == "locked":
        monkeypatch.setattr("billing_service.ledger.writer.OPTIMISTIC_ATTEMPTS_MAX", 0)
    commits = store.counters.commits
    operations = [deduction(name, 5, "k", mode=DeductionMode.UP_TO_AVAILABLE) for name in names]
    first = await outcomes([writer.submit(operation) for operation in operations])
    assert store.counters.commits == commits + 1
    assert [answer.reply.endswith(b"took 0 left 0") for answer in first] == [True, True]
    await give(store, "acme", 3, clock=clock, ids=ids)
    again = await outcomes([writer.submit(operation) for operation in operations])
    assert again == [answer._replace(replayed=True) for answer in first]
    assert await balance(store) == 3
    newest = (await store.read(lambda: read_accounts(["beta"])))["beta"].last_transaction_id
    page = await store.read(lambda: read_history("beta", newest, kind=0, start_us=0, end_us=2**62, page=5))
    empty = page.transactions[0]
    assert first[1].reply.startswith(empty.transaction_id.encode())
    assert (empty.kind, empty.amount, empty.version, empty.entries) == (TransactionKind.DEDUCTION, 0, 3, [])


async def test_keys_belong_to_account_caller_and_method(writer, store, clock, ids):
    for name in ("acme", "Acme"):
        await open_account(store, name, clock=clock, ids=ids, microcredits=10)
    same_key = [
        deduction("acme", 1, "k", caller="web"),
        deduction("acme", 1, "k", caller="Web"),
        deduction("Acme", 1, "k", caller="web"),
        deduction("acme", 1, "K", caller="web"),
    ]
    answers = await outcomes([writer.submit(operation) for operation in same_key])
    assert [answer.replayed for answer in answers] == [False] * 4
    assert (await balance(store, "acme"), await balance(store, "Acme")) == (7, 9)


async def test_each_in_a_batch_gets_its_own_answer_in_order(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=10)
    await open_account(store, "beta", clock=clock, ids=ids, microcredits=1)
    commits = store.counters.commits
    told = await outcomes(
        [
            writer.submit(deduction("acme", 4, "k1")),
            writer.submit(deduction("beta", 2, "k1")),
            writer.submit(deduction("acme", 7, "k2")),
            writer.submit(deduction("acme", 4, "k1")),
            writer.submit(deduction("acme", 3, "k1")),
            writer.submit(deduction("nobody", 1, "k1")),
            writer.submit(deduction("acme", 6, "k3")),
            writer.submit(deduction("beta", 1, "k2")),
        ]
    )
    assert store.counters.commits == commits + 1
    first = told[0]
    assert first.reply.endswith(b"took 4 left 6")
    assert told[1:6] == [
        Reason.INSUFFICIENT_CREDITS,
        Reason.INSUFFICIENT_CREDITS,
        Answer(first.reply, replayed=True),
        Reason.IDEMPOTENCY_KEY_REUSED,
        Reason.ACCOUNT_NOT_FOUND,
    ]
    assert told[6].reply.endswith(b"took 6 left 0")
    assert told[7].reply.endswith(b"took 1 left 0")


async def test_many_callers_few_commits(open_writer, store, clock, ids):
    writer = open_writer(batch_max=50)
    for number in range(20):
        await open_account(store, f"acme {number}", clock=clock, ids=ids, microcredits=10)
    commits = store.counters.commits
    answers = await outcomes(
        [writer.submit(deduction(f"acme {number % 20}", 1, f"k{number}")) for number in range(200)]
    )
    assert all(not answer.replayed for answer in answers)
    assert store.counters.commits == commits + 4
    assert writer.counters.operations == 200


async def test_statements_do_not_grow_with_the_batch(writer, store, clock, ids):
    for number in range(40):
        await open_account(store, f"acme {number}", clock=clock, ids=ids, microcredits=10)
    counted = []
    for size in (1, 40):
        before = store.counters.statements
        await asyncio.gather(*(writer.submit(deduction(f"acme {number}", 1, f"k{size}")) for number in range(size)))
        counted.append(store.counters.statements - before)
    assert counted[0] == counted[1] <= 10


async def test_duplicates_in_one_batch_have_one_effect(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=10)
    answers = await asyncio.gather(*(writer.submit(deduction("acme", 3, "k")) for _ in range(20)))
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19
    assert len({answer.reply for answer in answers}) == 1
    assert await balance(store) == 7


async def test_fifty_callers_on_one_account(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=30)

    async def caller(number):
        for _ in range(number % 7):
            await asyncio.sleep(0)
        return await writer.submit(deduction("acme", 1, f"k{number}"))

    told = await outcomes([caller(number) for number in range(50)])
    assert sum(isinstance(answer, Answer) for answer in told) == 30
    assert told.count(Reason.INSUFFICIENT_CREDITS) == 20
    assert await balance(store) == 0
    lefts = sorted(int(answer.reply.rpartition(b" ")[2]) for answer in told if isinstance(answer, Answer))
    assert lefts == list(range(30))


async def test_a_replay_is_the_original_for_ever(open_writer, store, database, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1_000)
    writer = open_writer()
    operations = [deduction("acme", number + 1, f"k{number}") for number in range(20)]
    originals = [await writer.submit(operation) for operation in operations]
    for number in range(20):
        await writer.submit(deduction("acme", 1, f"other{number}"))
    clock.advance_s(86_400 * 400)
    await writer.close()
    await store.close()
    reopened = await database.open()
    later = open_writer(reopened)
    try:
        replays = await asyncio.gather(*(later.submit(operation) for operation in operations))
    finally:
        await later.close()
        await reopened.close()
    assert replays == [Answer(original.reply, replayed=True) for original in originals]


async def test_closing_answers_all_that_waits(open_writer, store, clock, ids):
    writer = open_writer(batch_max=8)
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=100)
    answers = [writer.submit(deduction("acme", 1, f"k{number}")) for number in range(50)]
    await writer.close()
    assert all(answer.done() and not answer.result().replayed for answer in answers)
    assert await balance(store) == 50
    with pytest.raises(Failure) as caught:
        writer.submit(deduction("acme", 1, "late"))
    assert caught.value.reason is Reason.SHUTTING_DOWN
    await writer.close()


async def test_a_writer_that_was_never_used_closes(open_writer):
    await open_writer().close()
