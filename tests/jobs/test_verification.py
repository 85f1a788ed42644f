"""The job that proves all balances: what it finds, whom it freezes, and that nobody notices it otherwise."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from billing_service.commands.accounts.operate import SetLimits, set_limits
from billing_service.domain.refusals import Failure, Reason, Refusal, storage_unavailable
from billing_service.integrity import verify
from billing_service.jobs import verification
from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.verification import ACTOR, Verification
from billing_service.ledger.keys import IdempotencyKey
from billing_service.ledger.unit import Caller, Request
from billing_service.storage.rows.access import list_audit
from billing_service.storage.rows.ledger import read_accounts
from billing_service.storage.rows.profiles import ensure_account
from tests.support.doubles import CountingIds
from tests.support.environments import environment_of
from tests.support.ledger_setup import deduction, give
from tests.support.patience import PATIENCE_S
from tests.support.tampering import tamper

RAISED = "UPDATE accounts SET balance = balance + 5 WHERE account_id = 'acme'"
LOWERED = "UPDATE accounts SET balance = balance - 5 WHERE account_id = 'acme'"
DEBT_INVENTED = "UPDATE accounts SET debt = 5 WHERE account_id = 'acme'"
INTERVAL_S = 3600.0


async def no_pause(_seconds):
    """Goes on at once."""


@pytest.fixture
async def environment(store, clock, ids):
    """Two accounts, one with four deductions."""
    codes = iter(["AAAA-AAAA", "BBBB-BBBB"])
    for account_id in ("acme", "beta"):
        await store.write(lambda account_id=account_id: ensure_account(account_id, clock(), lambda: next(codes)))
        await give(store, account_id, 1_000, clock=clock, ids=ids)
    made = environment_of(store, clock, ids)
    for number in range(4):
        await made.writer.submit(deduction("acme", 10 + number, f"k{number}"))
    yield made
    await made.writer.close()
    await made.balances.close()


@pytest.fixture
def job(environment):
    return Verification(environment, INTERVAL_S, freeze=True, pause=no_pause)


async def frozen(environment, account_id):
    return (await environment.store.read(lambda: read_accounts([account_id])))[account_id].frozen


async def records(environment, account_id="acme"):
    return [(row.caller, row.method) for row in await environment.store.read(lambda: list_audit(account_id, "~", 100))]


async def let_go(environment, number=1):
    """An operator thaws acme."""
    key = IdempotencyKey("acme", f"operator-{number}", "ops/FreezeAccount", b"thaw")
    caller = Caller("ops", "", "FreezeAccount")
    await set_limits(environment, SetLimits(Request(key, caller), "acme", False, None, None, "examined", lambda _: b""))


def sample(job, name):
    registry = CollectorRegistry()
    registry.register(JobMetrics([], [], job, None, 0))
    return registry.get_sample_value(name)


@pytest.mark.unchecked_ledger
async def test_a_wrong_counter_of_a_limit_is_told_and_freezes_nobody(environment, job, database):
    tamper(
        database,
        "INSERT INTO spend_limits VALUES ('acme', '', 3, 100, 7, 0, 1)",
        "UPDATE accounts SET limits_version = 1 WHERE account_id = 'acme'",
    )
    with capture_logs() as lines:
        await job.run()
    (told,) = [line for line in lines if line["event"] == "ledger_fault"]
    assert told["first"] == ["spend limit of the account NONE used: 46 by the entries, 7 stored"]
    assert not await frozen(environment, "acme")
    assert sample(job, "billing_verification_faulty_accounts") == 1


@pytest.mark.unchecked_ledger
async def test_a_corrupted_balance_is_found_in_one_cycle_and_the_account_frozen(environment, job, database):
    tamper(database, RAISED)
    with capture_logs() as lines:
        await job.run()
    told = [line for line in lines if line["event"] == "ledger_fault"]
    assert [(line["log_level"], line["account_id"]) for line in told] == [("error", "acme")]
    assert any(subject.startswith("balance: 954 by the entries, 959 stored") for subject in told[0]["first"])
    assert await records(environment) == [(ACTOR, "FreezeAccount")]
    with pytest.raises(Refusal) as refused:
        await environment.writer.submit(deduction("acme", 1, "later"))
    assert refused.value.reason is Reason.ACCOUNT_FROZEN
    await environment.writer.submit(deduction("beta", 1, "later"))
    assert sample(job, "billing_verification_faulty_accounts") == 1
    assert sample(job, "billing_verification_frozen_accounts_total") == 1


@pytest.mark.unchecked_ledger
async def test_a_fault_shows_before_the_walk_ends(environment, database):
    """`beta` is not verified yet when the fault of `acme` can be seen."""
    seen = []
    job = Verification(environment, INTERVAL_S, freeze=True, pause=no_pause)

    async def look(_seconds):
        seen.append((job.faulty_accounts, await frozen(environment, "acme"), job.completed_us))

    job._pause = look
    tamper(database, RAISED)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(verification, "PAUSE_AFTER_S", 0)
        await job.run()
    assert (1, True, None) in seen


@pytest.mark.unchecked_ledger
async def test_the_same_fault_freezes_once_and_another_again(environment, job, database):
    tamper(database, RAISED)
    await job.run()
    await job.run()
    assert await records(environment) == [(ACTOR, "FreezeAccount")]
    await let_go(environment)
    await job.run()
    assert not await frozen(environment, "acme"), "the operator was overruled"
    tamper(database, DEBT_INVENTED)
    await job.run()
    assert await frozen(environment, "acme")
    assert job.frozen == 2


@pytest.mark.unchecked_ledger
async def test_an_account_that_is_frozen_already_is_left_alone(environment, job, database):
    tamper(database, RAISED, "UPDATE accounts SET frozen = 1 WHERE account_id = 'acme'")
    await job.run()
    assert (await records(environment), job.frozen, job.faulty_accounts) == ([], 0, 1)


@pytest.mark.unchecked_ledger
async def test_freezing_can_be_switched_off(environment, database):
    job = Verification(environment, INTERVAL_S, freeze=False, pause=no_pause)
    tamper(database, RAISED)
    with capture_logs() as lines:
        await job.run()
    assert not await frozen(environment, "acme")
    assert job.faulty_accounts == 1
    assert [line["log_level"] for line in lines if line["event"] == "ledger_fault"] == ["error"]


@pytest.mark.unchecked_ledger
async def test_several_processes_freeze_once(environment, database, clock):
    tamper(database, RAISED)
    others = [await database.open() for _ in range(2)] if database.store == "postgresql" else [environment.store] * 2
    jobs = [
        Verification(environment_of(store, clock, CountingIds()), INTERVAL_S, freeze=True, pause=no_pause)
        for store in (environment.store, *others)
    ]
    for number, job in enumerate(jobs):  # ids of processes differ by chance
        job._environment.ids._counts["aud"] = 1_000 * number
    await asyncio.gather(*(job.run() for job in jobs))
    assert await records(environment) == [(ACTOR, "FreezeAccount")]
    assert sum(job.frozen for job in jobs) == 1
    if database.store == "postgresql":
        for store in others:
            await store.close()


@pytest.mark.unchecked_ledger
async def test_what_was_repaired_is_no_fault_any_more(environment, job, database):
    tamper(database, RAISED)
    await job.run()
    tamper(database, LOWERED)
    await job.run()
    assert job.faulty_accounts == 0
    assert await frozen(environment, "acme"), "an operator lets it go"


@pytest.mark.unchecked_ledger
async def test_an_account_that_can_t_be_frozen_holds_up_nobody(environment, job, database):
    tamper(
        database,
        "DELETE FROM profiles WHERE account_id = 'acme'",
        RAISED,
        "UPDATE accounts SET balance = 7 WHERE account_id = 'beta'",
    )
    with capture_logs() as lines:
        await job.run()
    assert [line["account_id"] for line in lines if line["event"] == "account_not_frozen"] == ["acme"]
    assert (await frozen(environment, "acme"), await frozen(environment, "beta")) == (False, True)
    assert job.completed_us is not None


async def test_a_ledger_that_moves_meanwhile_is_proven(environment, monkeypatch):
    """Between any two reads of one account's history, more is written to it."""
    monkeypatch.setattr(verify, "LINKS_A_READ", 1)
    monkeypatch.setattr(verification, "PAUSE_AFTER_S", 0)
    written = 0

    async def write(_seconds):
        nonlocal written
        written += 1
        await environment.writer.submit(deduction("acme", 1, f"meanwhile-{written}"))

    job = Verification(environment, INTERVAL_S, freeze=True, pause=write)
    await job.run()
    assert written >= 6
    assert (job.faulty_accounts, job.transactions) == (0, 6)


