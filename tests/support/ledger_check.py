"""An independent check that a stored ledger is consistent. Reads by plain SQL, knows nothing of the code under test."""

import json
import sqlite3
from collections import defaultdict
from contextlib import closing

from tests.support.databases import connect_to, run_apart

HOUSE = {"sales", "grants", "bonuses", "adjustments", "usage", "expired", "reversed"}
GRANT, DEDUCTION, DEDUCTION_REVERSAL, BONUS_REVERSAL, HOLD, HOLD_RELEASE, CORRECTION = 2, 3, 4, 8, 11, 12, 13
MAY_MOVE_NOTHING = (GRANT, DEDUCTION, BONUS_REVERSAL, HOLD, HOLD_RELEASE)
OPEN_HOLD = 1
TABLES = {
    "accounts": "account_id, version, last_transaction_id, balance, debt, set_aside, held, holds_open",
    "lots": "account_id, lot_id, amount, remaining, expired, ended_to, held",
    "transactions": "account_id, transaction_id, version, previous_id, kind, amount, balance_after, source_id",
    "entries": "account_id, transaction_id, position, source, destination, amount",
    "idempotency_keys": "account_id, reply, resource_id",
    "deduction_reversals": "account_id, transaction_id, reversed",
    "corrections": "account_id, transaction_id, moved, correction_id",
    "holds": "account_id, hold_id, state, amount, captured, released, legs",
}


def ledger_problems(database):
    """What is wrong with the ledger, one sentence each; empty when it is consistent."""
    rows = _read_sqlite(database.path) if database.store == "sqlite" else run_apart(_read_postgres(database.url))
    return _problems(rows)


