"""The table of a purchase's states, and the check that money reported is money asked for."""

from dataclasses import dataclass, replace
from itertools import permutations, product

import pytest

from billing_service.domain.sales.purchases import (
    TRANSITIONS,
    Difference,
    PurchaseSnapshot,
    PurchaseStatus,
    PurchaseUpdate,
    check_payment,
    checkout_update,
    is_cancelable,
    next_status,
)

PENDING, AWAITING, COMPLETED = PurchaseStatus.PENDING, PurchaseStatus.AWAITING_FUNDS, PurchaseStatus.COMPLETED
FAILED, EXPIRED, CANCELED = PurchaseStatus.FAILED, PurchaseStatus.EXPIRED, PurchaseStatus.CANCELED

# Each update names an end; the end that ranks higher stays. Only a refused checkout needs a purchase nobody has heard
# of.
RANK = [PENDING, EXPIRED, CANCELED, AWAITING, FAILED, COMPLETED]
NAMED_END = {
    PurchaseUpdate.PAID: COMPLETED,
    PurchaseUpdate.FUNDS_PROMISED: AWAITING,
    PurchaseUpdate.PAYMENT_FAILED: FAILED,
    PurchaseUpdate.CHECKOUT_EXPIRED: EXPIRED,
    PurchaseUpdate.CANCELED: CANCELED,
}


@dataclass(frozen=True)
class Report:
    session_id: str = "cs_1"
    purchase_id: str | None = "pur_1"
    account_id: str | None = "acme"
    mode: str = "payment"
    status: str | None = "complete"
    payment_status: str = "paid"
    amount_subtotal_minor: int | None = 4_500
    amount_total_minor: int | None = 4_500
    amount_discount_minor: int = 0
    amount_tax_minor: int = 0
    amount_shipping_minor: int = 0
    currency: str | None = "usd"
    livemode: bool = False


SNAPSHOT = PurchaseSnapshot("pur_1", "acme", 4_500, "usd", "cs_1")


def check(snapshot=SNAPSHOT, *, livemode_expected=False, promotion_codes_allowed=False, **changes):
    return check_payment(
        snapshot,
        Report(**changes),
        livemode_expected=livemode_expected,
        promotion_codes_allowed=promotion_codes_allowed,
    )


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"livemode": True}, Difference("livemode", "False", "True")),
        ({"purchase_id": None}, Difference("purchase_id", "pur_1", "None")),
        ({"purchase_id": "pur_2"}, Difference("purchase_id", "pur_1", "pur_2")),
        ({"account_id": "other"}, Difference("account_id", "acme", "other")),
        ({"account_id": None}, Difference("account_id", "acme", "None")),
        ({"session_id": "cs_2"}, Difference("session_id", "cs_1", "cs_2")),
        ({"mode": "subscription"}, Difference("mode", "payment", "subscription")),
        ({"currency": "eur"}, Difference("currency", "usd", "eur")),
        ({"currency": None}, Difference("currency", "usd", "None")),
        ({"amount_subtotal_minor": 4_499}, Difference("amount_subtotal", "4500", "4499")),
        ({"amount_subtotal_minor": None}, Difference("amount_subtotal", "4500", "None")),
        ({"amount_total_minor": 4_499}, Difference("amount_total", "4500 to 4500", "4499")),
        ({"amount_total_minor": 4_501}, Difference("amount_total", "4500 to 4500", "4501")),
        ({"amount_total_minor": None}, Difference("amount_total", "4500 to 4500", "None")),
        ({"amount_tax_minor": 300, "amount_total_minor": 4_801}, Difference("amount_total", "4500 to 4800", "4801")),
        (
            {"amount_tax_minor": 300, "amount_shipping_minor": 700, "amount_total_minor": 5_501},
            Difference("amount_total", "4500 to 5500", "5501"),
        ),
        (
            {"amount_shipping_minor": 700, "amount_total_minor": 4_499},
            Difference("amount_total", "4500 to 5200", "4499"),
        ),
        ({"amount_discount_minor": 500, "amount_total_minor": 4_000}, Difference("amount_discount", "0", "500")),
        ({"payment_status": "no_payment_required"}, Difference("payment_status", "paid", "no_payment_required")),
    ],
)
def test_a_payment_that_was_not_asked_for_is_told_apart(changes, difference):
    mismatch = check(**changes)
    assert mismatch is not None
    assert mismatch.differences == (difference,)
    assert str(mismatch) == f"{difference.field}: expected {difference.expected}, got {difference.actual}"


