"""The checker itself: one history for each way of going wrong, each of them caught by its rule alone, and good ones let
through."""

from dataclasses import replace

import pytest

from tests.history.checker import check
from tests.history.observations import BankRead, Operation, Posted, Violation, shortest


def statement(*deltas):
    """Lines with keys k1, k2, ... and the balances that follow."""
    balance, lines = 0, []
    for version, delta in enumerate(deltas, 1):
        balance += delta
        lines.append(Posted(version, f"k{version}", delta, balance))
    return lines


LINES = statement(100, -30, -30, -40)


def wrote(number, invoked, answered, *, process=0, lines=LINES, **changes):
    """The answer that belongs to a line of the statement."""
    line = lines[number - 1]
    made = Operation(
        process,
        invoked,
        answered,
        "a",
        line.key,
        version=line.version,
        delta=line.delta,
        balance=line.balance,
        reply=line.key.encode(),
    )
    return replace(made, **changes)


def read(invoked, answered, version, balance):
    return Operation(7, invoked, answered, "a", version=version, balance=balance)


def refused(invoked, answered, available, required, key="r"):
    return Operation(8, invoked, answered, "a", key, refused=True, available=available, required=required)


def unknown(key, invoked):
    return Operation(9, invoked, None, "a", key)


IN_ORDER = [wrote(1, 0, 10), wrote(2, 20, 30), wrote(3, 40, 50), wrote(4, 60, 70)]

GOOD = {
    "nothing": ([], []),
    "one after the other": (IN_ORDER, LINES),
    "all at once, in any order": ([wrote(1, 0, 99), wrote(2, 3, 90), wrote(3, 2, 95), wrote(4, 1, 97)], LINES),
    "a read between": ([*IN_ORDER, read(31, 39, 2, 70)], LINES),
    "a read beside a write, before it": ([*IN_ORDER, read(41, 49, 2, 70)], LINES),
    "a read beside a write, after it": ([*IN_ORDER, read(41, 49, 3, 40)], LINES),
    "a read of nothing": ([*IN_ORDER, read(-9, -1, 0, 0)], LINES),
    "a true refusal": ([*IN_ORDER, refused(31, 39, 70, 71)], LINES),
    "a refusal that was true for a moment of its window": ([*IN_ORDER, refused(21, 69, 40, 50)], LINES),
    "an unknown that was applied": ([IN_ORDER[0], unknown("k2", 15), *IN_ORDER[2:]], LINES),
    "an unknown that was not": ([*IN_ORDER, unknown("k9", 15)], LINES),
    "an unknown that was applied long after": ([*IN_ORDER[:3], unknown("k4", 5)], LINES),
    "a replay much later": ([*IN_ORDER, wrote(1, 80, 90, replayed=True)], LINES),
    "a replay of an unknown": ([IN_ORDER[0], unknown("k2", 15), wrote(2, 80, 90, replayed=True), *IN_ORDER[2:]], LINES),
    "a retry that succeeds after its refusal": ([*IN_ORDER[:3], refused(-9, -1, 0, 40, "k4"), wrote(4, 60, 70)], LINES),
    "a covered deduction": ([*IN_ORDER[:1], wrote(2, 20, 30, required=100), *IN_ORDER[2:]], LINES),
}

LOST_UPDATE = [*LINES[:2], Posted(3, "k3", -30, 70), Posted(4, "k4", -40, 30)]
TWICE = [*LINES[:3], Posted(4, "k3", -30, 10)]

