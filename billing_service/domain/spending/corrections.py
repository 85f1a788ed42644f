"""Corrections: charges that are brought to another price."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.ended_lots import back_into_lot
from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind
from billing_service.domain.ledger.granting import new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.ledger.settled_debt import Payment
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.domain.spending.reversals import give_back_debt_of
from billing_service.domain.spending.standing import StandingCharge


class Corrected(NamedTuple):
    """What a correction did."""

    transaction: Transaction | None
    """None: there was nothing to move, or nothing to take it from."""
    moved: int
    """Microcredits: above 0, charged besides; below, given back."""
    shortfall: int
    """Microcredits that the charge should come to besides, and that were not available."""


class CorrectionTerms(NamedTuple):
    """What all corrections of one re-rating share."""

    caller: str
    reason: str
    terms: SpendingTerms


def correct(
    account: Account,
    charge: StandingCharge,
    target: int,
    payments: Sequence[Payment],
    of: CorrectionTerms,
    *,
    deduction_id: str,
    price_record: bytes,
    now_us: int,
    ids: Ids,
) -> Corrected:
    """Brings a charge to `target` microcredits. Down: debt first, then the lots, last drawn first. Up: from what is
    available, and never as debt; a frozen account has nothing available. The lots must be among the account's, and
    those that paid its debt since, of which `payments` tells. Raises BALANCE_LIMIT_REACHED."""
    posting = Posting(account, now_us)
    difference, shortfall = target - charge.net, 0
    if difference < 0:
        _give_back(posting, charge, -difference, payments, of.terms, ids)
    else:
        available = 0 if account.frozen else max(account.spendable(now_us) - account.debt, 0)
        shortfall = max(difference - available, 0)
        difference -= shortfall
        if difference:
            posting.settle_debt()
            taken = posting.spend(Place.USAGE, difference)
            assert taken == difference, "what was counted as spendable is there to be spent"
    if not difference:
        return Corrected(None, 0, shortfall)
    done = posting.close(
        ids,
        TransactionKind.CORRECTION,
        source_id=deduction_id,
        caller=of.caller,
        description=of.reason,
        price_record=price_record,
    )
    return Corrected(done, difference, shortfall)


def _give_back(  # noqa: PLR0917 - all of one correction
    posting: Posting,
    charge: StandingCharge,
    amount: int,
    payments: Sequence[Payment],
    terms: SpendingTerms,
    ids: Ids,
) -> None:
    """A lot that ran out meanwhile would keep what comes back from its account: a promotional lot comes in its stead. A
    lot that was taken back passes it on, as it passes on whatever comes back: else spent bonuses would return."""
    ran_out = 0
    for place, part in charge.lower(amount):
        if place == Place.DEBT:
            give_back_debt_of(posting, part, payments, terms, ids)
            continue
        lot = posting.account.known_lot(place)
        if lot.has_expired(posting.now_us) and not lot.ended_to:
            ran_out += part
        else:
            back_into_lot(posting, lot, Place.USAGE, part, ids)
    if ran_out:
        expire_us = posting.now_us + terms.returned_lifetime_us
        instead = new_lot(ran_out, Category.PROMOTIONAL, now_us=posting.now_us, ids=ids, expire_time_us=expire_us)
        posting.into_new_lot(instead, Place.USAGE)
    posting.settle_debt()
