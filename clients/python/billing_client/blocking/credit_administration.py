"""What operators do to accounts: grants, corrections,
limits, audit and proof."""

from collections.abc import Iterator
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

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message
from billing_client.timestamps import timestamp_of


class CreditAdministrationMethods(Connection):
    def grant_credits(
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
        """Give credits. A missing account is made.

        `amount_microcredits`: 1 to 10^15.
        `reason`: for history and audit log, 1 to 500 characters.
        `category`: PROMOTIONAL unless said otherwise.
        `expire_time`: in the future; None: never.
        `effective_time`: when they become spendable; None: at once. Both carry their zone.
        `priority`: 0 to 100, 0 is spent first; None: 50.
        Raises BalanceLimitReached, ValueError for a time without a zone.

            until = datetime.now(UTC) + timedelta(days=30)
            given = client.grant_credits(
                account_id="user-1", amount_microcredits=5_000_000, reason="welcome", expire_time=until
            )
            print(given.lot_id, given.balance.promotional_microcredits)
        """
        request = message(
            GrantCreditsRequest,
            account_id=account_id,
            amount_microcredits=amount_microcredits,
            category=category,
            expire_time=timestamp_of(expire_time),
            effective_time=timestamp_of(effective_time),
            priority=priority,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._admin.GrantCredits, request, timeout_s, headers)

    def adjust_credits(
        self,
        *,
        account_id: str,
        amount_microcredits: int,
        reason: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> AdjustCreditsResponse:
        """Correct a balance, up or, with a negative amount, down.

        `amount_microcredits`: not 0, at most 10^15 either way.
        `reason`: for history and audit log, 1 to 500 characters.
        Raises AccountNotFound, InsufficientCredits, BalanceLimitReached.

            adjusted = client.adjust_credits(account_id="user-1", amount_microcredits=-1_000, reason="late")
            print(adjusted.transaction_id, adjusted.balance.available_microcredits)
        """
        request = message(
            AdjustCreditsRequest,
            account_id=account_id,
            amount_microcredits=amount_microcredits,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._admin.AdjustCredits, request, timeout_s, headers)

    def freeze_account(
        self,
        *,
        account_id: str,
        frozen: bool,
        reason: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> FreezeAccountResponse:
        """Freeze an account, or thaw it. A frozen account spends nothing; money that arrives still brings its
        credits.

        `frozen`: False thaws; setting what is set is fine.
        `reason`: for the audit log, 1 to 500 characters.
        Raises AccountNotFound.

            client.freeze_account(account_id="user-1", frozen=True, reason="stolen card")
            client.freeze_account(account_id="user-1", frozen=False, reason="cleared")
        """
        request = message(
            FreezeAccountRequest,
            account_id=account_id,
            frozen=frozen,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._admin.FreezeAccount, request, timeout_s, headers)

    def set_overdraft_limit(
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
        """Set how far an account may go into debt. Debt above a lowered limit stays, and blocks spending.

        `overdraft_limit_microcredits`: by ordinary deductions, 0 to 10^15.
        `debt_max_microcredits`: by deductions with ALLOW_DEBT, 0 to 10^15; -1 is the service's setting again, None
        leaves it.
        `reason`: for the audit log, 1 to 500 characters.
        Raises AccountNotFound.

            limited = client.set_overdraft_limit(
                account_id="user-1", overdraft_limit_microcredits=2_000_000, reason="terms"
            )
            print(limited.account.overdraft_limit_microcredits)
        """
        request = message(
            SetOverdraftLimitRequest,
            account_id=account_id,
            overdraft_limit_microcredits=overdraft_limit_microcredits,
            debt_max_microcredits=debt_max_microcredits,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._admin.SetOverdraftLimit, request, timeout_s, headers)

    def list_accounts(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListAccountsResponse:
        """Read one page of all accounts, by id. See `iter_accounts`, which reads all pages.

        `balance_microcredits` of each is as last booked; `get_balance` says what may be spent.

            page = client.list_accounts(page_size=10)
            print([account.account_id for account in page.accounts], page.next_page_token)
        """
        request = message(ListAccountsRequest, page_size=page_size, page_token=page_token)
        return self._call(self._admin.ListAccounts, request, timeout_s, headers)

    def iter_accounts(
        self,
        *,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[Account]:
        """Read all accounts, by id, page by page as they are consumed; `timeout_s` is for each page.

        `balance_microcredits` of each is as last booked; `get_balance` says what may be spent.

            for account in client.iter_accounts():
                print(account.account_id, account.balance_microcredits)
        """
        page_token = ""
        while True:
            page = self.list_accounts(page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers)
            yield from page.accounts
            page_token = page.next_page_token
            if not page_token:
                return

    def list_audit_records(
        self,
        *,
        account_id: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListAuditRecordsResponse:
        """Read one page of the audit log, newest first. See `iter_audit_records`, which reads all pages.

        `account_id`: only what concerns it; empty: everything.

            page = client.list_audit_records(account_id="user-1", page_size=10)
            print([record.method for record in page.records])
        """
        request = message(ListAuditRecordsRequest, account_id=account_id, page_size=page_size, page_token=page_token)
        return self._call(self._admin.ListAuditRecords, request, timeout_s, headers)

    def iter_audit_records(
        self,
        *,
        account_id: str = "",
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[AuditRecord]:
        """Read the audit log, newest first, page by page as it is consumed; `timeout_s` is for each page.

        `account_id`: only what concerns it; empty: everything.

            for record in client.iter_audit_records(account_id="user-1"):
                print(record.create_time.ToDatetime(), record.caller, record.method, record.detail)
        """
        page_token = ""
        while True:
            page = self.list_audit_records(
                account_id=account_id, page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers
            )
            yield from page.records
            page_token = page.next_page_token
            if not page_token:
                return

    def verify_ledger(
        self,
        *,
        account_id: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> VerifyLedgerResponse:
        """Recompute balances from the ledger's entries, and read every difference, at most 1,000; none proves them.

        `account_id`: only this one; empty: all, which reads the whole ledger and has the time of one call. `page_size`:
        in transactions, 1 to 1,000,000: verifies a part, which ends with the account that brings it to as many; 0:
        everything in one answer. `page_token`: `next_page_token` of the part before. See `iter_verification`. Raises
        AccountNotFound, InvalidField.

            proof = client.verify_ledger(account_id="alice")
            print(proof.transaction_count, "transactions,", len(proof.differences), "differences")
        """
        request = message(VerifyLedgerRequest, account_id=account_id, page_size=page_size, page_token=page_token)
        return self._call(self._admin.VerifyLedger, request, timeout_s, headers)

    def iter_verification(
        self, *, page_size: int = 20_000, timeout_s: float | None = None, headers: Headers | None = None
    ) -> Iterator[VerifyLedgerResponse]:
        """Verify the whole ledger, however long, part by part as they are consumed; `timeout_s` is for each part.

        `page_size`: transactions of a part, 1 to 1,000,000. The first part says how many there are in all
        (`transaction_total`).

            for part in client.iter_verification():
                print(part.transaction_count, "transactions,", len(part.differences), "differences")
        """
        page_token = ""
        while True:
            page = self.verify_ledger(page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers)
            yield page
            page_token = page.next_page_token
            if not page_token:
                return
