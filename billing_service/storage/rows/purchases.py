"""Rows of purchases, refunds and referrals, and the ids by which the world names a purchase."""

from sqlalchemy import and_, bindparam, case, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.promotions.referrals import Referral, ReferralState
from billing_service.domain.sales.disputes import PurchaseFlags
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus
from billing_service.domain.sales.refunds import Refund, RefundStatus
from billing_service.storage.rows.ledger import expect
from billing_service.storage.rows.records import RecordTable
from billing_service.storage.schema import purchase_references as references
from billing_service.storage.schema import purchases, referrals, refunds
from billing_service.storage.statements import Work, reading, writing

PURCHASES = RecordTable(
    purchases, Purchase, ("account_id", "purchase_id"), {"status": PurchaseStatus, "flags": PurchaseFlags}
)
REFUNDS = RecordTable(
    refunds,
    Refund,
    ("account_id", "refund_id"),
    {"status": RefundStatus, "requires_settlement": bool, "is_marked": bool},
)
REFERRALS = RecordTable(referrals, Referral, ("account_id",), {"state": ReferralState})

READ_PURCHASE = PURCHASES.selecting(
    "read purchase",
    and_(purchases.c.account_id == bindparam("account_id"), purchases.c.purchase_id == bindparam("purchase_id")),
    "account_id",
    "purchase_id",
)
LIST_PURCHASES = reading(
    "list purchases",
    select(purchases)
    .where(purchases.c.account_id == bindparam("account_id"), purchases.c.purchase_id < bindparam("before"))
    .order_by(purchases.c.purchase_id.desc())
    .limit(bindparam("page")),
    "account_id",
    "before",
    "page",
)
PAID_UNCOMPLETED = reading(
    "list paid purchases that are not completed",
    select(purchases.c.purchase_id)
    .where(
        purchases.c.payment_time_us.is_not(None),
        purchases.c.complete_time_us.is_(None),
        purchases.c.payment_time_us < bindparam("before_us"),
    )
    .order_by(purchases.c.payment_time_us)
    .limit(bindparam("page")),
    "before_us",
    "page",
)
UNPAID_PAYMENTS = reading(
    "list payments that ran out",
    select(purchases)
    .where(
        purchases.c.status.in_([literal_column("'PENDING'"), literal_column("'AWAITING_FUNDS'")]),
        purchases.c.status == literal_column("'PENDING'"),
        purchases.c.purchase_id > literal_column("''"),
        purchases.c.payment_intent_id != literal_column("''"),
        purchases.c.expire_time_us < bindparam("before_us"),
    )
    .order_by(purchases.c.purchase_id)
    .limit(bindparam("page")),
    "before_us",
    "page",
)
"""Those of checkouts run out at Stripe by themselves, and know no payment before it is there. The states are named as
the index of open purchases has them."""
COUNT_COMPLETED = reading(
    "count completed purchases",
    select(func.count()).where(
        purchases.c.account_id == bindparam("account_id"), purchases.c.status == literal_column("'COMPLETED'")
    ),
    "account_id",
)
CLAIM_REFERENCE = writing(
    "claim purchase reference",
    insert(references)
    .values(reference=bindparam("reference"), account_id=bindparam("account_id"), purchase_id=bindparam("purchase_id"))
    .on_conflict_do_nothing(),
    "reference",
    "account_id",
    "purchase_id",
)
FILL_REFERENCE = writing(
    "fill purchase reference",
    update(references)
    .where(references.c.reference == bindparam("which"), references.c.purchase_id == literal_column("''"))
    .values(account_id=bindparam("account_id"), purchase_id=bindparam("purchase_id")),
    "which",
    "account_id",
    "purchase_id",
)
RELEASE_REFERENCE = writing(
    "release purchase reference",
    delete(references).where(
        references.c.reference == bindparam("reference"), references.c.purchase_id == literal_column("''")
    ),
    "reference",
)
READ_REFERENCE = reading(
    "read purchase reference",
    select(references.c.account_id, references.c.purchase_id).where(references.c.reference == bindparam("reference")),
    "reference",
)
REFUNDS_OF_PURCHASE = REFUNDS.selecting(
    "read refunds of purchase",
    and_(refunds.c.account_id == bindparam("account_id"), refunds.c.purchase_id == bindparam("purchase_id")),
    "account_id",
    "purchase_id",
)
READ_REFERRAL = REFERRALS.selecting("read referral", referrals.c.account_id == bindparam("account_id"), "account_id")
REFERRALS_OF_REFERRER = reading(
    "count referrals of referrer",
    select(
        referrals.c.state,
        func.count(),
        func.sum(
            case((referrals.c.referrer_lot_id != literal_column("''"), referrals.c.bonus), else_=literal_column("0"))
        ),
        func.sum(referrals.c.referrer_taken),
    )
    .where(referrals.c.referrer_account_id == bindparam("referrer"))
    .group_by(referrals.c.state),
    "referrer",
)
COUNT_REWARDS = reading(
    "count rewards of referrer",
    select(func.count()).where(
        referrals.c.referrer_account_id == bindparam("referrer"),
        referrals.c.referrer_lot_id != literal_column("''"),
        referrals.c.referrer_taken < referrals.c.bonus,
    ),
    "referrer",
)
SET_REFEREE_TAKEN = writing(
    "set taken of referee",
    update(referrals)
    .where(referrals.c.account_id == bindparam("which"))
    .values(
        referee_taken=bindparam("taken"),
        referee_taken_purchase=bindparam("of_purchase"),
        referee_taken_debt=bindparam("as_debt"),
    ),
    "which",
    "taken",
    "of_purchase",
    "as_debt",
)
"""Under the referred account's lock alone, which is why the rest of the row is left as it is."""
SET_REFERRER_TAKEN = writing(
    "set taken of referrer",
    update(referrals).where(referrals.c.account_id == bindparam("which")).values(referrer_taken=bindparam("taken")),
    "which",
    "taken",
)
"""Under the referrer's lock alone."""


