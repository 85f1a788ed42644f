"""Accounts, their history, and referrals."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from prepaid.billing.v1.accounts_pb2 import (
    AccountMetadata,
    CreateAccountRequest,
    CreateAccountResponse,
    GetAccountRequest,
    GetAccountResponse,
    GetBalanceRequest,
    GetBalanceResponse,
    UpdateAccountRequest,
    UpdateAccountResponse,
)
from prepaid.billing.v1.referrals_pb2 import (
    ApplyReferralRequest,
    ApplyReferralResponse,
    GetReferralRequest,
    GetReferralResponse,
)
from prepaid.billing.v1.transactions_pb2 import (
    TRANSACTION_KIND_UNSPECIFIED,
    ListTransactionsRequest,
    ListTransactionsResponse,
    Transaction,
    TransactionKind,
)

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message
from billing_client.timestamps import timestamp_of


class AccountMethods(Connection):
    def create_account(
        self,
        *,
        account_id: str,
        email: str = "",
        name: str = "",
        referral_code: str = "",
        metadata: Mapping[str, str] | None = None,
        stripe_customer_id: str = "",
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CreateAccountResponse:
        """Make an account, and its Stripe customer where Stripe answers.

        `email`: for receipts, at most 320 characters, such as Stripe takes.
        `name`: at most 256 characters.
        `referral_code`: of the account that referred this one; the same as `apply_referral`, in one transaction.
        `metadata`: your own notes, at most 50 pairs; names of 1 to 40, values of at most 500 characters.
        `stripe_customer_id`: a customer that Stripe has already (`cus_…`), to become this account's. Its e-mail address
        and name are taken over where these are empty. Then no account is made while Stripe does not answer.

        Raises AccountExists, ReferralCodeNotFound, SelfReferral, StripeCustomerTaken, StripeCustomerNotFound,
        StripeCustomerDeleted.

            made = client.create_account(account_id="user-7", email="ada@example.com", idempotency_key="signup-7")
            print(made.account.referral_code)
        """
        request = message(
            CreateAccountRequest,
            account_id=account_id,
            email=email,
            name=name,
            referral_code=referral_code,
            metadata=metadata,
            stripe_customer_id=stripe_customer_id,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._billing.CreateAccount, request, timeout_s, headers)

    def update_account(
        self,
        *,
        account_id: str,
        email: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        low_balance_microcredits: int | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> UpdateAccountResponse:
        """Change what is known of an account, here and at Stripe. None leaves a part as it is; one of the four is
        wanted.

        `email`: for receipts, at most 320 characters, such as Stripe takes; empty: none from now on. `name`: at most
        256 characters; empty: none from now on. `metadata`: new notes in the place of all that there are, with the
        limits of `create_account`; empty: none from now on. `low_balance_microcredits`: 0 to 10^15; once less is
        available, that is kept as an event; 0: never.

        Raises AccountNotFound. A change that does not reach Stripe now is sent again by a repeat with the same key or
        by the next purchase.

            updated = client.update_account(account_id="user-1", email="ada@example.org")
            print(updated.account.email)
        """
        request = message(
            UpdateAccountRequest,
            account_id=account_id,
            email=email,
            name=name,
            metadata=None if metadata is None else AccountMetadata(entries=metadata),
            low_balance_microcredits=low_balance_microcredits,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._billing.UpdateAccount, request, timeout_s, headers)

    def get_account(
        self, *, account_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetAccountResponse:
        """Read an account: its profile, referral code, limits, and what it has and owes as last booked.

        Raises AccountNotFound.

            read = client.get_account(account_id="user-1")
            print(read.account.frozen, read.account.debt_microcredits)
        """
        return self._call(
            self._billing.GetAccount, message(GetAccountRequest, account_id=account_id), timeout_s, headers
        )

    def get_balance(
        self,
        *,
        account_id: str,
        as_of_time: datetime | None = None,
        as_of_version: int | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> GetBalanceResponse:
        """Read what an account may spend, after every deduction that was acknowledged before this call began.

        All amounts are microcredits. `available_microcredits` is what a deduction may spend now.
        `as_of_time` or `as_of_version` (0: when the account was made) asks for what this answered at a past moment.
        Both at once are a ValueError. Raises AccountNotFound, and InvalidField for a moment that lies ahead or before
        the account was made.

            read = client.get_balance(account_id="user-1")
            print(read.balance.available_microcredits / MICROCREDITS_PER_CREDIT, "credits")
        """
        if as_of_time is not None and as_of_version is not None:
            raise ValueError("as_of_time and as_of_version name one moment each; give one of them")
        request = message(GetBalanceRequest, account_id=account_id, as_of_time=timestamp_of(as_of_time))
        if as_of_version is not None:
            request.MergeFrom(message(GetBalanceRequest, as_of_version=as_of_version))
        return self._call(self._billing.GetBalance, request, timeout_s, headers)

    def list_transactions(
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
        """Read one page of an account's history, newest first. See `iter_transactions`, which reads all pages.

        `kind`: only this one; unspecified: every kind.
        `start_time`: at or after it.
        `end_time`: before it. Both carry their zone.
        Raises AccountNotFound, ValueError for a time without a zone.

            page = client.list_transactions(account_id="user-1", page_size=10)
            print([transaction.amount_microcredits for transaction in page.transactions])
        """
        request = message(
            ListTransactionsRequest,
            account_id=account_id,
            kind=kind,
            start_time=timestamp_of(start_time),
            end_time=timestamp_of(end_time),
            page_size=page_size,
            page_token=page_token,
        )
        return self._call(self._billing.ListTransactions, request, timeout_s, headers)

    def iter_transactions(
        self,
        *,
        account_id: str,
        kind: TransactionKind.ValueType = TRANSACTION_KIND_UNSPECIFIED,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[Transaction]:
        """Read an account's history, newest first, page by page as it is consumed; `timeout_s` is for each page.

        `kind`: only this one; unspecified: every kind.
        `start_time`: at or after it.
        `end_time`: before it. Both carry their zone.
        Raises AccountNotFound, ValueError for a time without a zone.

            spent = TransactionKind.TRANSACTION_KIND_DEDUCTION
            for transaction in client.iter_transactions(account_id="user-1", kind=spent):
                print(transaction.create_time.ToDatetime(), transaction.amount_microcredits)
        """
        page_token = ""
        while True:
            page = self.list_transactions(
                account_id=account_id,
                kind=kind,
                start_time=start_time,
                end_time=end_time,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            yield from page.transactions
            page_token = page.next_page_token
            if not page_token:
                return

    def apply_referral(
        self,
        *,
        account_id: str,
        referral_code: str,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ApplyReferralResponse:
        """Bind an account to its referrer, before its first completed purchase. A missing account is made.

        `referral_code`: the referrer's; letter case does not matter.
        Raises ReferralCodeNotFound, ReferralExists, SelfReferral, ReferralTooLate.

            applied = client.apply_referral(account_id="user-8", referral_code=referral_code)
            print(applied.referral.bonus_microcredits)
        """
        request = message(
            ApplyReferralRequest,
            account_id=account_id,
            referral_code=referral_code,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._billing.ApplyReferral, request, timeout_s, headers)

    def get_referral(
        self, *, account_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetReferralResponse:
        """Read an account's side of the referral programme: its own code, who brought it, and what it earned.

        Raises AccountNotFound.

            mine = client.get_referral(account_id="user-1")
            print(mine.referral_code, mine.rewarded_count, mine.earned_microcredits)
        """
        return self._call(
            self._billing.GetReferral, message(GetReferralRequest, account_id=account_id), timeout_s, headers
        )
