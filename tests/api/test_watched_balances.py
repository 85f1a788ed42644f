"""What watchers of balances cost, and what becomes of them when the database fails: on a source in memory."""

import asyncio
from collections import Counter

import grpc
import pytest
from prepaid.billing.v1 import accounts_pb2

from billing_service.api.identity import CACHE_S
from billing_service.api.server import ServerLimits
from billing_service.api.streams import balances, watched_balances
from billing_service.api.streams.watched_balances import LOOK_EVERY_S, WatchedBalances
from billing_service.commands.accounts.watch_balance import Shown
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.balance import Mark
from billing_service.domain.refusals import storage_unavailable
from billing_service.ledger.changes import Changes
from tests.api.edge_server import TIMEOUT_S, edge_server, eventually, sample, told, watching
from tests.api.key_ring import KeyRing, bearer


class Accounts:
    """Accounts in memory, and how often each was read."""

    def __init__(self, *account_ids):
        self.accounts = {account_id: Account(account_id, version=1) for account_id in account_ids}
        self.changes = Changes()
        self.reads = Counter()
        self.statements = 0
        self.looks = 0
        self.clock_us = 0
        self.failure = None
        self.change_us = None

    def now_us(self):
        return self.clock_us

    async def read(self, account_ids):
        self.statements += 1
        self.reads.update(account_ids)
        await asyncio.sleep(0)
        self._fail()
        found = {each: self.accounts[each] for each in account_ids if each in self.accounts}
        return {
            each: Shown(account.show(self.clock_us), Mark(account.version, account.frozen), self.change_us)
            for each, account in found.items()
        }

    async def marks(self, account_ids):
        self.looks += 1
        await asyncio.sleep(0)
        self._fail()
        return {each: Mark(self.accounts[each].version, self.accounts[each].frozen) for each in account_ids}

    def change(self, *account_ids, here=True):
        for account_id in account_ids:
            self.accounts[account_id].version += 1
        if here:
            self.changes.note([self.accounts[account_id] for account_id in account_ids])

    def _fail(self):
        if self.failure is not None:
            raise self.failure


class Seen:
    """A watcher that keeps what it is shown."""

    def __init__(self, account_id):
        self.account_id = account_id
        self.shown = []
        self.ended = None

    def show(self, shown):
        self.shown.append(shown.balance.version)

    def end(self, why):
        self.ended = why


def versions(watchers):
    return {watcher.shown[-1] if watcher.shown else 0 for watcher in watchers}


async def test_one_read_a_changed_account_for_any_number_of_watchers():
    names = [f"account-{number}" for number in range(200)]
    source = Accounts(*names, "nobody watches it")
    watched = WatchedBalances(source, source.changes)
    watchers = [Seen(name) for name in names for _ in range(10)]
    for watcher in watchers:
        watched.join(watcher)
    await eventually(lambda: versions(watchers) == {1})
    assert set(source.reads.values()) == {1}
    assert source.statements == 1
    source.change(*names[:50], "nobody watches it")
    source.change(*names[:25])
    await eventually(lambda: versions(watchers[:500]) >= {2, 3} and 1 not in versions(watchers[:500]))
    assert source.reads == Counter(names) + Counter(names[:50])
    source.change(*names[100:150], here=False)
    await eventually(lambda: versions(watchers[1_000:1_500]) == {2})
    assert source.reads == Counter(names) + Counter(names[:50]) + Counter(names[100:150])
    assert "nobody watches it" not in source.reads
    assert [len(watcher.shown) for watcher in watchers[:10]] == [2] * 10
    for watcher in watchers:
        watched.leave(watcher)
    looks = source.looks
    source.change(*names)
    await asyncio.sleep(2 * LOOK_EVERY_S)
    assert source.looks <= looks + 1, "without watchers nothing is looked at"
    assert sum(source.reads.values()) == 300


async def test_a_busy_account_is_read_ten_times_a_second_and_its_last_state_always(monkeypatch):
    monkeypatch.setattr(watched_balances, "LOOK_EVERY_S", TIMEOUT_S)
    source = Accounts("busy")
    watched = WatchedBalances(source, source.changes)
    watcher = Seen("busy")
    watched.join(watcher)
    await eventually(lambda: watcher.shown == [1])
    began = asyncio.get_running_loop().time()
    for _ in range(200):
        source.change("busy")
        await asyncio.sleep(0.002)
    await eventually(lambda: watcher.shown[-1] == 201)
    took_s = asyncio.get_running_loop().time() - began
    assert source.reads["busy"] <= 3 + took_s / watched_balances.PACE_S
    assert watcher.shown == sorted(set(watcher.shown))
    watched.leave(watcher)


async def test_a_change_during_a_read_is_read_again(monkeypatch):
    monkeypatch.setattr(watched_balances, "LOOK_EVERY_S", 2 * TIMEOUT_S)
    source = Accounts("a")
    watched = WatchedBalances(source, source.changes)
    watcher, read = Seen("a"), source.read

    async def slow_read(account_ids):
        found = await read(account_ids)
        if source.reads["a"] == 1:
            source.change("a")
        return found

    source.read = slow_read
    watched.join(watcher)
    await eventually(lambda: watcher.shown == [1, 2])
    watched.leave(watcher)