async def test_it_takes_a_twentieth_of_the_time(environment, monkeypatch):
    now, pauses = 0.0, []

    def tick():
        nonlocal now
        now += 0.01
        return now

    async def pause(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(verification, "monotonic", tick)
    await Verification(environment, INTERVAL_S, freeze=True, pause=pause).run()
    assert pauses
    assert pauses == [pytest.approx(0.19)] * len(pauses)


async def test_a_walk_that_is_stopped_ends_soon_and_counts_for_nothing(environment, monkeypatch):
    monkeypatch.setattr(verification, "PAUSE_AFTER_S", 0)
    job = Verification(environment, INTERVAL_S, freeze=True)
    job.stop()
    await asyncio.wait_for(job.run(), PATIENCE_S)
    assert (job.completed_us, job.transactions) == (None, 0)


async def test_time_and_duration_are_those_of_the_last_whole_walk(environment, clock, monkeypatch):
    monkeypatch.setattr(verification, "PAUSE_AFTER_S", 0)

    async def pause(_seconds):
        clock.advance_s(2)

    job = Verification(environment, INTERVAL_S, freeze=True, pause=pause)
    began_s = clock() / 1_000_000
    assert sample(job, "billing_verification_completed_timestamp_seconds") == began_s
    await job.run()
    duration_s = sample(job, "billing_verification_duration_seconds")
    assert duration_s >= 4
    assert sample(job, "billing_verification_completed_timestamp_seconds") == began_s + duration_s
    assert sample(job, "billing_verification_transactions") == 6
    clock.advance_s(100)
    monkeypatch.setattr(environment.store, "read", _unavailable)
    with pytest.raises(Failure):
        await job.run()
    assert sample(job, "billing_verification_completed_timestamp_seconds") == began_s + duration_s


async def _unavailable(_work):
    raise storage_unavailable()
