"""From the domain's values to the wire's messages. Nothing is decided here."""

from collections.abc import Iterable
from typing import Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp
from prepaid.billing.v1 import (
    accounts_pb2,
    purchases_pb2,
    referrals_pb2,
    refunds_pb2,
    spend_limits_pb2,
    transactions_pb2,
)

from billing_service.domain.accounts.profiles import StoredAccount
from billing_service.domain.catalogue.packages import CustomAmounts, Package
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.entries import Draw, Transaction, moved_of_lots
from billing_service.domain.promotions.referrals import Referral
from billing_service.domain.sales.disputes import Dispute
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.refunds import Refund
from billing_service.domain.spending.limits import Standing
from billing_service.domain.spending.receipts import charge_of
from billing_service.domain.times import US_PER_S

_PURCHASE_STATUS = {
    name.removeprefix("PURCHASE_STATUS_"): number for name, number in purchases_pb2.PurchaseStatus.items()
}
_REFUND_STATUS = {name.removeprefix("REFUND_STATUS_"): number for name, number in refunds_pb2.RefundStatus.items()}
_REFERRAL_STATE = {name.removeprefix("REFERRAL_STATE_"): number for name, number in referrals_pb2.ReferralState.items()}


def timestamp(time_us: int | None) -> Timestamp | None:
    """Microseconds since 1970 as a timestamp; None stays absent."""
    if time_us is None:
        return None
    return Timestamp(seconds=time_us // US_PER_S, nanos=time_us % US_PER_S * 1_000)


def metadata(text: str) -> dict[str, str] | None:
    """Metadata as it is kept."""
    return orjson.loads(text) if text else None


def balance(shown: Balance) -> accounts_pb2.Balance:
    message = accounts_pb2.Balance()
    put_balance(message, shown)
    return message


def put_balance(message: accounts_pb2.Balance, shown: Balance) -> None:
    """Fills a message where it is: one that is handed to another message is copied by way of its bytes."""
    message.account_id = shown.account_id
    message.available_microcredits = shown.available
    message.held_microcredits = shown.held
    message.frozen_microcredits = shown.frozen
    message.debt_microcredits = shown.debt
    message.promotional_microcredits = shown.promotional
    message.plan_microcredits = shown.plan
    message.paid_microcredits = shown.paid
    if shown.next_expiry_us is not None:
        message.next_expiry_time.seconds = shown.next_expiry_us // US_PER_S
        message.next_expiry_time.nanos = shown.next_expiry_us % US_PER_S * 1_000
        message.next_expiry_microcredits = shown.next_expiry_amount
    message.account_version = shown.version


def balance_as_read(shown: Balance) -> accounts_pb2.Balance:
    """With its time, which answers to changes go without: theirs is the change's."""
    message = balance(shown)
    message.as_of_time.seconds, micros = divmod(shown.as_of_us, US_PER_S)
    message.as_of_time.nanos = micros * 1_000
    return message


def draws(drawn: Iterable[Draw]) -> list[transactions_pb2.Draw]:
    return [_draw(lot_id, category, amount) for lot_id, category, amount in drawn]


def _draw(lot_id: str, category: int, amount: int) -> transactions_pb2.Draw:
    shown: Any = category  # the stub asks for its enum, which is a plain number at run time
    return transactions_pb2.Draw(lot_id=lot_id, category=shown, amount_microcredits=amount)


def account(row: StoredAccount) -> accounts_pb2.Account:
    profile = row.profile
    return accounts_pb2.Account(
        account_id=profile.account_id,
        email=profile.email,
        name=profile.name,
        referral_code=profile.referral_code,
        metadata=metadata(profile.metadata),
        stripe_customer_id=profile.stripe_customer_id,
        frozen=row.frozen,
        overdraft_limit_microcredits=row.overdraft_limit,
        create_time=timestamp(row.create_time_us),
        account_version=row.version,
        debt_max_microcredits=row.debt_max,
        balance_microcredits=row.balance,
        debt_microcredits=row.debt,
        low_balance_microcredits=row.low_balance,
    )


def transaction(posted: Transaction, categories: dict[str, int]) -> transactions_pb2.Transaction:
    """A transaction read from the ledger, with the category of each lot that it touched."""
    touched = [
        _draw(lot_id, categories[lot_id], amount) for entry in posted.entries for lot_id, amount in moved_of_lots(entry)
    ]
    charge = charge_of(posted)
    return transactions_pb2.Transaction(
        transaction_id=posted.transaction_id,
        account_id=posted.account_id,
        account_version=posted.version,
        kind=posted.kind,  # type: ignore[arg-type]
        amount_microcredits=posted.amount,
        balance_after_microcredits=posted.balance_after,
        draws=touched,
        description=posted.description,
        metadata=metadata(posted.metadata),
        source_id=posted.source_id,
        create_time=timestamp(posted.create_time_us),
        charge_microcredits=charge.amount if charge else 0,
        uncollected_microcredits=charge.uncollected if charge else 0,
        priced=charge is not None and charge.priced is not None,
        effective_time=timestamp(posted.effective_time_us or None),
    )


def spend_limits(limits: Iterable[Standing]) -> list[spend_limits_pb2.SpendLimit]:
    return [spend_limit(each) for each in limits]


def spend_limit(stands: Standing) -> spend_limits_pb2.SpendLimit:
    """A limit as it stands."""
    window: Any = stands.limit.window
    return spend_limits_pb2.SpendLimit(
        spender_id=stands.limit.spender_id,
        window=window,
        limit_microcredits=stands.limit.amount_max,
        used_microcredits=stands.used,
        left_microcredits=stands.left,
        reset_time=timestamp(stands.reset_us),
    )


def package(on_sale: Package, custom: CustomAmounts | None) -> purchases_pb2.Package:
    return purchases_pb2.Package(
        code=on_sale.code,
        name=on_sale.name,
        description=on_sale.description,
        credits_microcredits=on_sale.credits_microcredits,
        price_minor=on_sale.price_minor,
        currency=on_sale.currency,
        discount_percent=on_sale.discount_percent(custom),
        display_order=on_sale.display_order,
    )


def purchase(kept: Purchase, refund_pending_minor: int = 0) -> purchases_pb2.Purchase:
    return purchases_pb2.Purchase(
        purchase_id=kept.purchase_id,
        account_id=kept.account_id,
        package_code=kept.package_code,
        credits_microcredits=kept.credits,
        amount_minor=kept.amount_minor,
        currency=kept.currency,
        status=_PURCHASE_STATUS[kept.status.value],
        checkout_session_id=kept.checkout_session_id,
        checkout_url=kept.checkout_url,
        payment_intent_id=kept.payment_intent_id,
        refunded_minor=kept.refunded_minor,
        create_time=timestamp(kept.create_time_us),
        expire_time=timestamp(kept.expire_time_us),
        complete_time=timestamp(kept.complete_time_us),
        metadata=metadata(kept.metadata),
        paid_minor=kept.paid_minor,
        reversed_microcredits=kept.reversed,
        refund_pending_minor=refund_pending_minor,
        disputed_minor=kept.disputed_minor,
        flags=[purchases_pb2.PurchaseFlag.Value(f"PURCHASE_FLAG_{flag.name}") for flag in kept.flags],
    )


def dispute(kept: Dispute) -> purchases_pb2.Dispute:
    return purchases_pb2.Dispute(
        dispute_id=kept.dispute_id,
        amount_minor=kept.amount_minor,
        status=purchases_pb2.DisputeStatus.Value(f"DISPUTE_STATUS_{kept.status.value}"),
        reason=kept.reason,
        out_minor=kept.out_minor,
        due_time=timestamp(kept.due_time_us),
        create_time=timestamp(kept.create_time_us),
    )


def refund(kept: Refund) -> refunds_pb2.Refund:
    return refunds_pb2.Refund(
        refund_id=kept.refund_id,
        purchase_id=kept.purchase_id,
        amount_minor=kept.amount_minor,
        currency=kept.currency,
        reversed_microcredits=kept.taken,
        debt_microcredits=kept.debt,
        status=_REFUND_STATUS[kept.status.value],
        stripe_refund_id=kept.stripe_refund_id,
        reason=kept.reason,
        create_time=timestamp(kept.create_time_us),
        account_id=kept.account_id,
        bonus_microcredits=kept.bonus,
    )


def referral(kept: Referral) -> referrals_pb2.Referral:
    return referrals_pb2.Referral(
        referrer_account_id=kept.referrer_account_id,
        referee_account_id=kept.account_id,
        state=_REFERRAL_STATE[kept.state.value],
        bonus_microcredits=kept.bonus,
        create_time=timestamp(kept.create_time_us),
        purchase_id=kept.purchase_id,
        reward_time=timestamp(kept.reward_time_us),
    )
