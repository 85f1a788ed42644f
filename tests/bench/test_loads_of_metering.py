"""The loads of holds, limits and sessions do what they say, seen in the ledger of a real service. No time is asserted
here."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from prepaid.billing.v1 import billing_pb2_grpc, usage_pb2

from billing_service.domain.ledger.holds import HoldState
from tests.bench import calls, load, pair_load, seed, servers, session_load

ACCOUNTS = 20
AT_ONCE = {"warm_up_s": 0.0, "measured_s": 0.5, "seed": 1}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("metering") / "service.sqlite3"


@pytest.fixture(scope="module")
def port(database: Path) -> Iterator[int]:
    url = f"sqlite:///{database}"
    servers.seed(ACCOUNTS, url, limited=ACCOUNTS)
    with servers.service("metering", url, database.parent) as server:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            # The card is read once. It is here before a load begins.
            billing_pb2_grpc.BillingServiceStub(channel).QuoteUsage(usage_pb2.QuoteUsageRequest(usage=calls.USAGE))
        yield server.port


def rows(database: Path, text: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as file:
        return file.execute(text).fetchall()


def balances(database: Path) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT account_id, balance, held FROM accounts ORDER BY account_id")


def test_a_pair_reserves_twice_what_it_charges(port: int, database: Path) -> None:
    outcome = pair_load.run(load.Load(port=port, in_flight=8, accounts=ACCOUNTS, **AT_ONCE))
    assert (outcome.errors, outcome.failed_total) == ({}, 0)
    assert 0 < outcome.measured_calls <= outcome.succeeded_total >= ACCOUNTS
    holds = rows(database, "SELECT account_id, state, amount, captured, released FROM holds")
    assert len(holds) == outcome.succeeded_total
    amount = calls.AMOUNT_MICROCREDITS
    assert {hold[1:] for hold in holds} == {(HoldState.CAPTURED, 2 * amount, amount, amount)}
    assert {hold[0] for hold in holds} == {calls.account_id(index) for index in range(ACCOUNTS)}


def test_a_pair_of_an_account_that_is_not_there_has_failed(port: int) -> None:
    outcome = pair_load.run(load.Load(port=port, in_flight=ACCOUNTS + 1, accounts=ACCOUNTS + 1, **AT_ONCE))
    assert outcome.errors.keys() == {"GRPC_STATUS_5"}
    assert outcome.succeeded_total > 0


def test_a_limited_deduction_counts_at_four_limits(port: int, database: Path) -> None:
    outcome = load.run(
        load.Load(port=port, in_flight=8, accounts=ACCOUNTS, limited=True, call_count=3 * ACCOUNTS, warm_up_s=0, seed=1)
    )
    assert (outcome.failed_total, outcome.succeeded_total) == (0, 3 * ACCOUNTS)
    limits = rows(database, "SELECT account_id, spender_id, amount_max, used FROM spend_limits")
    assert {limit[:2] for limit in limits} == {
        (calls.limited_account_id(index), spender) for index in range(ACCOUNTS) for spender in ("", *calls.SPENDERS)
    }
    assert {limit[2:] for limit in limits} == {(seed.CREDITS, 3 * calls.AMOUNT_MICROCREDITS)}


def test_ticks_are_acknowledged_in_order_and_charged_at_the_close(port: int, database: Path) -> None:
    before = balances(database)
    outcome = session_load.run(session_load.SessionLoad(port=port, streams=3, in_flight=16, **AT_ONCE))
    assert (outcome.errors, outcome.failed_total) == ({}, 0)
    assert 0 < outcome.measured_calls <= outcome.succeeded_total
    sessions = rows(database, "SELECT closed, sequence FROM sessions")
    assert [closed for closed, _ in sessions] == [1] * 3
    assert sum(sequence for _, sequence in sessions) == outcome.succeeded_total
    after = balances(database)
    assert [old > new for (_, old, _), (_, new, _) in zip(before, after, strict=True)].count(True) == 3
    assert {held for _, _, held in after} == {0}


def test_a_session_is_stopped_by_the_tick_that_no_credits_are_left_for(port: int, database: Path) -> None:
    before, closed_before = balances(database), len(rows(database, "SELECT 1 FROM sessions"))
    outcome = session_load.run(session_load.SessionLoad(port=port, streams=3, in_flight=1, until_stop=True, **AT_ONCE))
    assert (outcome.errors, outcome.failed_total) == ({}, 0)
    sessions = rows(database, "SELECT closed, sequence FROM sessions ORDER BY session_id")[closed_before:]
    assert len(sessions) == outcome.succeeded_total >= 3
    assert set(sessions) == {(1, session_load.TICKS_BEFORE_THE_LAST + 1)}
    assert balances(database) == before