def test_a_test_payment_is_not_money_in_live_mode():
    mismatch = check(livemode_expected=True)
    assert mismatch is not None
    assert mismatch.differences == (Difference("livemode", "True", "False"),)


@pytest.mark.parametrize(("discount", "total"), [(500, 3_999), (500, 4_001), (500, -1), (5_000, -500), (0, 4_000)])
def test_a_discount_explains_only_itself(discount, total):
    assert check(promotion_codes_allowed=True, amount_discount_minor=discount, amount_total_minor=total) is not None


def test_everything_that_differs_is_told():
    mismatch = check(livemode=True, currency="eur", amount_total_minor=1)
    assert mismatch is not None
    assert [d.field for d in mismatch.differences] == ["livemode", "currency", "amount_total"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"amount_tax_minor": 300, "amount_total_minor": 4_800},
        {"amount_tax_minor": 300, "amount_shipping_minor": 700, "amount_total_minor": 5_500},
        {"amount_shipping_minor": 700, "amount_total_minor": 5_200},
        {"amount_tax_minor": 300, "amount_total_minor": 4_500},
        {"promotion_codes_allowed": True, "amount_discount_minor": 500, "amount_total_minor": 4_000},
        {
            "promotion_codes_allowed": True,
            "amount_discount_minor": 500,
            "amount_tax_minor": 200,
            "amount_total_minor": 4_200,
        },
        {
            "promotion_codes_allowed": True,
            "amount_discount_minor": 4_500,
            "amount_total_minor": 0,
            "payment_status": "no_payment_required",
        },
        {"snapshot": replace(SNAPSHOT, checkout_session_id=None), "session_id": "cs_told_by_the_event_first"},
    ],
)
def test_a_payment_that_was_asked_for_passes(changes):
    assert check(**changes) is None


@pytest.mark.parametrize(
    ("status", "payment_status", "update"),
    [
        ("open", "unpaid", None),
        ("open", "no_payment_required", None),
        ("open", "paid", None),
        (None, "paid", None),
        ("something_new", "paid", None),
        ("expired", "unpaid", PurchaseUpdate.CHECKOUT_EXPIRED),
        ("complete", "unpaid", PurchaseUpdate.FUNDS_PROMISED),
        ("complete", "something_new", PurchaseUpdate.FUNDS_PROMISED),
        ("complete", "paid", PurchaseUpdate.PAID),
        ("complete", "no_payment_required", PurchaseUpdate.PAID),
    ],
)
def test_what_a_session_says(status, payment_status, update):
    assert checkout_update(Report(status=status, payment_status=payment_status)) is update


def test_the_table_is_total():
    assert set(TRANSITIONS) == set(product(PurchaseStatus, PurchaseUpdate))


@pytest.mark.parametrize(("before", "update"), list(product(PurchaseStatus, NAMED_END)))
def test_the_higher_end_stays(before, update):
    assert next_status(before, update) is max(before, NAMED_END[update], key=RANK.index)


@pytest.mark.parametrize("before", list(PurchaseStatus))
def test_a_refused_checkout_fails_only_a_pending_purchase(before):
    assert next_status(before, PurchaseUpdate.CHECKOUT_REFUSED) is (FAILED if before is PENDING else before)


@pytest.mark.parametrize("before", list(PurchaseStatus))
def test_money_always_completes_and_nothing_undoes_it(before):
    assert next_status(before, PurchaseUpdate.PAID) is COMPLETED
    assert {next_status(COMPLETED, update) for update in PurchaseUpdate} == {COMPLETED}
    assert next_status(AWAITING, PurchaseUpdate.CHECKOUT_EXPIRED) is AWAITING


def test_the_order_of_news_does_not_matter():
    for size in range(1, len(NAMED_END) + 1):
        ends: dict[frozenset[PurchaseUpdate], set[PurchaseStatus]] = {}
        for order in permutations(NAMED_END, size):
            status = PENDING
            for update in order:
                status = next_status(next_status(status, update), update)
            ends.setdefault(frozenset(order), set()).add(status)
        assert all(len(end) == 1 for end in ends.values())


def test_only_a_pending_purchase_can_be_called_off():
    assert [status for status in PurchaseStatus if is_cancelable(status)] == [PENDING]