def read_purchase(account_id: str, purchase_id: str) -> Work[Purchase | None]:
    rows = yield READ_PURCHASE(account_id, purchase_id)
    return PURCHASES.record(rows[0]) if rows else None


def find_purchase(reference: str) -> Work[tuple[str, str] | None]:
    """(account id, purchase id) of the purchase that the world names so; None when there is none, or none yet."""
    rows = yield READ_REFERENCE(reference)
    return (rows[0][0], rows[0][1]) if rows and rows[0][1] else None


def claim_reference(reference: str, account_id: str, purchase_id: str) -> Work[bool]:
    """Binds a reference to a purchase. False when it is bound to another one."""
    if (yield CLAIM_REFERENCE(reference, account_id, purchase_id)) == 1:
        return True
    if (yield FILL_REFERENCE(reference, account_id, purchase_id)) == 1:
        return True
    return (yield from find_purchase(reference)) == (account_id, purchase_id)


def await_reference(reference: str) -> Work[tuple[str, str] | None]:
    """Like `find_purchase`. While a reference is not known, whoever binds it waits for this transaction, and so sees
    what it left to be picked up. Nothing stays of the wait: most references that nobody knows are strangers'."""
    yield CLAIM_REFERENCE(reference, "", "")
    if (yield RELEASE_REFERENCE(reference)) == 1:
        return None
    return (yield from find_purchase(reference))


def list_purchases(account_id: str, before: str, page: int) -> Work[list[Purchase]]:
    rows = yield LIST_PURCHASES(account_id, before, page)
    return [PURCHASES.record(row) for row in rows]


def paid_uncompleted(before_us: int, page: int) -> Work[list[str]]:
    """Ids of purchases whose payment succeeded before a time and that never got their credits, the oldest first."""
    rows = yield PAID_UNCOMPLETED(before_us, page)
    return [row[0] for row in rows]


def unpaid_payments(before_us: int, page: int) -> Work[list[Purchase]]:
    """Purchases that asked for a payment which was to be made before a time, and was not."""
    rows = yield UNPAID_PAYMENTS(before_us, page)
    return [PURCHASES.record(row) for row in rows]


def count_completed(account_id: str) -> Work[int]:
    rows = yield COUNT_COMPLETED(account_id)
    return int(rows[0][0])


def refunds_of(purchase: Purchase) -> Work[list[Refund]]:
    rows = yield REFUNDS_OF_PURCHASE(purchase.account_id, purchase.purchase_id)
    return [REFUNDS.record(row) for row in rows]


def read_referral(account_id: str) -> Work[Referral | None]:
    rows = yield READ_REFERRAL(account_id)
    return REFERRALS.record(rows[0]) if rows else None


def referrals_by_state(referrer_account_id: str) -> Work[dict[ReferralState, tuple[int, int]]]:
    """For each state, how many referrals of this referrer, and the bonuses it got for them less what was taken back."""
    rows = yield REFERRALS_OF_REFERRER(referrer_account_id)
    return {ReferralState(row[0]): (int(row[1]), int(row[2]) - int(row[3])) for row in rows}


def set_taken_of_referee(referral: Referral, *, taken: int, of_purchase: int, as_debt: int) -> Work[None]:
    """Notes what was taken of the referred account's bonus, in microcredits."""
    expect((yield SET_REFEREE_TAKEN(referral.account_id, taken, of_purchase, as_debt)), 1, "set taken of referee")


def set_taken_of_referrer(referral: Referral, taken: int) -> Work[None]:
    """Notes what was taken of the referrer's bonus, in microcredits."""
    expect((yield SET_REFERRER_TAKEN(referral.account_id, taken)), 1, "set taken of referrer")


def count_rewards(referrer_account_id: str) -> Work[int]:
    """How many bonuses a referrer has, or has spent of: one that was taken back whole counts no more."""
    rows = yield COUNT_REWARDS(referrer_account_id)
    return int(rows[0][0])
