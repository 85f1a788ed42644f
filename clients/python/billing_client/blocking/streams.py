"""The stream as a method of the client."""

from prepaid.billing.v1.transactions_pb2 import StreamDeductionsRequest

from billing_client.blocking.connection import Connection
from billing_client.blocking.deduction_stream import DeductionStream
from billing_client.deadlines import timeout_s_of
from billing_client.deductions import OUTSTANDING_MAX
from billing_client.headers import Headers


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