BAD = {
    "lost update": ("b", [*IN_ORDER[:2], wrote(3, 40, 50, balance=70), wrote(4, 60, 70, balance=30)], LOST_UPDATE),
    "duplicate version": ("a", IN_ORDER[:2], [*LINES[:2], Posted(2, "other", -30, 40)]),
    "gap": ("a", IN_ORDER[:2], [*LINES[:2], LINES[3]]),
    "an answer that the statement contradicts": ("b", [*IN_ORDER[:3], wrote(4, 60, 70, balance=1)], LINES),
    "an amount that the statement contradicts": ("b", [*IN_ORDER[:3], wrote(4, 60, 70, delta=-41)], LINES),
    "order turned around": ("c", [IN_ORDER[0], wrote(2, 40, 50), wrote(3, 20, 30), IN_ORDER[3]], LINES),
    "order turned around by a replay": (
        "c",
        [IN_ORDER[0], wrote(3, 20, 30, replayed=True), wrote(2, 40, 50), IN_ORDER[3]],
        LINES,
    ),
    "stale read": ("d", [*IN_ORDER, read(35, 39, 1, 100)], LINES),
    "a read older than an earlier read": (
        "d",
        [IN_ORDER[0], wrote(2, 20, 99), read(25, 30, 2, 70), read(31, 35, 1, 100)],
        LINES[:2],
    ),
    "a read from the future": ("d", [*IN_ORDER, read(31, 39, 4, 0)], LINES),
    "a read of a balance that never was": ("d", [*IN_ORDER, read(41, 49, 3, 41)], LINES),
    "a read of a version that never was": ("d", [*IN_ORDER, read(71, 79, 5, 0)], LINES),
    "refusal that was never true": ("e", [*IN_ORDER, refused(31, 39, 40, 50)], LINES),
    "refusal although there was enough": ("e", [*IN_ORDER, refused(31, 39, 70, 70)], LINES),
    "deduction that was not covered": ("e", [*IN_ORDER[:3], wrote(4, 60, 70, required=41)], LINES),
    "overdraft": ("e", [], statement(10, -11)),
    "unknown applied twice": ("f", [*IN_ORDER[:2], unknown("k3", 40)], TWICE),
    "refused and yet applied": ("f", [*IN_ORDER[:3], refused(60, 70, 40, 50, "k4")], LINES),
    "acknowledged and yet lost": ("f", IN_ORDER, LINES[:3]),
    "replay that differs": ("g", [*IN_ORDER, wrote(1, 80, 90, replayed=True, reply=b"other")], LINES),
    "two originals": ("g", [*IN_ORDER, wrote(1, 80, 90)], LINES),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_caught_by_its_rule(name):
    rule, operations, lines = BAD[name]
    found = check(operations, {"a": lines})
    assert {violation.rule for violation in found} == {rule}, shortest(found)
    assert "'a'" in shortest(found)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_passes(name):
    operations, lines = GOOD[name]
    assert shortest(check(operations, {"a": lines})) == ""


def test_an_account_that_may_owe_may_be_below_zero():
    operations = [read(30, 40, 2, -1)]
    assert {found.rule for found in check(operations, {"a": statement(10, -11)})} == {"d", "e"}
    assert check(operations, {"a": statement(10, -11)}, may_owe=frozenset({"a"})) == []


def test_accounts_are_independent():
    elsewhere = [
        replace(operation, account_id="b", invoked=operation.invoked + 5, answered=operation.answered + 5)
        for operation in IN_ORDER
    ]
    assert check([*elsewhere, *IN_ORDER], {"a": LINES, "b": LINES}) == []


OTHERS = {"b": statement(50)}
OTHER = replace(wrote(1, 0, 10, lines=OTHERS["b"]), account_id="b")
BANK = {
    "adds up": (BankRead(31, 39, {"a": (2, 70), "b": (1, 50)}, 120), 0),
    "lost a credit between two accounts": (BankRead(31, 39, {"a": (2, 70), "b": (1, 50)}, 121), 1),
    "is no snapshot: one account is old": (BankRead(31, 39, {"a": (1, 100), "b": (1, 50)}, 150), 1),
    "is no snapshot: one account is ahead": (BankRead(31, 39, {"a": (3, 40), "b": (1, 50)}, 90), 1),
    "holds a pair that never was": (BankRead(31, 39, {"a": (2, 71), "b": (1, 50)}, 121), 1),
}


@pytest.mark.parametrize("name", BANK)
def test_a_snapshot_of_the_bank(name):
    snapshot, wrong = BANK[name]
    found = check([*IN_ORDER, OTHER], {"a": LINES, **OTHERS}, [snapshot])
    assert [violation.rule for violation in found] == ["bank"] * wrong, shortest(found)


def test_the_shortest_window_is_the_one_reported():
    operations = [IN_ORDER[0], IN_ORDER[1], wrote(4, 33, 35), wrote(3, 40, 50), read(1_000, 9_000, 4, 1)]
    found = check(operations, {"a": LINES})
    assert {violation.rule for violation in found} == {"c", "d"}
    assert shortest(found).startswith("(c) account 'a', from 35 to 40: process 0 [33, 35] wrote key 'k4' as version 4")
    assert "(2 violations in all)" in shortest(found)


def test_a_long_history_is_checked_in_time_that_grows_with_its_length():
    lines = statement(*[1] * 50_000)
    operations = [wrote(number, number * 10, number * 10 + 25, lines=lines) for number in range(1, len(lines) + 1)]
    operations += [
        refused(number * 10 + 26, number * 10 + 28, number, number + 1, f"r{number}")
        for number in range(1, len(lines), 5)
    ]
    found = check(operations, {"a": lines})
    assert found == []


def test_no_violation_has_no_words():
    assert shortest([]) == ""
    assert "(a)" in shortest([Violation("a", "x", "y")])


HELD = [Posted(1, "k1", 100, 100), Posted(2, "k2", 0, 100), Posted(3, "k3", -20, 80), Posted(4, "k4", -30, 50)]


def held(number, invoked, answered, left, **changes):
    """The answer to one of HELD: a hold of 60, of which 20 are captured at version 3, then a deduction of 30."""
    about = {"hold_id": "h", "hold_left": left} if number in (2, 3) else {}
    return wrote(number, invoked, answered, lines=HELD, held=left, spends=number > 1, **about | changes)


HOLDS = [held(1, 0, 10, 0), held(2, 20, 30, 60), held(3, 40, 50, 40), held(4, 60, 70, 40)]
BAD_HOLDS = {
    "more held than holds have left": ("h", [*HOLDS, replace(read(71, 79, 4, 50), held=41)], 200),
    "a hold that gives what it has not": ("h", [*HOLDS[:2], held(3, 40, 50, -1), held(4, 60, 70, -1)], 200),
    "a deduction of what is held": ("e", [*HOLDS[:3], held(4, 60, 70, 40, required=41)], 200),
    "a refusal that counts what is held": ("e", [*HOLDS, refused(71, 79, 50, 60)], 200),
    "a charge that passes the limit": ("l", HOLDS, 89),
    "a refusal though the limit had room": ("l", [*HOLDS, replace(refused(71, 79, None, 0), room=5)], 100),
}


@pytest.mark.parametrize("name", BAD_HOLDS)
def test_a_bad_history_of_holds_is_caught_by_its_rule(name):
    rule, operations, limit = BAD_HOLDS[name]
    found = check(operations, {"a": HELD}, limits={"a": limit})
    assert {violation.rule for violation in found} == {rule}, shortest(found)


def test_a_good_history_of_holds_passes():
    more = [replace(read(71, 79, 4, 50), held=40), refused(71, 79, 10, 11)]
    late = replace(refused(71, 79, None, 0, "late"), room=10)
    assert shortest(check([*HOLDS, *more, late], {"a": HELD}, limits={"a": 100})) == ""
