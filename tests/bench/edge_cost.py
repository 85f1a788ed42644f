"""What each step of a call costs before the ledger is asked: processor time in this process, without a socket.

The real handler of DeductCredits runs on a context that answers at once, over an implementation that does nothing, and
one step is added at a time. The steps stand inlined in one coroutine; the one for admission is therefore cut out of its
source to see what it costs.
"""

import ast
import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest import mock

import structlog
from prepaid.billing.v1 import billing_pb2, transactions_pb2
from prometheus_client import CollectorRegistry

from billing_service.api import pipeline
from billing_service.api.admission import Admission
from billing_service.api.deadlines import OverdueCalls
from billing_service.api.identity import Authenticator, CallerAuthenticator, LocalAuthenticator
from billing_service.api.metrics import CallMetrics
from billing_service.api.servicers.deductions import deduction_of
from billing_service.domain.access.api_keys import ENTROPY_BYTES, ApiKey, Scope, hash_key, make_key
from tests.bench import calls

CALLS, ROUNDS = 10_000, 7
REPLY = bytes(120)
"""About as long as a real one."""

Handler = Callable[[bytes, Any], Awaitable[bytes]]


@dataclass(frozen=True)
class Context:
    """What grpc.aio gives a handler, of a caller with an API key and without a deadline, as the load generator is."""

    metadata: tuple[tuple[str, str], ...]

    def time_remaining(self) -> None:
        return None

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.metadata


class _WithoutAdmission(ast.NodeTransformer):
    """Leaves out the statements that compare or change what is in flight."""

    def __init__(self) -> None:
        self.left_out = 0

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return self._unless("admission." in ast.unparse(node.test), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST | None:
        return self._unless(ast.unparse(node.target).startswith("admission."), node)

    def _unless(self, is_admission: bool, node: ast.AST) -> ast.AST | None:
        self.left_out += is_admission
        return None if is_admission else self.generic_visit(node)


def compose_without_admission() -> Callable[..., Handler]:
    """`pipeline._compose` less its admission. RuntimeError when the source isn't what this can cut."""
    cut = _WithoutAdmission()
    tree = cut.visit(ast.parse(inspect.getsource(pipeline._compose)))
    if cut.left_out != 3:  # the bound, one in, one out
        raise RuntimeError(
            f"{cut.left_out} statements of admission found in pipeline._compose, 3 expected: look at "
            f"tests/bench/edge_cost.py"
        )
    names: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(tree), "pipeline without admission", "exec"), vars(pipeline), names)
    compose: Callable[..., Handler] = names["_compose"]
    return compose


async def _answer(_request: Any, _call: Any) -> bytes:
    return REPLY


async def _validate(request: Any, call: Any) -> bytes:
    deduction_of(request, call)
    return REPLY


async def _bare(raw: bytes, context: Any) -> bytes:
    return await _answer(transactions_pb2.DeductCreditsRequest.FromString(raw), context)


def _handler(authenticator: Authenticator, implementation: pipeline.Implementation) -> Handler:
    method = billing_pb2.DESCRIPTOR.services_by_name["BillingService"].methods_by_name["DeductCredits"]
    admission = Admission(in_flight_max=1_024)
    metrics = CallMetrics(CollectorRegistry(), admission)
    edge = pipeline.Edge(authenticator, admission, metrics, OverdueCalls(limit_s=30), structlog.get_logger())
    return pipeline.build_handler(method, implementation, edge).unary_unary


def _key_ring() -> tuple[Authenticator, Context]:
    """An authenticator that knows one API key, and a call that brings it."""
    pepper, key = bytes(32), make_key(bytes(ENTROPY_BYTES))
    stored = ApiKey(key.key_id, "bench", frozenset({Scope.DEDUCT}), hash_key(pepper, key.text), 0)

    async def find(_key_id: str) -> ApiKey:
        return stored

    # its clock stands still, so that the key is recognised to the end
    authenticator = CallerAuthenticator(
        pepper=pepper,
        find_api_key=find,
        note_use=lambda _key_id, _when_us: None,
        now_us=lambda: 0,
        monotonic=lambda: 0.0,
    )
    return authenticator, Context((("user-agent", "bench"), ("authorization", f"Bearer {key.text}")))


def steps() -> tuple[dict[str, Handler], Context]:
    """The handlers, each with one step more than the one before."""
    by_key, context = _key_ring()
    with mock.patch.object(pipeline, "_compose", compose_without_admission()):
        without_admission = _handler(LocalAuthenticator(), _answer)
    handlers: dict[str, Handler] = {
        "parse the request": _bare,
        "errors, counts, deadline, scope": without_admission,
        "admission": _handler(LocalAuthenticator(), _answer),
        "identity: an API key that is recognised": _handler(by_key, _answer),
        "validation and fingerprint": _handler(by_key, _validate),
    }
    return handlers, context


async def _cpu_us(handler: Handler, requests: Sequence[bytes], context: Context) -> float:
    begin_s = time.process_time()
    for raw in requests:
        await handler(raw, context)
    return (time.process_time() - begin_s) / len(requests) * 1e6


async def _measure(call_count: int, rounds: int) -> dict[str, list[float]]:
    handlers, context = steps()
    random = Random()
    encode = calls.deduct_credits(10_000, calls.time_ordered_keys(random), random)
    requests = [encode()[calls.PREFIX_BYTES :] for _ in range(call_count)]
    taken: dict[str, list[float]] = {name: [] for name in handlers}
    for _ in range(rounds):
        for name, handler in handlers.items():
            taken[name].append(await _cpu_us(handler, requests, context))
    return taken


def measure(call_count: int = CALLS, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """A row for each step: microseconds that it adds to a call, and of all up to it. The least of the rounds, which
    take turns: what is above it came from elsewhere."""
    rows: list[dict[str, Any]] = []
    before = 0.0
    for name, taken in asyncio.run(_measure(call_count, rounds)).items():
        total = min(taken)
        rows.append({"step": name, "us": total - before, "us_in_all": total})
        before = total
    return rows


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| step of a unary call, before the ledger | µs of processor time | in all |", "|---|---|---|"]
    lines += [f"| {row['step']} | {row['us']:.2f} | {row['us_in_all']:.2f} |" for row in rows]
    return "\n".join(lines) + "\n"
