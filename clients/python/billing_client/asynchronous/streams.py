"""The stream as a method of the client."""

from prepaid.billing.v1.transactions_pb2 import StreamDeductionsRequest

from billing_client.asynchronous.connection import Connection
from billing_client.asynchronous.deduction_stream import Call, DeductionStream
from billing_client.deadlines import timeout_s_of
from billing_client.deductions import OUTSTANDING_MAX
from billing_client.headers import Headers, overlaid


class DeductionStreamMethods(Connection):
    def stream_deductions(
        self, *, timeout_s: float | None = None, outstanding_max: int = OUTSTANDING_MAX, headers: Headers | None = None
    ) -> DeductionStream:
        """A stream of deductions, for `async with`. See `DeductionStream`.

        `timeout_s`: seconds for each deduction, from `send` to its answer, reconnections included; None: 5. What has no
        answer then is OutcomeUnknown, or ServiceUnreachable if it was never sent.
        `outstanding_max`: how many may be without an answer, 1 to 256.
        `headers`: go with each connection of the stream.
        Raises ValueError for arguments out of range.

            async with client.stream_deductions() as stream:
                sent = [await stream.send(Deduction(account_id="user-1", amount_microcredits=1_000)) for _ in range(3)]
            print([answer.result().transaction_id for answer in sent])
        """
        seconds, metadata = timeout_s_of(StreamDeductionsRequest(), timeout_s), overlaid(self._metadata, headers)

        async def open_call() -> Call:
            stubs = self._stubs
            await stubs.reach(seconds)
            return stubs.billing.StreamDeductions(metadata=metadata)

        return DeductionStream(open_call, timeout_s=seconds, outstanding_max=outstanding_max)