def _read_sqlite(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return {
            table: connection.execute(f"SELECT {columns} FROM {table}").fetchall() for table, columns in TABLES.items()
        }


async def _read_postgres(url):
    connection = await connect_to(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {
                table: [tuple(row) for row in await connection.fetch(f"SELECT {columns} FROM {table}")]
                for table, columns in TABLES.items()
            }
    finally:
        await connection.close()


def _problems(rows):
    by_account = {account[0]: _AccountCheck(account) for account in rows["accounts"]}
    found = []
    for table in ("lots", "transactions", "entries", "idempotency_keys", "deduction_reversals", "corrections", "holds"):
        for row in rows[table]:
            if row[0] in by_account:
                getattr(by_account[row[0]], table).append(row[1:])
            elif row[0] or table != "idempotency_keys":  # keys of requests about no account, such as for API keys
                found.append(f"{table} has a row of the unknown account {row[0]!r}")
    for account_id, check in by_account.items():
        found.extend(f"account {account_id!r}: {problem}" for problem in check.problems())
    return found


class _AccountCheck:
    def __init__(self, row):
        _, self.version, self.last_id, self.balance, self.debt, self.set_aside, self.held, self.holds_open = row
        self.holds, self.corrections = [], []
        self.lots, self.transactions, self.entries, self.idempotency_keys, self.deduction_reversals = [], [], [], [], []

    def problems(self):
        yield from self._chain()
        yield from self._places()
        yield from self._ended()
        yield from self._reversals()
        yield from self._holds()
        for reply, resource_id in self.idempotency_keys:
            if reply is None and not resource_id:
                yield "a key is spent without a reply or a resource"

    def _in_order(self):
        return sorted(self.transactions, key=lambda transaction: transaction[1])

    def _chain(self):
        by_id = {transaction[0]: transaction for transaction in self.transactions}
        ordered = self._in_order()
        if [transaction[1] for transaction in ordered] != list(range(1, self.version + 1)):
            yield f"versions {[t[1] for t in ordered]} are not 1 to {self.version}"
        walked, at = [], self.last_id
        while at in by_id and len(walked) < len(by_id):
            walked.append(at)
            at = by_id[at][2]
        if at or walked != [transaction[0] for transaction in reversed(ordered)]:
            yield f"the chain from {self.last_id!r} does not lead through every transaction to the first"
        balance = 0
        for transaction_id, _, _, _, amount, balance_after, _ in ordered:
            balance += amount
            if balance != balance_after:
                yield f"{transaction_id}: balance_after is {balance_after}, amounts add up to {balance}"
        if balance != self.balance:
            yield f"the balance is {self.balance}, transactions add up to {balance}"

    def _places(self):
        sums = defaultdict(int)
        yield from self._movements(sums)
        for lot_id, _, remaining, *_ in self.lots:
            if sums[lot_id] != remaining:
                yield f"{lot_id}: {remaining} remain, entries say {sums[lot_id]}"
        for place, expected in {"debt": -self.debt, "set_aside": self.set_aside}.items():
            if sums[place] != expected:
                yield f"{place} is stored as {expected}, entries say {sums[place]}"
        if sum(sums.values()):
            yield f"the ledger adds up to {sum(sums.values())}"
        for lot_id, *_, held in self.lots:
            if sums[f"held:{lot_id}"] != held:
                yield f"{lot_id}: {held} are held, entries say {sums[f'held:{lot_id}']}"
        if self.held != sum(lot[5] for lot in self.lots):
            yield f"{self.held} are held, lots say {sum(lot[5] for lot in self.lots)}"
        if self.balance != sum(lot[2] + lot[5] for lot in self.lots) - self.debt:
            yield "the balance is not what lots hold less what is owed"

    def _ended(self):
        lost = defaultdict(int)
        for _, _, source, destination, amount in self.entries:
            if destination == "expired":
                lost[source] += amount
        names = {lot[0] for lot in self.lots}
        for lot_id, amount, remaining, expired, ended_to, _ in self.lots:
            if expired != lost[lot_id]:
                yield f"{lot_id}: {expired} are stored as expired, entries say {lost[lot_id]}"
            if remaining + expired > amount:
                yield f"{lot_id}: {remaining} remain and {expired} expired of {amount}"
            if ended_to and (remaining or ended_to not in HOUSE | names):
                yield f"{lot_id}: ended to {ended_to!r} with {remaining} left"

    def _movements(self, sums):
        lots = {lot[0]: lot[1] for lot in self.lots}
        movements = defaultdict(list)
        for transaction_id, position, source, destination, amount in sorted(self.entries):
            movements[transaction_id].append((position, source, destination, amount))
        moving = {each[0] for each in self.transactions if each[3] not in MAY_MOVE_NOTHING or each[4]}
        if not moving <= movements.keys() <= {transaction[0] for transaction in self.transactions}:
            yield "transactions and entries do not belong together"
        own = {*lots, *(f"held:{lot}" for lot in lots), "debt"}
        for transaction_id, _, _, _, amount, _, _ in self._in_order():
            entries = movements[transaction_id]
            if [entry[0] for entry in entries] != list(range(len(entries))):
                yield f"{transaction_id}: positions of entries have gaps"
            effect = 0
            for _, source, destination, moved in entries:
                if not {source, destination} <= own | HOUSE | {"set_aside"}:
                    yield f"{transaction_id}: {source!r} to {destination!r} names an unknown place"
                sums[source] -= moved
                sums[destination] += moved
                effect += moved * ((destination in own) - (source in own))
            if effect != amount:
                yield f"{transaction_id}: the amount is {amount}, entries say {effect}"
            yield from (
                f"{transaction_id}: {lot} is outside its bounds"
                for lot in lots
                if not self._within(sums, lot, lots[lot])
            )

    @staticmethod
    def _within(sums, lot, amount):
        left, held = sums[lot], sums[f"held:{lot}"]
        return left >= 0 and held >= 0 and left + held <= amount

    def _holds(self):
        """What a hold's transactions moved under it, to usage and back, by lot, is what its row says."""
        source_of = {transaction[0]: transaction[6] for transaction in self.transactions}
        moved = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
        for transaction_id, _, source, destination, amount in self.entries:
            hold_id = source_of[transaction_id]
            if destination.startswith("held:"):
                moved[hold_id][destination[5:]][0] += amount
            elif source.startswith("held:"):
                moved[hold_id][source[5:]][1 if destination == "usage" else 2] += amount
        if moved.keys() - {hold[0] for hold in self.holds}:
            yield f"entries are of unknown holds {moved.keys()}"
        if self.holds_open != sum(hold[1] == OPEN_HOLD for hold in self.holds):
            yield f"{self.holds_open} holds are open, by the account"
        for hold_id, state, amount, captured, released, legs in self.holds:
            stored = {lot_id: amounts for lot_id, _, *amounts in json.loads(legs)}
            if stored != moved[hold_id]:
                yield f"{hold_id}: legs are {stored}, entries say {dict(moved[hold_id])}"
            if [amount, captured, released] != [sum(leg[n] for leg in stored.values()) for n in range(3)]:
                yield f"{hold_id}: {amount}, {captured} and {released} are not the sums of its legs"
            if state != OPEN_HOLD and captured + released != amount:
                yield f"{hold_id}: it is closed and something is left"

    def _reversals(self):
        spent, returned, moved = defaultdict(int), defaultdict(int), defaultdict(int)
        about = {transaction[0]: transaction for transaction in self.transactions}
        for transaction_id, _, source, destination, amount in self.entries:
            kind, original = about[transaction_id][3], about[transaction_id][6]
            if kind == DEDUCTION and destination == "usage":
                spent[transaction_id] += amount
            elif kind == DEDUCTION_REVERSAL and source == "usage":
                returned[original] += amount
            elif kind == CORRECTION and "usage" in {source, destination}:
                change = amount if destination == "usage" else -amount
                moved[transaction_id, original] += change
                spent[original] += change
        stored = {(correction, original): amount for original, amount, correction in self.corrections if correction}
        if stored != moved:
            yield f"corrections are stored as {stored}, entries say {dict(moved)}"
        if dict(self.deduction_reversals) != dict(returned):
            yield f"reversals are stored as {dict(self.deduction_reversals)}, entries say {dict(returned)}"
        yield from (
            f"{each}: more came back than was taken" for each, amount in spent.items() if amount < returned[each]
        )
