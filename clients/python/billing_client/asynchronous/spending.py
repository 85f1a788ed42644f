"""Derived by derive_async.py; change its blocking twin instead. Spending credits, and giving back what was spent."""

from collections.abc import Mapping, Sequence
from typing import overload

from prepaid.billing.v1.receipts_pb2 import GetReceiptRequest, GetReceiptResponse
from prepaid.billing.v1.transactions_pb2 import (
    DEDUCTION_MODE_REJECT,
    DeductCreditsResponse,
    DeductionMode,
    ReverseDeductionRequest,
    ReverseDeductionResponse,
)
from prepaid.billing.v1.usage_pb2 import QuoteUsageRequest, QuoteUsageResponse, Usage

from billing_client.asynchronous.connection import Connection
from billing_client.deductions import BatchRounds, Deduction
from billing_client.errors import BillingError
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message
from billing_client.operations import HoldRequest, OperationResponse


class SpendingMethods(Connection):
    async def quote_usage(
        self,
        *,
        usage: Usage,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> QuoteUsageResponse:
        """Ask what a usage costs by the rate card in force, and why. Nothing moves, and no account is asked.

        `usage`: what one request to one model used, in disjoint lines; no token is in two of them. Raises UnknownModel
        where the card has no such model of that provider. Raises PriceMissing, whose `missing` names what has no price:
        a kind, a service tier or an attribute. Raises InvalidField for a usage that can't be.

            lines = [UsageLine(kind=UsageKind.USAGE_KIND_INPUT_TOKENS, quantity=1000)]
            quoted = await client.quote_usage(usage=Usage(provider="openai", model="gpt-5", lines=lines))
            print(quoted.price.amount_microcredits, quoted.price.rate_card_version)
        """
        return await self._call(self._billing.QuoteUsage, message(QuoteUsageRequest, usage=usage), timeout_s, headers)

    async def deduct_credits(
        self,
        *,
        account_id: str,
        amount_microcredits: int | None = None,
        usage: Usage | None = None,
        mode: DeductionMode.ValueType = DEDUCTION_MODE_REJECT,
        description: str = "",
        metadata: Mapping[str, str] | None = None,
        spender_ids: Sequence[str] = (),
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> DeductCreditsResponse:
        """Spend credits, in burn-down order: an amount, or what a usage costs. The deduction is on disk when this
        returns.

        `amount_microcredits`: 1 to 10^15; 1 credit is 1,000,000.
        `usage`: what one request to one model used, in disjoint lines, in place of an amount. The rate card prices it,
        and the answer's `price` says why. Set its `occur_time` once, before the first attempt.
        `mode`: when funds are short, REJECT refuses (the default, after the overdraft limit is used), UP_TO_AVAILABLE
        takes what is there, ALLOW_DEBT records the rest as debt.
        `description`: at most 500 characters.
        `metadata`: as for `create_account`. Both are kept in the history.
        `spender_ids`: whom it charges for besides the account, at most 4; see `set_spend_limit`. Raises
        SpendLimitReached where one has no room.
        Raises InsufficientCredits (with the amounts; of a usage also how many output tokens are affordable, and which
        package covers what is short), AccountNotFound, AccountFrozen. Raises UnknownModel and PriceMissing for a usage
        that has no price, and TypeError unless there is either an amount or a usage.

            spent = await client.deduct_credits(
                account_id="user-1", amount_microcredits=250_000, idempotency_key="answer-17"
            )
            print(spent.transaction_id, spent.balance.available_microcredits)
        """
        deduction = Deduction(
            account_id=account_id,
            amount_microcredits=amount_microcredits,
            usage=usage,
            mode=mode,
            description=description,
            metadata=metadata or {},
            spender_ids=spender_ids,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._billing.DeductCredits, deduction.request(), timeout_s, headers)

    @overload
    async def batch_deduct_credits(
        self, *, deductions: Sequence[Deduction], timeout_s: float | None = None, headers: Headers | None = None
    ) -> list[DeductCreditsResponse | BillingError]: ...

    @overload
    async def batch_deduct_credits(
        self,
        *,
        operations: Sequence[Deduction | HoldRequest],
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> list[OperationResponse | BillingError]: ...

    async def batch_deduct_credits(
        self,
        *,
        deductions: Sequence[Deduction] = (),
        operations: Sequence[Deduction | HoldRequest] = (),
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Sequence[OperationResponse | BillingError]:
        """Spend credits up to 1,000 times in one call; each deduction succeeds or is refused alone. On disk when this
        returns.

        `deductions`: 1 to 1,000, together at most 1 MiB. Those of one account take effect in this order.
        `operations`: in their place, deductions and requests of holds in any mixture: HoldCreditsRequest,
        CaptureHoldRequest, ReleaseHoldRequest, ExtendHoldRequest. A request without a key is given one.
        Answers in their order: the answer of each, or the error that its own method would have raised for it. Those
        that are answered UNAVAILABLE are sent again within the time. Raises only when nothing is known of any of
        them, such as OutcomeUnknown, ServiceUnreachable, Overloaded; call again with the same values, which have
        kept their keys.

            deductions = [Deduction(account_id="user-1", amount_microcredits=1_000) for _ in range(3)]
            results = await client.batch_deduct_credits(deductions=deductions)
            for deduction, result in zip(deductions, results):
                if isinstance(result, BillingError):
                    print(deduction.idempotency_key, result.reason)
        """
        rounds = BatchRounds(deductions, operations, timeout_s)
        while rounds.pause_s is not None:
            await self._pause(rounds.pause_s)
            await self._run_round(rounds, headers)
        return rounds.results()

    async def get_receipt(
        self,
        *,
        account_id: str,
        transaction_id: str,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> GetReceiptResponse:
        """Ask why a charge is what it is: each line with its price, what was drawn, and what came back.

        `transaction_id`: a deduction's. The receipt is the same for ever, but for reversals that are made later.
        Raises AccountNotFound, TransactionNotFound, and InvalidField for a transaction that charged nothing.

            spent = await client.deduct_credits(account_id="user-1", amount_microcredits=250_000)
            answer = await client.get_receipt(account_id="user-1", transaction_id=spent.transaction_id)
            print(answer.receipt.amount_microcredits, answer.receipt.uncollected_microcredits)
        """
        request = message(GetReceiptRequest, account_id=account_id, transaction_id=transaction_id)
        return await self._call(self._billing.GetReceipt, request, timeout_s, headers)

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
        """Give back what a deduction took: for a generation that failed.

        `transaction_id`: the deduction's.
        `amount_microcredits`: None gives back all that is left to reverse.
        `reason`: for the history, at most 500 characters. A caller without the scope admin reverses its own
        deductions, for 7 days unless the service says otherwise.
        Raises AccountNotFound, TransactionNotFound, TransactionNotReversible, DeductionAlreadyReversed, NotYours,
        ReversalTooLate.

            spent = await client.deduct_credits(account_id="user-1", amount_microcredits=250_000)
            back = await client.reverse_deduction(
                account_id="user-1", transaction_id=spent.transaction_id, reason="timed out"
            )
            print(back.reversed_microcredits)
        """
        request = message(
            ReverseDeductionRequest,
            account_id=account_id,
            transaction_id=transaction_id,
            amount_microcredits=amount_microcredits,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return await self._call(self._billing.ReverseDeduction, request, timeout_s, headers)
