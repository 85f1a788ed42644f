"""Derived by derive_async.py; change its blocking twin instead. Accounts, statements, spending and referrals."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from prepaid.billing.v1.accounts_pb2 import (
    CreateAccountRequest,
    CreateAccountResponse,
    GetAccountRequest,
    GetAccountResponse,
    GetBalanceRequest,
    GetBalanceResponse,
)
from prepaid.billing.v1.referrals_pb2 import ApplyReferralRequest, ApplyReferralResponse, GetReferralRequest, GetReferralResponse
from prepaid.billing.v1.transactions_pb2 import (
    DEDUCTION_MODE_REJECT,
    TRANSACTION_KIND_UNSPECIFIED,
    DeductCreditsRequest,
    DeductCreditsResponse,
    DeductionMode,
    ListTransactionsRequest,
    ListTransactionsResponse,
    ReverseDeductionRequest,
    ReverseDeductionResponse,
    Transaction,
    TransactionKind,
)

from billing_client.asynchronous.connection import Connection
from billing_client.deductions import BatchRounds, Deduction
from billing_client.errors import BillingError
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.timestamps import timestamp_of


class AccountMethods(Connection):
    async def create_account(
        self,
        *,
        account_id: str,
        email: str = "",
        name: str = "",
        referral_code: str = "",
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CreateAccountResponse:
        """Make an account, and its Stripe customer where Stripe answers. AccountExists when the id is taken."""
        request = CreateAccountRequest(
            account_id=account_id,
            email=email,
            name=name,
            referral_code=referral_code,
            metadata=metadata,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._billing.CreateAccount, request, timeout_s, headers)

    async def get_account(self, *, account_id: str, timeout_s: float | None = None, headers: Headers | None = None) -> GetAccountResponse:
        """Read an account. AccountNotFound when there is none."""
        return await self._call(self._billing.GetAccount, GetAccountRequest(account_id=account_id), timeout_s, headers)

    async def get_balance(self, *, account_id: str, timeout_s: float | None = None, headers: Headers | None = None) -> GetBalanceResponse:
        """Read a balance: after every deduction that was acknowledged before this call began."""
        return await self._call(self._billing.GetBalance, GetBalanceRequest(account_id=account_id), timeout_s, headers)

    async def list_transactions(
        self,
        *,
        account_id: str,
        kind: TransactionKind.ValueType = TRANSACTION_KIND_UNSPECIFIED,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListTransactionsResponse:
        """Read one page of a statement, newest first: from `start_time` on, before `end_time`. See `iter_transactions`."""
        request = ListTransactionsRequest(
            account_id=account_id,
            kind=kind,
            start_time=timestamp_of(start_time),
            end_time=timestamp_of(end_time),
            page_size=page_size,
            page_token=page_token,
        )
        return await self._call(self._billing.ListTransactions, request, timeout_s, headers)

    async def iter_transactions(
        self,
        *,
        account_id: str,
        kind: TransactionKind.ValueType = TRANSACTION_KIND_UNSPECIFIED,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AsyncIterator[Transaction]:
        """Read a statement, newest first, page by page as it is consumed; `timeout_s` is for each page."""
        page_token = ""
        while True:
            page = await self.list_transactions(
                account_id=account_id,
                kind=kind,
                start_time=start_time,
                end_time=end_time,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            for item in page.transactions:
                yield item
            page_token = page.next_page_token
            if not page_token:
                return

    async def deduct_credits(
        self,
        *,
        account_id: str,
        amount_microcredits: int,
        mode: DeductionMode.ValueType = DEDUCTION_MODE_REJECT,
        description: str = "",
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> DeductCreditsResponse:
        """Spend credits; durable when it returns. InsufficientCredits when they are short and `mode` is REJECT."""
        request = DeductCreditsRequest(
            account_id=account_id,
            amount_microcredits=amount_microcredits,
            mode=mode,
            description=description,
            metadata=metadata,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._billing.DeductCredits, request, timeout_s, headers)

    async def batch_deduct_credits(
        self, *, deductions: Sequence[Deduction], timeout_s: float | None = None, headers: Headers | None = None
    ) -> list[DeductCreditsResponse | BillingError]:
        """Spend credits up to 1,000 times in one call; each stands or falls alone, and is durable when this returns.

        Answers in their order: the answer of each, or the error that `deduct_credits` would have raised for it. Those that are answered
        UNAVAILABLE are sent again within the time. Raises only when nothing is known of any of them; call again with the same deductions, which have kept their keys.
        """
        rounds = BatchRounds(deductions, timeout_s)
        while rounds.pause_s is not None:
            await self._pause(rounds.pause_s)
            try:
                answer = await self._call(self._billing.BatchDeductCredits, rounds.request(), rounds.remaining_s, headers)
            except BillingError as failure:
                rounds.failed(failure)
            else:
                rounds.answered(answer)
        return rounds.results()

    async def reverse_deduction(
        self,
        *,
        account_id: str,
        transaction_id: str,
        amount_microcredits: int | None = None,
        reason: str = "",
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ReverseDeductionResponse:
        """Undo a deduction, whole (no amount) or in part."""
        request = ReverseDeductionRequest(
            account_id=account_id,
            transaction_id=transaction_id,
            amount_microcredits=amount_microcredits,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._billing.ReverseDeduction, request, timeout_s, headers)

    async def apply_referral(
        self,
        *,
        account_id: str,
        referral_code: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ApplyReferralResponse:
        """Bind an account to its referrer, before its first completed purchase."""
        request = ApplyReferralRequest(account_id=account_id, referral_code=referral_code, idempotency_key=key_or_new(idempotency_key))
        return await self._call(self._billing.ApplyReferral, request, timeout_s, headers)

    async def get_referral(self, *, account_id: str, timeout_s: float | None = None, headers: Headers | None = None) -> GetReferralResponse:
        """Read an account's side of the referral programme."""
        return await self._call(self._billing.GetReferral, GetReferralRequest(account_id=account_id), timeout_s, headers)
