"""Deductions. Their reversal is in `domain.spending.reversals`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.amounts import MICROCREDITS_PER_CREDIT
from billing_service.domain.ledger.entries import Draw, Place, TransactionKind
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.refusals import account_frozen, insufficient_credits
from billing_service.domain.spending.limits import check_limits, room
from billing_service.domain.spending.price_records import encode_asked
from billing_service.domain.spending.pricing import OCCUR_WINDOW_US
from billing_service.domain.spending.windows import Windows
from billing_service.domain.times import US_PER_S


class DeductionMode(IntEnum):
    """What happens when an account holds less than a deduction asks for. The numbers are the wire's."""

    REJECT = 1
    UP_TO_AVAILABLE = 2
    ALLOW_DEBT = 3


@dataclass(frozen=True, slots=True)
class SpendingTerms:
    """What holds for every account that an operator set nothing else for."""

    debt_max: int = 10_000 * MICROCREDITS_PER_CREDIT
    """Microcredits that ALLOW_DEBT may bring a debt to; 0 to AMOUNT_MAX."""
    reversal_window_us: int = 7 * 86_400 * US_PER_S
    """How long a caller that may deduct may reverse what it deducted."""
    returned_lifetime_us: int = 30 * 86_400 * US_PER_S
    """How long credits last that come back of debt which lots settled that are not known."""
    late_capture_us: int = 15 * 60 * US_PER_S
    """How long after its expiry a hold may still be captured, once, as an ordinary charge."""

    usage_age_max_us: int = OCCUR_WINDOW_US
    """How long ago a usage may have been whose own time chooses its price; older usage costs what it costs now."""

    windows: Windows = field(default_factory=Windows)
    """Edges of the windows of spend limits."""

    def debt_bound(self, own_debt_max: int, overdraft_limit: int) -> int:
        """Microcredits that ALLOW_DEBT may bring one account's debt to. `own_debt_max` is what an operator set for it,
        -1 for nothing. A higher overdraft limit counts instead: REJECT may go as far."""
        return max(self.debt_max if own_debt_max < 0 else own_debt_max, overdraft_limit)


STANDARD_TERMS = SpendingTerms()


@dataclass(slots=True)
class Deducted:
    """What a deduction took; 0 where UP_TO_AVAILABLE found nothing, which is a transaction all the same."""

    transaction_id: str
    amount: int
    draws: list[Draw]
    uncollected: int = 0
    """Microcredits that were asked for and not taken: of UP_TO_AVAILABLE."""


class Short(NamedTuple):
    """How short an account is of what a deduction asks for, in microcredits."""

    affordable: int
    """What the deduction could take, overdraft or allowed debt included."""
    needed: int
    """What must be granted before all of it can be taken: the shortfall, and debt beyond its bound."""


def deduct(
    account: Account,
    amount: int,
    mode: DeductionMode,
    *,
    price_record: bytes = b"",
    advise: Callable[[Short], Mapping[str, str | int]] | None = None,
    now_us: int,
    ids: Ids,
    terms: SpendingTerms = STANDARD_TERMS,
    caller: str = "",
    description: str = "",
    metadata: str = "",
    spender_ids: Sequence[str] = (),
) -> Deducted:
    """Spends `amount` microcredits in burn-down order: above 0, or a price of 0. Raises Refusal and changes nothing
    when it can't; `advise` says what INSUFFICIENT_CREDITS says besides. A deduction that finds nothing to take is a
    transaction without entries, so that its key is spent like any other. `price_record` is kept with it. A plain amount
    of which less is taken gets one that says what was asked for."""
    if account.frozen:
        raise account_frozen()
    offered = account.spendable(now_us)
    available = max(offered - account.debt, 0)
    asked, owed = amount, 0
    if account.limits_version:
        amount = _let_through(account, spender_ids, amount, mode, terms.windows, now_us)
    if available < amount:
        if mode is DeductionMode.UP_TO_AVAILABLE:
            amount = available
        else:
            owed = amount - available
            _check_may_owe(account, amount, offered, mode, terms, advise)
    posting = Posting(account, now_us)
    if account.debt:
        posting.settle_debt()
    settled = len(posting.draws)
    taken = posting.spend(Place.USAGE, amount - owed)
    assert taken == amount - owed, "what was counted as spendable is there to be spent"
    if owed:
        posting.borrow(Place.USAGE, owed)
    transaction = posting.close(
        ids,
        TransactionKind.DEDUCTION,
        caller=caller,
        description=description,
        metadata=metadata,
        price_record=price_record or (encode_asked(asked) if amount < asked else b""),
    )
    draws = posting.draws[settled:] if settled else posting.draws
    return Deducted(transaction.transaction_id, amount, draws, asked - amount)


def _let_through(  # noqa: PLR0917 - all of one deduction
    account: Account, spender_ids: Sequence[str], amount: int, mode: DeductionMode, windows: Windows, now_us: int
) -> int:
    """What spend limits let through of `amount`. Raises SPEND_LIMIT_REACHED."""
    if mode is DeductionMode.REJECT:
        check_limits(account, spender_ids, amount, windows, now_us)
    return room(account, spender_ids, amount, windows, now_us) if mode is DeductionMode.UP_TO_AVAILABLE else amount


def _check_may_owe(  # noqa: PLR0917 - all of one deduction
    account: Account,
    amount: int,
    offered: int,
    mode: DeductionMode,
    terms: SpendingTerms,
    advise: Callable[[Short], Mapping[str, str | int]] | None,
) -> None:
    """Refuses with INSUFFICIENT_CREDITS what would bring the debt beyond its bound. `offered`: by lots, debt not
    counted."""
    available, still_owed = max(offered - account.debt, 0), max(account.debt - offered, 0)
    allowed = mode is DeductionMode.ALLOW_DEBT
    bound = terms.debt_bound(account.debt_max, account.overdraft_limit) if allowed else account.overdraft_limit
    shortfall = amount - available - max(bound - still_owed, 0)
    if shortfall > 0:
        short = Short(amount - shortfall, shortfall + max(still_owed - bound, 0))
        raise insufficient_credits(
            available=available,
            required=amount,
            shortfall=shortfall,
            debt_max=bound if allowed else None,
            more=advise(short) if advise else {},
        )
