"""Sees every commit: feeds the model with what is new, and holds the stored state against it."""

import json
from collections import defaultdict

from prepaid.billing.v1 import transactions_pb2

from billing_service.domain.spending.price_records import decode_record
from tests.simulation.model import HOLD
from tests.simulation.model_account import Contradiction, Line, ModelAccount, ModelTaken, expect
from tests.simulation.model_holds import OPEN
from tests.simulation.model_limits import ModelLimit

_ACCOUNTS = (
    "SELECT account_id, version, last_transaction_id, balance, debt, set_aside, held, holds_open, limits_version, "
    "frozen, overdraft_limit, debt_max FROM accounts"
)
_TRANSACTION = (
    "SELECT transaction_id, version, kind, amount, balance_after, create_time_us, source_id, description, previous_id, "
    "effective_time_us, price_record FROM transactions WHERE transaction_id = ? AND account_id = ?"
)
_ENTRIES = (
    "SELECT source, destination, amount FROM entries WHERE transaction_id = ? AND account_id = ? ORDER BY position"
)
_LOTS = "SELECT lot_id, remaining, held FROM lots WHERE account_id = ? AND remaining + held > 0"
_HOLDS = (
    "SELECT hold_id, rate_card_version, state, amount, captured, released, expire_time_us, late_captured, legs "
    "FROM holds WHERE account_id = ?"
)
_LIMITS = (
    "SELECT spender_id, spend_window, amount_max, set_time_us, window_start_us, used FROM spend_limits "
    "WHERE account_id = ?"
)
_EXTENSIONS = "SELECT idempotency_key, reply FROM idempotency_keys WHERE account_id = ? AND scope LIKE '%/ExtendHold'"
_SALES = "SELECT purchase_id, credits FROM purchases WHERE account_id = ?"
_TAKEN = "SELECT purchase_id, credits, status, paid_minor, reversed, lot_id FROM purchases WHERE account_id = ?"
_REFUNDS = "SELECT purchase_id, amount_minor, status, requires_settlement, reversed FROM refunds WHERE account_id = ?"
GONE = ("PENDING", "SUCCEEDED")
"""Statuses of a refund whose money counts as gone back."""


def target(credits_sold, paid_minor, gone_minor):
    """Credits that must have been taken back when so much money went back: rounded up, all of them when all went
    back."""
    gone_minor = min(paid_minor, gone_minor)
    return (credits_sold * gone_minor + paid_minor - 1) // paid_minor if paid_minor else 0


