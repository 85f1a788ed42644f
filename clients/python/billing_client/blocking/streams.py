"""Streams as methods of the client."""

from collections.abc import Mapping, Sequence

from prepaid.billing.v1.transactions_pb2 import StreamDeductionsRequest
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.blocking.connection import Connection
from billing_client.blocking.deduction_stream import DeductionStream
from billing_client.blocking.metered_session import MeteredSession
from billing_client.deadlines import timeout_s_of
from billing_client.deductions import OUTSTANDING_MAX
from billing_client.headers import Headers
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
