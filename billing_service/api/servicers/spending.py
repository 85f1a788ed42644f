"""BillingService, spending: balances, deductions, their reversal, statements. The first two are the hot path."""

from prepaid.billing.v1 import accounts_pb2, transactions_pb2

from billing_service.api import translate, validation
from billing_service.api.late import Late
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of
from billing_service.api.servicers.deductions import Deductions, reply_of_deduction
from billing_service.commands.accounts.past_balance import PastMoment, past_balance
from billing_service.commands.accounts.read import HistoryQuery, statement
from billing_service.commands.environment import Environment
from billing_service.commands.spending.reverse_deduction import ReverseDeduction, reverse
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.reversals import Reversed

_KINDS = frozenset(transactions_pb2.TransactionKind.values())
_reversed = Replies(transactions_pb2.ReverseDeductionResponse)
END_OF_TIME_US = 253_402_300_800_000_000
"""The year 10000."""


def _encode_reversal(reversal: Reversed, shown: Balance) -> bytes:
    return transactions_pb2.ReverseDeductionResponse(
        transaction_id=reversal.transaction.transaction_id,
        reversed_microcredits=reversal.amount,
        balance=translate.balance(shown),
        draws=translate.draws(draw for draw in reversal.transaction.draws if draw.amount < 0),
    ).SerializeToString()


def _past_moment(request: accounts_pb2.GetBalanceRequest, which: str) -> PastMoment:
    if which == "as_of_time":
        return PastMoment(time_us=validation.timestamp_us("as_of_time", request.as_of_time))
    if request.as_of_version < 0:
        raise invalid_field("as_of_version", "must be 0 or above")
    return PastMoment(version=request.as_of_version)


class Spending:
    """Methods of BillingService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._deductions = Deductions(environment)
        self._page_token_secret = page_token_secret

    async def get_balance(self, request: accounts_pb2.GetBalanceRequest, call: Call) -> accounts_pb2.GetBalanceResponse:
        del call
        account_id = validation.account_id(request.account_id)
        which = request.WhichOneof("as_of")
        if which is None:
            shown = await self._environment.balances.balance(account_id)
        else:
            shown = await past_balance(self._environment, account_id, _past_moment(request, which))
        return accounts_pb2.GetBalanceResponse(balance=translate.balance_as_read(shown))

    async def deduct_credits(self, request: transactions_pb2.DeductCreditsRequest, call: Call) -> bytes:
        begun = self._deductions.begin(request, call)
        return reply_of_deduction(await (begun.answer if isinstance(begun, Late) else begun))

    async def reverse_deduction(self, request: transactions_pb2.ReverseDeductionRequest, call: Call) -> bytes:
        account_id = validation.account_id(request.account_id)
        transaction_id = validation.identifier("transaction_id", request.transaction_id, 128)
        amount = (
            validation.amount_microcredits(request.amount_microcredits)
            if request.HasField("amount_microcredits")
            else None
        )
        reason = validation.text("reason", request.reason)
        keyed = request_of(call, account_id, request.idempotency_key, transaction_id, amount, reason)
        return _reversed(
            await reverse(
                self._environment, ReverseDeduction(keyed, account_id, transaction_id, amount, reason, _encode_reversal)
            )
        )

    async def list_transactions(
        self, request: transactions_pb2.ListTransactionsRequest, call: Call
    ) -> transactions_pb2.ListTransactionsResponse:
        del call
        query = HistoryQuery(
            account_id=validation.account_id(request.account_id),
            kind=validation.known_value("kind", request.kind, _KINDS),
            start_us=validation.timestamp_us("start_time", request.start_time) if request.HasField("start_time") else 0,
            end_us=validation.timestamp_us("end_time", request.end_time)
            if request.HasField("end_time")
            else END_OF_TIME_US,
        )
        binding = ("transactions", *query)
        size = validation.page_size(request.page_size)
        secret = self._page_token_secret
        newest = decode_page_token(secret, request.page_token, binding) if request.page_token else ""
        page = await statement(self._environment, query, newest, size)
        return transactions_pb2.ListTransactionsResponse(
            transactions=[translate.transaction(posted, page.categories) for posted in page.transactions],
            next_page_token=encode_page_token(secret, page.next_id, binding) if page.next_id else "",
        )