class Witness:
    """Compares after every commit; `commits` counts them."""

    def __init__(self, model, note_offers):
        self.model = model
        self._note_offers = note_offers
        self.commits = 0

    def __call__(self, raw):
        self.commits += 1
        for row in raw.execute(_ACCOUNTS).fetchall():
            account_id, version, last_id, balance, debt, set_aside, held, holds_open, limits_version, *limits = row
            account = self.model.accounts.setdefault(account_id, ModelAccount())
            if last_id != account.last_id:
                holds = raw.execute(_HOLDS, (account_id,)).fetchall() if holds_open or account.holds or held else ()
                self.model.card_of.update((hold_id, card) for hold_id, card, *_ in holds)
                self._follow(raw, account_id, account, last_id)
                stored = {lot_id: amounts for lot_id, *amounts in raw.execute(_LOTS, (account_id,)).fetchall()}
                wanted = {lot.lot_id: [lot.left, lot.held] for lot in account.lots.values() if lot.left or lot.held}
                expect(stored == wanted, f"{account_id}: lots have left and held {stored}, {wanted} were expected")
                _check_holds(account_id, account, holds)
            found = (version, balance, debt, set_aside, held, holds_open)
            opened = sum(hold.state == OPEN for hold in account.holds.values())
            wanted = (account.version, account.balance, account.debt, account.set_aside, account.held, opened)
            expect(
                found == wanted,
                f"{account_id}: version, balance, debt, set aside, held and holds are {found}, {wanted} were expected",
            )
            if limits_version:
                _check_limits(account_id, account, raw.execute(_LIMITS, (account_id,)).fetchall())
            frozen, account.overdraft_limit, account.debt_max = limits
            account.frozen = bool(frozen)
            self._check_purchases(raw, account_id, account)

    def _follow(self, raw, account_id, account, newest):
        """Applies the transactions since the last commit, oldest first."""
        self.model.sales.update(raw.execute(_SALES, (account_id,)).fetchall())
        new = []
        while newest != account.last_id:
            row = raw.execute(_TRANSACTION, (newest, account_id)).fetchone()
            expect(
                row is not None and len(new) < 100, f"{account_id}: the chain does not lead back to {account.last_id!r}"
            )
            *about, previous_id, effective_us, record = row
            entries = raw.execute(_ENTRIES, (newest, account_id)).fetchall()
            new.append(Line(*about, entries, effective_us, _card_of(record)))
            if new[-1].kind == HOLD and not new[-1].description:
                new[-1].description = _key_of_extension(raw, account_id, newest)
            newest = previous_id
        for line in reversed(new):
            self.model.apply(account_id, line)
            self._note_offers(line.now_us)  # a transaction decides on states that were never committed by themselves

    def _check_purchases(self, raw, account_id, account):
        gone, waiting = defaultdict(int), 0
        for purchase_id, amount, status, requires_settlement, reversed_credits in raw.execute(
            _REFUNDS, (account_id,)
        ).fetchall():
            gone[purchase_id] += amount if status in GONE else 0
            waiting += reversed_credits if requires_settlement else 0
        expect(
            waiting == account.set_aside,
            f"{account_id}: {account.set_aside} are set aside, refunds wait with {waiting}",
        )
        for purchase_id, sold, status, paid, reversed_credits, lot_id in raw.execute(_TAKEN, (account_id,)).fetchall():
            completed = status == "COMPLETED"
            granted = account.purchase_lots.get(purchase_id, "")
            expect(
                (lot_id, completed) == (granted, bool(granted)),
                f"{purchase_id} is {status} with lot {lot_id!r}, granted was {granted!r}",
            )
            wanted = target(sold, paid, gone[purchase_id]) if completed else 0
            taken = account.taken.get(purchase_id, ModelTaken())
            found = (reversed_credits, taken.lot + taken.debt)
            words = f"{purchase_id}: taken back are {found}, {wanted} were expected for {gone[purchase_id]} of {paid}"
            expect(found == (wanted, wanted), words)


def _key_of_extension(raw, account_id, transaction_id):
    """An extension has no words of its caller: its key is found by its reply."""
    for key, reply in raw.execute(_EXTENSIONS, (account_id,)).fetchall():
        if transactions_pb2.ExtendHoldResponse.FromString(reply).transaction_id == transaction_id:
            return key
    raise Contradiction(f"{account_id}: {transaction_id} moves credits under a hold, and no request asked for it")


def _card_of(record):
    """The version in a price record; empty for the record of a plain amount."""
    priced = decode_record(record).priced if record else None
    return priced.price.rate_card_version if priced else ""


def _check_holds(account_id, account, rows):
    found = {}
    for hold_id, _, *values, legs in rows:
        found[hold_id] = (*values, [[lot_id, *amounts] for lot_id, _, *amounts in json.loads(legs)])
    wanted = {hold_id: hold.row for hold_id, hold in account.holds.items()}
    expect(found == wanted, f"{account_id}: holds are {found}, {wanted} were expected")


def _check_limits(account_id, account, rows):
    """What is set is what the last request said; what is used is the model's to know."""
    stored = {(spender, window): about for spender, window, *about in rows}
    for name in account.limits.keys() - stored.keys():
        del account.limits[name]
    for name, (amount_max, set_us, start_us, _) in stored.items():
        limit = account.limits.get(name)
        if limit is None or limit.set_us != set_us:
            account.limits[name] = ModelLimit(amount_max, set_us, start_us)
        account.limits[name].amount_max = amount_max
    found = {name: (start_us, used) for name, (_, _, start_us, used) in stored.items()}
    wanted = {name: (limit.start_us, limit.used) for name, limit in account.limits.items()}
    expect(found == wanted, f"{account_id}: windows and used are {found}, {wanted} were expected")