async def test_who_joins_during_a_read_is_shown_the_next_one(monkeypatch):
    monkeypatch.setattr(watched_balances, "LOOK_EVERY_S", 2 * TIMEOUT_S)
    source = Accounts("a")
    watched = WatchedBalances(source, source.changes)
    first, late, read = Seen("a"), Seen("a"), source.read

    async def slow_read(account_ids):
        found = await read(account_ids)
        if source.reads["a"] == 1:
            source.accounts["a"].version = 2
            watched.join(late)
        return found

    source.read = slow_read
    watched.join(first)
    await eventually(lambda: late.shown == [2])
    assert first.shown == [1, 2]
    watched.leave(first)
    watched.leave(late)


async def test_time_is_looked_at_though_no_version_changes():
    source = Accounts("a")
    source.change_us = 1_000
    watched = WatchedBalances(source, source.changes)
    watcher = Seen("a")
    watched.join(watcher)
    await eventually(lambda: watcher.shown == [1])
    await eventually(lambda: source.looks >= 2)
    assert source.reads["a"] == 1
    source.clock_us, source.change_us = 1_000, None
    await eventually(lambda: source.reads["a"] == 2)
    watched.leave(watcher)


async def test_a_failing_database_ends_watchers_only_once_it_lasts(monkeypatch):
    source = Accounts("a")
    watched = WatchedBalances(source, source.changes)
    watcher = Seen("a")
    watched.join(watcher)
    await eventually(lambda: watcher.shown == [1])
    source.failure = storage_unavailable()
    source.change("a")
    await eventually(lambda: source.reads["a"] >= 2)
    source.failure = None
    await eventually(lambda: watcher.shown == [1, 2])
    assert watcher.ended is None
    monkeypatch.setattr(watched_balances, "UNREAD_MAX_S", 2 * LOOK_EVERY_S)
    source.failure = storage_unavailable()
    await eventually(lambda: watcher.ended is source.failure)
    watched.leave(watcher)


async def test_a_defect_ends_those_who_wait_and_nobody_later():
    source = Accounts("a")
    watched = WatchedBalances(source, source.changes)
    watcher, later = Seen("a"), Seen("a")
    source.failure = RuntimeError("a defect")
    watched.join(watcher)
    await eventually(lambda: watcher.ended is source.failure)
    watched.leave(watcher)
    source.failure = None
    watched.join(later)
    await eventually(lambda: later.shown == [1])
    watched.leave(later)


def open_watch(edge, account_id="a", **options):
    return edge.stub.WatchBalance(accounts_pb2.WatchBalanceRequest(account_id=account_id), **options)


async def test_watchers_are_bounded_and_no_calls_in_flight(monkeypatch):
    monkeypatch.setattr(balances, "WATCHERS_MAX", 2)
    source = Accounts("a")
    async with edge_server({"WatchBalance": watching(source, source.changes)}) as edge:
        calls = [open_watch(edge) for _ in range(2)]
        for call in calls:
            await call.read()
        assert edge.server.edge.admission.in_flight == 0
        assert sample(edge, "billing_balance_watchers") == 2
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await open_watch(edge).read()
        assert told(refused.value).reason == "OVERLOADED"
        assert told(refused.value).retry_ms
        calls.pop().cancel()
        await eventually(lambda: sample(edge, "billing_balance_watchers") == 1)
        assert (await open_watch(edge).read()).balance.account_version == 1


def wide(implementation):
    """The same with messages so large that HTTP/2 holds the sender back after a few that are not read."""

    def encode(shown):
        balance = accounts_pb2.Balance(account_version=shown.version, account_id="a" * 100_000)
        return accounts_pb2.WatchBalanceResponse(balance=balance).SerializeToString()

    return balances.WatchImplementation(implementation.check, encode, implementation.watched)


async def test_who_does_not_read_is_shown_the_newest_and_costs_one_balance(monkeypatch):
    monkeypatch.setattr(watched_balances, "PACE_S", 0.0)
    source, prompt = Accounts("a"), Seen("a")
    implementation = wide(watching(source, source.changes))
    async with edge_server({"WatchBalance": implementation}) as edge:
        call = open_watch(edge)
        assert (await call.read()).balance.account_version == 1
        implementation.watched.join(prompt)
        for version in range(2, 302):
            source.change("a")
            await eventually(lambda: prompt.shown[-1:] == [version])  # noqa: B023 - waited for in this turn
        shown = []
        while not shown or shown[-1] < 301:
            shown.append((await call.read()).balance.account_version)
        assert shown == sorted(set(shown))
        assert len(shown) < 200
        assert len(prompt.shown) >= 300
        implementation.watched.leave(prompt)
        call.cancel()


async def test_who_never_reads_is_ended_by_the_time_of_a_call(monkeypatch):
    monkeypatch.setattr(watched_balances, "PACE_S", 0.0)
    source = Accounts("a")
    limits = ServerLimits(deadline_default_s=1, grace_s=0.1)
    async with edge_server({"WatchBalance": wide(watching(source, source.changes))}, limits=limits) as edge:
        call = open_watch(edge)
        await eventually(lambda: edge.server.edge.admission.watchers == 1)

        def has_left():
            source.change("a")
            return edge.server.edge.admission.watchers == 0

        await eventually(has_left)
        call.cancel()


async def test_a_revoked_key_ends_its_watch(monkeypatch):
    monkeypatch.setattr(balances, "IDENTITY_CHECKED_EVERY_S", 0.05)
    ring, source = KeyRing(), Accounts("a")
    key = ring.add(1, "watcher", Scope.READ)
    async with edge_server(
        {"WatchBalance": watching(source, source.changes)}, authenticator=ring.authenticator()
    ) as edge:
        call = open_watch(edge, metadata=(bearer(key),))
        await call.read()
        ring.keys.clear()
        ring.pass_time(CACHE_S)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert told(ended.value).reason == "API_KEY_INVALID"
