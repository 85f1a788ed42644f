"""At quiet points everybody has been told everything: then what is stored must say what is true at Stripe."""

from tests.simulation.model_account import ModelTaken, expect
from tests.simulation.service import BONUS_PURCHASE_MIN_MINOR
from tests.simulation.witness import GONE

_PURCHASES = (
    "SELECT purchase_id, account_id, status, checkout_session_id, payment_intent_id, paid_minor, refunded_minor "
    "FROM purchases"
)
_REFUNDS = "SELECT stripe_refund_id, purchase_id, amount_minor, status, refund_id FROM refunds"
_EVENTS = "SELECT event_id, event_type, status, subject, error FROM stripe_events"
_REFERRALS = (
    "SELECT account_id, referrer_account_id, state, purchase_id || fallen_purchase_id, referee_lot_id, "
    "referee_taken, referee_taken_purchase, referee_taken_debt,"
    " referrer_lot_id, referrer_taken FROM referrals"
)
_STATUS = {"pending": "PENDING", "succeeded": "SUCCEEDED", "failed": "FAILED", "canceled": "CANCELED"}


def check_truth(raw, stripe, model):
    purchases = {row[0]: row[1:] for row in raw.execute(_PURCHASES).fetchall()}
    for purchase_id, row in purchases.items():
        _check_purchase(stripe, purchase_id, *row[1:])
    _check_refunds(raw, stripe, purchases)
    _check_inbox(raw, stripe)
    _check_referrals(raw, model, purchases)


def _check_purchase(stripe, purchase_id, status, session_id, *payment):
    session = stripe.sessions.get(session_id)
    if session is None:
        wanted = ("FAILED", "CANCELED")
    elif session.status == "open":
        wanted = ("PENDING",)
    elif session.status == "expired":
        wanted = ("EXPIRED", "CANCELED")
    elif session.payment_status == "paid":
        wanted = ("COMPLETED",)
        found = payment
        truth = (session.payment_intent_id, session.amount_total_minor, stripe.refunded(session.payment_intent_id))
        expect(found == truth, f"{purchase_id}: payment, paid and refunded are {found}, at Stripe {truth}")
    else:
        wanted = ("FAILED",) if session_id in stripe.unfunded else ("AWAITING_FUNDS",)
    expect(status in wanted, f"{purchase_id} is {status}, its session {session}")


def _check_refunds(raw, stripe, purchases):
    seen = set()
    for stripe_refund_id, purchase_id, amount_minor, status, refund_id in raw.execute(_REFUNDS).fetchall():
        if not stripe_refund_id:
            expect(status == "FAILED", f"{refund_id} is {status}, and Stripe has never had it")
            continue
        expect(stripe_refund_id not in seen, f"{stripe_refund_id} is kept twice")
        seen.add(stripe_refund_id)
        truth = stripe.refunds[stripe_refund_id]
        found = (amount_minor, status, purchases[purchase_id][3])
        wanted = (truth.amount_minor, _STATUS[truth.status], truth.payment_intent_id)
        expect(found == wanted, f"{refund_id}: amount, status and payment are {found}, at Stripe {wanted}")
    marks = [each.refund_id for each in stripe.refunds.values() if each.refund_id]
    expect(len(marks) == len(set(marks)), f"Stripe was asked for one refund twice: {marks}")
    expect(seen == stripe.refunds.keys(), f"refunds that nobody was told of: {stripe.refunds.keys() - seen}")


def _check_inbox(raw, stripe):
    rows = raw.execute(_EVENTS).fetchall()
    kept, made = {row[0] for row in rows}, {event_id for event_id, _ in stripe.events}
    # One that is lost may have been kept: it is its answer that did not come.
    expect(made - stripe.lost <= kept <= made, "the inbox does not hold exactly Stripe's events")
    bound = {
        row[0] for row in raw.execute("SELECT reference FROM purchase_references WHERE purchase_id <> ''").fetchall()
    }
    for event_id, event_type, status, subject, error in rows:
        is_over = status in ("PROCESSED", "IGNORED") or (status == "FAILED" and event_id in stripe.lost)
        expect(is_over, f"{event_id} {event_type} is {status}: {error}")
        expect(subject not in bound, f"{event_id} {event_type} still waits for {subject}")


def _check_referrals(raw, model, purchases):
    for row in raw.execute(_REFERRALS).fetchall():
        referee, referrer, state, purchase_id, lot_id, *taken, referrer_lot_id, referrer_taken = row
        if state == "PENDING":
            completed = [each for each, about in purchases.items() if about[0] == referee and about[1] == "COMPLETED"]
            expect(not completed, f"the referral of {referee} is PENDING, {completed} are completed")
            continue
        for side, *found in ((referee, lot_id, taken), (referrer, referrer_lot_id, [referrer_taken, 0, 0])):
            wanted = _bonus_of(model, side, purchase_id, found[0])
            expect(found == wanted, f"the bonus of {side} for {purchase_id} is {found}, the model has {wanted}")
        paid_minor, refunded_minor = purchases[purchase_id][4:6]
        fallen = paid_minor - refunded_minor < BONUS_PURCHASE_MIN_MINOR
        expect(
            (state == "REVERSED") == bool(fallen and lot_id),
            f"the referral of {referee} is {state}, {refunded_minor} of {paid_minor} are gone",
        )


def _bonus_of(model, account_id, purchase_id, lot_id):
    """[its lot, what was taken of it]; a lot that nothing has ever come into has any name."""
    bonus = model.accounts[account_id].bonuses.get(purchase_id)
    if bonus is None:
        return ["", [0, 0, 0]]
    taken = bonus.taken or ModelTaken()
    return [bonus.lot.lot_id or lot_id, [taken.lot, taken.purchase, taken.debt]]


assert set(GONE) < set(_STATUS.values())
