"""Counts what a program of an older schema wrote, in the columns that came since. It runs on while this one is
deployed, and fills none.

`accounts.caught_up_version` says how far those columns go. Whoever locks an account catches up first: the entries say
what is missing. So no decision is made with columns that lag, and nothing has to be searched for.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, update

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Place, Transaction, is_lot
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.promotions.bonuses import FallenBonuses
from billing_service.domain.promotions.referrals import ReferralState
from billing_service.domain.sales.clawbacks import Taken, TakenSince, change_of
from billing_service.domain.sales.purchases import Purchase
from billing_service.storage.rows.ledger import account_of, expect, fetch_lots, lot_of, order_lots, rewritten_row
from billing_service.storage.rows.ledger_statements import LOCK_ACCOUNTS, READ_OPEN_LOTS, REWRITE_LOTS
from billing_service.storage.rows.purchases import PURCHASES, find_purchase, read_purchase, read_referral
from billing_service.storage.rows.verification import links
from billing_service.storage.schema import accounts, referrals
from billing_service.storage.statements import Together, Work, writing

LINKS_A_READ = 500
SET_CAUGHT_UP = writing(
    "set caught up version",
    update(accounts)
    .where(accounts.c.account_id == bindparam("which"))
    .values(caught_up_version=bindparam("caught_up_version")),
    "which",
    "caught_up_version",
)
HIDE_FALLEN = writing(
    "hide fallen referral",
    update(referrals)
    .where(
        referrals.c.account_id == bindparam("which"),
        referrals.c.purchase_id == bindparam("fallen"),
        referrals.c.state == literal_column(f"'{ReferralState.REVERSED}'"),
    )
    .values(fallen_purchase_id=referrals.c.purchase_id, purchase_id=literal_column("''")),
    "which",
    "fallen",
)
"""Under the lock of either account: who replaces the row holds both."""


class Missed(NamedTuple):
    """What an older program's transactions change in the columns that it does not know."""

    lots: dict[str, Lot]
    purchases: dict[str, Purchase]
    fallen: frozenset[str]
    """Purchases whose referral bonus it took back."""


def lock_accounts(account_ids: Sequence[str]) -> Work[dict[str, Account]]:
    """Locks the accounts that exist, in order of their ids, until the transaction ends. Then loads their open lots, and
    catches up."""
    rows = yield LOCK_ACCOUNTS(account_ids)
    found = {row[0]: account_of(row) for row in rows}
    if found:
        for row in (yield READ_OPEN_LOTS(list(found))):
            found[row[0]].lots.append(lot_of(row[1:]))
        order_lots(found)
        for account in found.values():
            yield from catch_up(account)
    return found


def catch_up(account: Account) -> Work[None]:
    """Counts in the rows of a locked account what an older program wrote. Its open lots are loaded."""
    if not account.behind:
        return
    missed = yield from read_missed(account)
    if missed.lots:
        call = REWRITE_LOTS.many(rewritten_row(account.account_id, lot) for lot in missed.lots.values())
        (changed,) = yield Together((call,))
        expect(changed, len(missed.lots), "catch up lots")
    for purchase in missed.purchases.values():
        yield from PURCHASES.replace(purchase)
    for purchase_id in missed.fallen:
        earned_by = yield from find_purchase(purchase_id)
        if earned_by is not None:
            hidden = yield HIDE_FALLEN(earned_by[0], purchase_id)
            expect(hidden, min(hidden, 1), "hide fallen referral")
    expect((yield SET_CAUGHT_UP(account.account_id, account.version)), 1, "set caught up version")
    account.behind = 0


def read_missed(account: Account) -> Work[Missed]:
    """Counts in memory alone, in the account's lots and in purchases of its own."""
    history = yield from _missed_transactions(account)
    expired: Counter[str] = Counter()
    reversals: dict[str, list[Transaction]] = defaultdict(list)
    fallen = FallenBonuses()
    for transaction in history:
        fallen.follow(transaction)
        if change_of(transaction):
            reversals[transaction.source_id].append(transaction)
        for source, destination, amount in transaction.entries:
            if destination == Place.EXPIRED and is_lot(source):
                expired[source] += amount
    purchases: dict[str, Purchase] = {}
    for purchase_id, missed in reversals.items():
        purchase = yield from read_purchase(account.account_id, purchase_id)
        assert purchase is not None, "what was taken back was bought"
        expired[purchase.lot_id] -= _recount(purchase, missed)
        purchases[purchase_id] = purchase
    bonuses = dict(fallen.lots())
    bonuses.update((yield from _bonus_without_rest(account, reversals)))
    yield from fetch_lots(account, [*expired, *bonuses])
    changed = {lot_id: account.known_lot(lot_id) for lot_id, amount in expired.items() if amount}
    for lot_id, lot in changed.items():
        lot.expired += expired[lot_id]
    if history:
        changed.update(_end(account, bonuses, history[-1].create_time_us))
    return Missed(changed, purchases, frozenset(bonuses.values()))


def _missed_transactions(account: Account) -> Work[list[Transaction]]:
    """Oldest first. Fewer than missed where the chain is broken, which is verification's to say."""
    found: list[Transaction] = []
    next_id = account.last_transaction_id
    while next_id and len(found) < account.behind:
        older = yield from links(account.account_id, next_id, min(LINKS_A_READ, account.behind - len(found)))
        if not older:
            break
        found += older
        next_id = older[-1].previous_id
    return found[::-1]


def _recount(purchase: Purchase, missed: Sequence[Transaction]) -> int:
    """Divides what is taken of a purchase anew. Answers what had expired and came back as if it had not."""
    changes = [change_of(transaction) for transaction in missed]
    before = purchase.reversed - sum(change.total if isinstance(change, Taken) else -change for change in changes)
    since = TakenSince(
        Taken(
            before - purchase.reversed_expired - purchase.reversed_debt,
            purchase.reversed_expired,
            purchase.reversed_debt,
        )
    )
    for transaction in missed:
        since = since.after(transaction)
    purchase.reversed_expired, purchase.reversed_debt = since.taken.expired, since.taken.debt
    return since.unexpired


def _bonus_without_rest(account: Account, reversals: dict[str, list[Transaction]]) -> Work[dict[str, str]]:
    """The buyer's bonus where nothing was left of it to take, so that no transaction says that it was: its lot, and
    what earned it."""
    referral = (yield from read_referral(account.account_id)) if reversals else None
    if referral is None or referral.state is not ReferralState.REVERSED or referral.earned_by not in reversals:
        return {}
    return {referral.referee_lot_id: referral.earned_by} if referral.referee_lot_id else {}


def _end(account: Account, bonuses: dict[str, str], time_us: int) -> dict[str, Lot]:
    """Ends bonus lots that were taken back, and whatever came back into lots that had ended: an older program ends
    none, and lets both be spent. What is in an ended lot goes on when its expiry is booked. Answers the lots that
    change."""
    changed = {}
    for lot in account.lots:
        if lot.lot_id in bonuses and not lot.remaining and not lot.ended_to:
            lot.ended_to = Place.BONUSES
        elif not (lot.ended_to and lot.remaining):
            continue
        lot.expire_time_us = time_us if lot.expire_time_us is None else min(lot.expire_time_us, time_us)
        changed[lot.lot_id] = lot
    return changed
