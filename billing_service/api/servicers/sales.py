"""BillingService, selling: accounts, packages, purchases, refunds, referrals."""

from collections.abc import Callable
from functools import partial

from prepaid.billing.v1 import accounts_pb2, purchases_pb2, referrals_pb2, refunds_pb2

from billing_service.api import translate, validation
from billing_service.api.client_secrets import secret_behind
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of, request_of_found
from billing_service.commands.accounts.create_account import CreateAccount, create_account
from billing_service.commands.accounts.read import get_account, referral_side
from billing_service.commands.accounts.update_account import UpdateAccount, update_account
from billing_service.commands.environment import Environment
from billing_service.commands.promotions.apply_referral import ApplyReferral, apply_referral
from billing_service.commands.sales.cancel_purchase import CancelPurchase, cancel_purchase
from billing_service.commands.sales.create_purchase import CreatePurchase, create_purchase
from billing_service.commands.sales.get_purchase import purchases_of, shown_purchase
from billing_service.commands.sales.get_refund import account_refunds, refund_by_id
from billing_service.commands.sales.refund import RefundPurchase, quote_refund, refund_purchase
from billing_service.domain.accounts.profiles import StoredAccount
from billing_service.domain.catalogue.packages import PurchaseItem
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.promotions.referrals import Referral
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.access import account_not_allowed
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.refunds import Refund
from billing_service.domain.sales.reversals import RefundPolicy
from billing_service.ledger.unit import Request
from billing_service.stripe_events.follow import follow_asked

AMOUNT_MINOR_MAX = 10**15
"""Of money, in the currency's smallest unit: no purchase was ever larger."""
_FLOWS = frozenset(purchases_pb2.PaymentFlow.values())
_POLICIES = {
    refunds_pb2.REFUND_POLICY_UNSPECIFIED: RefundPolicy.UNUSED_ONLY,
    refunds_pb2.REFUND_POLICY_UNUSED_ONLY: RefundPolicy.UNUSED_ONLY,
    refunds_pb2.REFUND_POLICY_WITH_DEBT: RefundPolicy.WITH_DEBT,
}
_account_made = Replies(accounts_pb2.CreateAccountResponse)
_account_updated = Replies(accounts_pb2.UpdateAccountResponse)
_purchase_made = Replies(purchases_pb2.CreatePurchaseResponse)
_purchase_canceled = Replies(purchases_pb2.CancelPurchaseResponse)
_refunded = Replies(refunds_pb2.RefundResponse)
_referred = Replies(referrals_pb2.ApplyReferralResponse)


def _encode_account(row: StoredAccount) -> bytes:
    return accounts_pb2.CreateAccountResponse(account=translate.account(row)).SerializeToString()


def _encode_updated(row: StoredAccount) -> bytes:
    return accounts_pb2.UpdateAccountResponse(account=translate.account(row)).SerializeToString()


def _encode_purchase(kept: Purchase) -> bytes:
    return purchases_pb2.CreatePurchaseResponse(purchase=translate.purchase(kept)).SerializeToString()


def _encode_canceled(kept: Purchase) -> bytes:
    return purchases_pb2.CancelPurchaseResponse(purchase=translate.purchase(kept)).SerializeToString()


def _encode_refund(kept: Refund, shown: Balance) -> bytes:
    return refunds_pb2.RefundResponse(
        refund=translate.refund(kept), balance=translate.balance(shown)
    ).SerializeToString()


def _encode_referral(kept: Referral) -> bytes:
    return referrals_pb2.ApplyReferralResponse(referral=translate.referral(kept)).SerializeToString()


def _refund_amount(request: refunds_pb2.QuoteRefundRequest | refunds_pb2.RefundRequest) -> int | None:
    """None: all that the policy allows."""
    if not request.HasField("amount_minor"):
        return None
    return validation.positive("amount_minor", request.amount_minor, AMOUNT_MINOR_MAX)


def _policy(value: int) -> RefundPolicy:
    policy = _POLICIES.get(value)  # type: ignore[call-overload]
    if policy is None:
        raise invalid_field("policy", "is a value that this service does not know")
    return policy  # type: ignore[no-any-return]


