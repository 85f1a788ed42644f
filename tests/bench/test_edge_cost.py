"""Each step of a call is really there when its cost is measured. No time is asserted here."""

import ast
from contextlib import suppress

import pytest
from prepaid.billing.v1 import transactions_pb2

from billing_service.api import pipeline
from tests.bench import edge_cost

PARSE, GUARDED, ADMITTED, KEYED, VALIDATED = range(5)
REQUEST = transactions_pb2.DeductCreditsRequest(
    account_id="ada", amount_microcredits=5, idempotency_key="one"
).SerializeToString()
INVALID = transactions_pb2.DeductCreditsRequest(
    account_id="ada", amount_microcredits=0, idempotency_key="one"
).SerializeToString()


class AbortedError(Exception):
    """The call ended with a status."""


class Refusing(edge_cost.Context):
    async def abort(self, *status):
        raise AbortedError(status)

    def peer(self):
        return "ipv4:127.0.0.1:1"


@pytest.fixture
def steps():
    handlers, context = edge_cost.steps()
    return list(handlers.values()), context


async def ends(handler, raw, metadata):
    with suppress(AbortedError):
        return len(await handler(raw, Refusing(metadata)))
    return "refused"


async def test_every_step_answers_a_sound_call(steps):
    handlers, context = steps
    assert [await ends(handler, REQUEST, context.metadata) for handler in handlers] == [len(edge_cost.REPLY)] * 5


async def test_only_the_later_steps_refuse_a_key_that_nobody_has_and_only_the_last_an_invalid_request(steps):
    handlers, context = steps
    answered = len(edge_cost.REPLY)
    nobody = (("authorization", "Bearer nobody"),)
    assert [await ends(handler, REQUEST, nobody) for handler in handlers] == [
        answered,
        answered,
        answered,
        "refused",
        "refused",
    ]
    assert [await ends(handler, INVALID, context.metadata) for handler in handlers] == [answered] * 4 + ["refused"]


async def test_only_admission_counts_what_is_in_flight(monkeypatch):
    seen = []

    async def look(_request, call):
        seen.append(call.edge.admission.in_flight)
        return edge_cost.REPLY

    monkeypatch.setattr(edge_cost, "_answer", look)
    handlers, context = edge_cost.steps()
    for handler in list(handlers.values())[GUARDED:VALIDATED]:
        await handler(REQUEST, context)
    assert seen == [0, 1, 1]


def test_a_pipeline_that_it_cannot_cut_is_told(monkeypatch):
    source = ast.unparse(ast.parse(edge_cost.inspect.getsource(pipeline._compose))).replace(
        "admission.in_flight += 1", "pass"
    )
    monkeypatch.setattr(edge_cost.inspect, "getsource", lambda _function: source)
    with pytest.raises(RuntimeError, match="2 statements of admission"):
        edge_cost.compose_without_admission()


def test_a_row_says_what_its_step_adds_to_the_least_of_the_rounds(monkeypatch):
    async def measured(_calls, _rounds):
        return {"a": [3.0, 1.0, 2.0], "b": [4.0, 9.0, 5.0]}

    monkeypatch.setattr(edge_cost, "_measure", measured)
    assert edge_cost.measure() == [
        {"step": "a", "us": 1.0, "us_in_all": 1.0},
        {"step": "b", "us": 3.0, "us_in_all": 4.0},
    ]
    assert edge_cost.markdown(edge_cost.measure()).splitlines()[-1] == "| b | 3.00 | 4.00 |"


def test_all_steps_are_measured_in_order():
    rows = edge_cost.measure(call_count=20, rounds=1)
    assert [row["step"] for row in rows] == list(edge_cost.steps()[0])
    assert all(row["us_in_all"] > 0 for row in rows)
