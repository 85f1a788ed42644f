"""What gRPC alone costs: a grpc.aio server whose handlers answer with a message made ahead of time.

Real requests are parsed and real replies serialized, nothing else happens. Prints its port as its first line.
"""

import asyncio
import signal
from typing import Any

import grpc.aio
from prepaid.billing.v1 import accounts_pb2, billing_pb2_grpc, transactions_pb2

from tests.bench import calls


def balance() -> accounts_pb2.Balance:
    """A balance of usual size, bought and given credits and an expiry ahead."""
    answer = accounts_pb2.Balance(
        account_id=calls.account_id(0),
        available_microcredits=4_999_123_000_000,
        promotional_microcredits=999_123_000_000,
        paid_microcredits=4_000_000_000_000,
        next_expiry_microcredits=999_123_000_000,
        account_version=1_234,
    )
    answer.next_expiry_time.FromSeconds(1_900_000_000)
    return answer


class NoopService(billing_pb2_grpc.BillingServiceServicer):
    def __init__(self) -> None:
        draw = transactions_pb2.Draw(
            lot_id="lot_01890a5d-ac96-774b-bcce-b302099a8057",
            category=transactions_pb2.CREDIT_CATEGORY_PROMOTIONAL,
            amount_microcredits=calls.AMOUNT_MICROCREDITS,
        )
        self._deducted = transactions_pb2.DeductCreditsResponse(
            transaction_id="txn_01890a5d-ac96-774b-bcce-b302099a8057",
            deducted_microcredits=calls.AMOUNT_MICROCREDITS,
            balance=balance(),
            draws=[draw],
        )
        self._outcome = transactions_pb2.DeductionOutcome(deducted=self._deducted)
        self._balance = accounts_pb2.GetBalanceResponse(balance=balance())

    async def DeductCredits(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the stub's signature
        return self._deducted

    async def BatchDeductCredits(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the stub's signature
        return transactions_pb2.BatchDeductCreditsResponse(outcomes=[self._outcome] * len(request.deductions))

    # The stub's signature.
    async def StreamDeductions(self, request_iterator: Any, context: Any) -> Any:  # noqa: ARG002, N802
        sequence = 0
        async for _ in request_iterator:
            sequence += 1
            yield transactions_pb2.StreamDeductionsResponse(sequence=sequence, outcome=self._outcome)

    async def GetBalance(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the stub's signature
        return self._balance


async def serve(servicer: billing_pb2_grpc.BillingServiceServicer) -> None:
    """Serves on a loopback port of the system's choice until SIGTERM or SIGINT."""
    server = grpc.aio.server()
    billing_pb2_grpc.add_BillingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # noqa: T201 - who started it reads the port here
    stopping = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    await stopping.wait()
    await server.stop(grace=1)


if __name__ == "__main__":
    asyncio.run(serve(NoopService()))  # type: ignore[abstract]  # what isn't there answers UNIMPLEMENTED
