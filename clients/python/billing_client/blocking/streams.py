"""Streams as methods of the client."""

import time
from collections.abc import Iterator, Mapping, Sequence

import grpc
from prepaid.billing.v1.accounts_pb2 import Balance, WatchBalanceRequest
from prepaid.billing.v1.transactions_pb2 import StreamDeductionsRequest
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.balance_watch import BalanceWatch
from billing_client.blocking.connection import Connection
from billing_client.blocking.deduction_stream import DeductionStream
from billing_client.blocking.metered_session import MeteredSession
from billing_client.deadlines import timeout_s_of
from billing_client.deductions import OUTSTANDING_MAX
from billing_client.headers import Headers, overlaid
from billing_client.sessions import opening_of


class DeductionStreamMethods(Connection):
    def stream_deductions(
        self, *, timeout_s: float | None = None, outstanding_max: int = OUTSTANDING_MAX, headers: Headers | None = None
    ) -> DeductionStream:
        """A stream of deductions over a connection of its own, for `with`. See `DeductionStream`.

        `timeout_s`: seconds for each deduction, from `send` to its answer, reconnections included; None: 5. What has no
        answer then is OutcomeUnknown, or ServiceUnreachable if it was never sent.
        `outstanding_max`: how many may be without an answer, 1 to 256.
        `headers`: go with each connection of the stream.
        Raises ValueError for arguments out of range.

            with client.stream_deductions() as stream:
                sent = [stream.send(Deduction(account_id="user-1", amount_microcredits=1_000)) for _ in range(3)]
            print([answer.result().transaction_id for answer in sent])
        """
        seconds = timeout_s_of(StreamDeductionsRequest(), timeout_s)
        return DeductionStream(self._options, timeout_s=seconds, outstanding_max=outstanding_max, headers=headers)

    def meter_session(
        self,
        *,
        account_id: str,
        estimate: Usage | None = None,
        slice_microcredits: int = 0,
        grace_s: float | None = None,
        spender_ids: Sequence[str] = (),
        description: str = "",
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> MeteredSession:
        """Meter one streamed model call, in `with`. See `MeteredSession`.

        `estimate`: what the call is expected to use; its price is held at first. Raises UnknownModel, PriceMissing, and
        InsufficientCredits where the account has too little for its input and one token.
        `slice_microcredits`: what is held at a time; 0: the price of the estimate. One of the two is required.
        `grace_s`: how long the credits stay held once the connection breaks, 1 to 3,600 seconds; None: 300.
        `spender_ids`: whom it charges for besides the account, at most 4 with those of the API key.
        `description`, `metadata`: for the history.
        `timeout_s`: seconds for the opening, for each time without a connection, and for the close; None: 5.
        Raises AccountNotFound, AccountFrozen, SpendLimitReached.

            lines = [UsageLine(kind=UsageKind.USAGE_KIND_INPUT_TOKENS, quantity=1000)]
            usage = Usage(provider="openai", model="gpt-5", lines=lines)
            with client.meter_session(account_id="user-1", estimate=usage) as session:
                session.tick(usage)
                closed = session.close(usage=usage)
            print(closed.charged_microcredits)
        """
        opening = opening_of(
            account_id=account_id,
            estimate=estimate,
            slice_microcredits=slice_microcredits,
            grace_s=grace_s,
            description=description,
            metadata=metadata,
            idempotency_key=idempotency_key,
            spender_ids=spender_ids,
        )
        seconds = timeout_s_of(opening, timeout_s)
        return MeteredSession(self._options, opening, timeout_s=seconds, headers=headers)

    def watch_balance(
        self,
        *,
        account_id: str,
        after_version: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[Balance]:
        """Follow an account's balance in a loop: the present one first, then each that says something else.

        Ends with the loop around it, or when the client is closed. A connection that breaks is made anew, and nothing
        older than what was shown is shown. Changes that follow each other closely are shown as one.

        `after_version`: the `account_version` of the newest balance that you have; 0: none.
        `timeout_s`: seconds for each time without a connection; None: 5.
        Raises AccountNotFound, InvalidField where the account has not come as far as `after_version`, and what ended
        the watch otherwise.

            for balance in client.watch_balance(account_id="user-1"):
                print(balance.available_microcredits)
                break  # a program that reacts goes on
        """
        seconds, metadata = timeout_s_of(WatchBalanceRequest(), timeout_s), overlaid(self._metadata, headers)
        watch = BalanceWatch(account_id, after_version, seconds)
        while True:
            stubs = self._stubs_for(account_id)
            try:
                stubs.reach(seconds)
                call = stubs.billing.WatchBalance(watch.request, metadata=metadata)
                try:
                    for response in call:
                        if watch.is_news(response.balance):
                            yield response.balance
                finally:
                    call.cancel()
            except (grpc.RpcError, ValueError) as failed:  # the second is how gRPC refuses a call on a closed channel
                self._lose(stubs)
                if self._was_closed(stubs):
                    return
                if isinstance(failed, ValueError):
                    raise
                time.sleep(watch.pause_s(failed))
            else:
                return
