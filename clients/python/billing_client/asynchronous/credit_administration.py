"""Derived by derive_async.py; change its blocking twin instead. What operators do to accounts: grants, corrections, limits, audit and proof."""

from collections.abc import AsyncIterator
from datetime import datetime

from prepaid.billing.v1.accounts_pb2 import Account
from prepaid.billing.v1.admin_pb2 import (
    AdjustCreditsRequest,
    AdjustCreditsResponse,
    FreezeAccountRequest,
    FreezeAccountResponse,
    GrantCreditsRequest,
    GrantCreditsResponse,
    ListAccountsRequest,
    ListAccountsResponse,
    SetOverdraftLimitRequest,
    SetOverdraftLimitResponse,
    VerifyLedgerRequest,
    VerifyLedgerResponse,
)
from prepaid.billing.v1.audit_pb2 import AuditRecord, ListAuditRecordsRequest, ListAuditRecordsResponse
from prepaid.billing.v1.transactions_pb2 import CREDIT_CATEGORY_PROMOTIONAL, CreditCategory

from billing_client.asynchronous.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.timestamps import timestamp_of


class CreditAdministrationMethods(Connection):
    async def grant_credits(
        self,
        *,
        account_id: str,
        amount_microcredits: int,
        reason: str,
        category: CreditCategory.ValueType = CREDIT_CATEGORY_PROMOTIONAL,
        expire_time: datetime | None = None,
        effective_time: datetime | None = None,
        priority: int | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> GrantCreditsResponse:
        """Give credits. A missing account is made."""
        request = GrantCreditsRequest(
            account_id=account_id,
            amount_microcredits=amount_microcredits,
            category=category,
            expire_time=timestamp_of(expire_time),
            effective_time=timestamp_of(effective_time),
            priority=priority,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._admin.GrantCredits, request, timeout_s, headers)

    async def adjust_credits(
        self,
        *,
        account_id: str,
        amount_microcredits: int,
        reason: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AdjustCreditsResponse:
        """Correct a balance, up or, with a negative amount, down."""
        request = AdjustCreditsRequest(
            account_id=account_id,
            amount_microcredits=amount_microcredits,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._admin.AdjustCredits, request, timeout_s, headers)

    async def freeze_account(
        self,
        *,
        account_id: str,
        frozen: bool,
        reason: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> FreezeAccountResponse:
        """Freeze an account, or thaw it with `frozen=False`."""
        request = FreezeAccountRequest(
            account_id=account_id,
            frozen=frozen,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._admin.FreezeAccount, request, timeout_s, headers)

    async def set_overdraft_limit(
        self,
        *,
        account_id: str,
        overdraft_limit_microcredits: int,
        reason: str,
        debt_max_microcredits: int | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> SetOverdraftLimitResponse:
        """Set how far an account may go into debt: by ordinary deductions, and, with `debt_max_microcredits`, by those that allow debt
        (-1: as far as the service's setting says again; None: unchanged)."""
        request = SetOverdraftLimitRequest(
            account_id=account_id,
            overdraft_limit_microcredits=overdraft_limit_microcredits,
            debt_max_microcredits=debt_max_microcredits,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._admin.SetOverdraftLimit, request, timeout_s, headers)

    async def list_accounts(
        self, *, page_size: int = 0, page_token: str = "", timeout_s: float | None = None, headers: Headers | None = None
    ) -> ListAccountsResponse:
        """Read one page of all accounts, by id. See `iter_accounts`."""
        request = ListAccountsRequest(page_size=page_size, page_token=page_token)
        return await self._call(self._admin.ListAccounts, request, timeout_s, headers)

    async def iter_accounts(
        self,
        *,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AsyncIterator[Account]:
        """Read all accounts, by id, page by page as they are consumed; `timeout_s` is for each page."""
        page_token = ""
        while True:
            page = await self.list_accounts(page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers)
            for item in page.accounts:
                yield item
            page_token = page.next_page_token
            if not page_token:
                return

    async def list_audit_records(
        self,
        *,
        account_id: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListAuditRecordsResponse:
        """Read one page of the audit log, newest first, of one account or of all. See `iter_audit_records`."""
        request = ListAuditRecordsRequest(account_id=account_id, page_size=page_size, page_token=page_token)
        return await self._call(self._admin.ListAuditRecords, request, timeout_s, headers)

    async def iter_audit_records(
        self,
        *,
        account_id: str = "",
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AsyncIterator[AuditRecord]:
        """Read the audit log, newest first, page by page as it is consumed; `timeout_s` is for each page."""
        page_token = ""
        while True:
            page = await self.list_audit_records(
                account_id=account_id, page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers
            )
            for item in page.records:
                yield item
            page_token = page.next_page_token
            if not page_token:
                return

    async def verify_ledger(
        self, *, account_id: str = "", timeout_s: float | None = None, headers: Headers | None = None
    ) -> VerifyLedgerResponse:
        """Recompute balances from the ledger, of one account or of all, and read every difference."""
        return await self._call(self._admin.VerifyLedger, VerifyLedgerRequest(account_id=account_id), timeout_s, headers)