class Selling:
    """Methods of BillingService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret

    async def create_account(self, request: accounts_pb2.CreateAccountRequest, call: Call) -> bytes:
        if request.stripe_customer_id and call.account_ids:  # until then the customer is of none of its accounts
            raise account_not_allowed()
        account_id = validation.account_id(request.account_id)
        name = validation.name(request.name)
        code = validation.text("referral_code", request.referral_code)
        metadata = validation.metadata_text(request.metadata)
        customer_id = validation.stripe_customer_id(request.stripe_customer_id)
        # What an older program was asked without it has the same fingerprint here.
        asked = (request.email, name, code.strip(" ").upper(), metadata, *([customer_id] if customer_id else []))
        keyed = request_of(call, account_id, request.idempotency_key, *asked)
        command = CreateAccount(
            keyed, account_id, request.email, validation.email, name, code, metadata, customer_id, _encode_account
        )
        return _account_made(await create_account(self._environment, command))

    async def update_account(self, request: accounts_pb2.UpdateAccountRequest, call: Call) -> bytes:
        account_id = validation.account_id(request.account_id)
        email = validation.email(request.email) if request.HasField("email") else None
        name = validation.name(request.name) if request.HasField("name") else None
        metadata = validation.metadata_text(request.metadata.entries) if request.HasField("metadata") else None
        low_balance = request.low_balance_microcredits if request.HasField("low_balance_microcredits") else None
        if low_balance is not None and not 0 <= low_balance <= AMOUNT_MAX:
            raise invalid_field("low_balance_microcredits", f"must be from 0 to {AMOUNT_MAX}")
        if email is name is metadata is None and low_balance is None:
            raise invalid_field("email", "or another field is required: this changes nothing")
        # What an older program was asked without it has the same fingerprint here.
        asked = (email, name, metadata) if low_balance is None else (email, name, metadata, low_balance)
        keyed = request_of(call, account_id, request.idempotency_key, *asked)
        command = UpdateAccount(keyed, account_id, email, name, metadata, low_balance, _encode_updated)
        return _account_updated(await update_account(self._environment, command))

    async def get_account(self, request: accounts_pb2.GetAccountRequest, call: Call) -> accounts_pb2.GetAccountResponse:
        del call
        row, limits = await get_account(self._environment, validation.account_id(request.account_id))
        return accounts_pb2.GetAccountResponse(
            account=translate.account(row), spend_limits=translate.spend_limits(limits)
        )

    async def list_packages(
        self, request: purchases_pb2.ListPackagesRequest, call: Call
    ) -> purchases_pb2.ListPackagesResponse:
        del request, call
        on_sale, custom = self._environment.catalog.on_sale, self._environment.terms.custom_amounts
        return purchases_pb2.ListPackagesResponse(packages=[translate.package(package, custom) for package in on_sale])

    async def create_purchase(self, request: purchases_pb2.CreatePurchaseRequest, call: Call) -> bytes:
        account_id = validation.account_id(request.account_id)
        item = self._item(request)
        flow = validation.known_value("payment_flow", request.payment_flow, _FLOWS)
        by_intent = flow == purchases_pb2.PAYMENT_FLOW_PAYMENT_INTENT
        for field in ("success_url", "cancel_url"):
            if by_intent and getattr(request, field):
                raise invalid_field(field, "may not be set where the customer pays in a page of yours")
        success_url = validation.url("success_url", request.success_url)
        cancel_url = validation.url("cancel_url", request.cancel_url)
        metadata = validation.metadata_text(request.metadata)
        key = validation.idempotency_key(request.idempotency_key)
        which = (request.package_code, request.custom_amount_minor)

        def request_in(currency: str) -> Request:
            # What an older program was asked for a checkout has the same fingerprint here.
            asked = (*which, request.currency or currency, success_url, cancel_url, metadata)
            return request_of(call, account_id, key, *asked, *(["PAYMENT_INTENT"] if by_intent else []))

        command = CreatePurchase(
            request_in, account_id, item, success_url, cancel_url, metadata, _encode_purchase, by_intent
        )
        reply = _purchase_made(await create_purchase(self._environment, command))
        return reply + await secret_behind(self._environment, reply) if by_intent else reply

    def _item(self, request: purchases_pb2.CreatePurchaseRequest) -> Callable[[], PurchaseItem]:
        catalog, custom_amounts = self._environment.catalog, self._environment.terms.custom_amounts
        chosen = request.WhichOneof("item")
        if chosen is None:
            raise invalid_field("item", "package_code or custom_amount_minor is required")
        if chosen == "package_code":
            validation.identifier("package_code", request.package_code)

        def item() -> PurchaseItem:
            catalog.require_currency(request.currency)
            if chosen == "package_code":
                return catalog.package_item(request.package_code)
            return catalog.custom_item(request.custom_amount_minor, custom_amounts)

        return item

    async def get_purchase(
        self, request: purchases_pb2.GetPurchaseRequest, call: Call
    ) -> purchases_pb2.GetPurchaseResponse:
        field = request.WhichOneof("id")
        if field is None:
            raise invalid_field("id", "purchase_id or checkout_session_id is required")
        reference = validation.identifier(field, getattr(request, field))
        sold, disputes = await shown_purchase(self._environment, reference)
        call.require_account(sold.purchase.account_id)
        return purchases_pb2.GetPurchaseResponse(
            purchase=translate.purchase(*sold), disputes=[translate.dispute(each) for each in disputes]
        )

    async def list_purchases(
        self, request: purchases_pb2.ListPurchasesRequest, call: Call
    ) -> purchases_pb2.ListPurchasesResponse:
        del call
        account_id = validation.account_id(request.account_id)
        size, binding, secret = (
            validation.page_size(request.page_size),
            ("purchases", account_id),
            self._page_token_secret,
        )
        before = decode_page_token(secret, request.page_token, binding) if request.page_token else ""
        page, last = await purchases_of(self._environment, account_id, before, size)
        return purchases_pb2.ListPurchasesResponse(
            purchases=[translate.purchase(*sold) for sold in page],
            next_page_token=encode_page_token(secret, last, binding) if last else "",
        )

    async def cancel_purchase(self, request: purchases_pb2.CancelPurchaseRequest, call: Call) -> bytes:
        purchase_id = validation.identifier("purchase_id", request.purchase_id)
        key = validation.idempotency_key(request.idempotency_key)
        command = CancelPurchase(
            lambda account_id: request_of_found(call, account_id, key, purchase_id),
            purchase_id,
            _encode_canceled,
            partial(follow_asked, self._environment),
        )
        return _purchase_canceled(await cancel_purchase(self._environment, command))

    async def quote_refund(
        self, request: refunds_pb2.QuoteRefundRequest, call: Call
    ) -> refunds_pb2.QuoteRefundResponse:
        purchase_id, policy = validation.identifier("purchase_id", request.purchase_id), _policy(request.policy)
        quote, currency = await quote_refund(
            self._environment, purchase_id, policy, _refund_amount(request), call.require_account
        )
        return refunds_pb2.QuoteRefundResponse(
            refundable_minor=quote.refundable_minor,
            currency=currency,
            reversed_microcredits=quote.reversed_microcredits,
            debt_microcredits=quote.debt_microcredits,
            bonus_microcredits=quote.bonus_microcredits,
        )

    async def refund(self, request: refunds_pb2.RefundRequest, call: Call) -> bytes:
        purchase_id = validation.identifier("purchase_id", request.purchase_id)
        amount = _refund_amount(request)
        policy = _policy(request.policy)
        reason = validation.text("reason", request.reason)
        key = validation.idempotency_key(request.idempotency_key)

        def keyed(account_id: str) -> Request:
            return request_of_found(call, account_id, key, purchase_id, amount, policy.value, reason)

        command = RefundPurchase(keyed, purchase_id, amount, policy, reason, _encode_refund)
        return _refunded(await refund_purchase(self._environment, command))

    async def get_refund(self, request: refunds_pb2.GetRefundRequest, call: Call) -> refunds_pb2.GetRefundResponse:
        kept = await refund_by_id(self._environment, validation.identifier("refund_id", request.refund_id))
        call.require_account(kept.account_id)
        return refunds_pb2.GetRefundResponse(refund=translate.refund(kept))

    async def list_refunds(
        self, request: refunds_pb2.ListRefundsRequest, call: Call
    ) -> refunds_pb2.ListRefundsResponse:
        del call
        account_id = validation.account_id(request.account_id)
        purchase_id = validation.identifier("purchase_id", request.purchase_id) if request.purchase_id else ""
        size, binding, secret = (
            validation.page_size(request.page_size),
            ("refunds", account_id, purchase_id),
            self._page_token_secret,
        )
        before = decode_page_token(secret, request.page_token, binding) if request.page_token else ""
        page, last = await account_refunds(self._environment, account_id, purchase_id, before, size)
        return refunds_pb2.ListRefundsResponse(
            refunds=[translate.refund(kept) for kept in page],
            next_page_token=encode_page_token(secret, last, binding) if last else "",
        )

    async def apply_referral(self, request: referrals_pb2.ApplyReferralRequest, call: Call) -> bytes:
        account_id = validation.account_id(request.account_id)
        code = validation.identifier("referral_code", request.referral_code)
        keyed = request_of(call, account_id, request.idempotency_key, code.strip(" ").upper())
        return _referred(
            await apply_referral(self._environment, ApplyReferral(keyed, account_id, code, _encode_referral))
        )

    async def get_referral(
        self, request: referrals_pb2.GetReferralRequest, call: Call
    ) -> referrals_pb2.GetReferralResponse:
        del call
        side = await referral_side(self._environment, validation.account_id(request.account_id))
        return referrals_pb2.GetReferralResponse(
            referral_code=side.code,
            referral=translate.referral(side.referral) if side.referral else None,
            pending_count=side.pending,
            rewarded_count=side.rewarded,
            total_count=side.total,
            earned_microcredits=side.earned,
        )
