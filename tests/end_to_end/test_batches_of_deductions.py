"""BatchDeductCredits as callers meet it: each of many deductions as if it had come by itself, whatever its neighbours
are."""

import pytest
from google.rpc import error_details_pb2
from prepaid.billing.v1.transactions_pb2 import BatchDeductCreditsRequest, DeductCreditsRequest

from billing_service.api.message_sizes import BY_METHOD
from tests.end_to_end.refused_requests import OTHER, bad_fields
from tests.support.stack import CREDIT
from tests.support.wire import key, outcomes, request_of, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

REUSED = ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")
FIVE = 5 * CREDIT


def deduction(account_id, amount=CREDIT, **fields):
    return {"account_id": account_id, "amount_microcredits": amount, "idempotency_key": key(), **fields}


async def batch(wire, *deductions):
    """The outcomes of these, and that the service answered each."""
    request = BatchDeductCreditsRequest(deductions=[request_of("DeductCredits", fields) for fields in deductions])
    answer = await wire.bytes_call("BatchDeductCredits", request.SerializeToString())
    assert len(answer.outcomes) == len(deductions)
    return answer.outcomes


def reason_of(outcome):
    """The reason in a refused outcome's first detail; empty for a deduction that happened."""
    if outcome.HasField("deducted"):
        return ""
    info = error_details_pb2.ErrorInfo()
    assert outcome.refused.details[0].Unpack(info)
    assert info.domain == "prepaid.billing.v1"
    return info.reason


async def rich(wire, account_id, credits_=1000):
    await wire.do("GrantCredits", account_id=account_id, amount_microcredits=credits_ * CREDIT, reason="gift")
    return account_id


async def left(wire, account_id):
    return (await wire.call("GetBalance", account_id=account_id)).balance.available_microcredits


async def test_what_is_wrong_with_one_is_told_as_if_it_had_come_alone_and_touches_no_neighbour(wire, new_account):
    account_id = await rich(wire, new_account())
    wrong = [fields for rpc, fields, _ in [*bad_fields(), *OTHER] if rpc == "DeductCredits"]
    wrong = [{"idempotency_key": key(), **fields} for fields in wrong]
    wrong = [fields | {"account_id": account_id} if fields["account_id"] == "{payer}" else fields for fields in wrong]
    wrong += [
        {},
        deduction(new_account("nobody")),
        deduction(await rich(wire, new_account("poor"), 1), FIVE),
        deduction(account_id, idempotency_key="x" * 256),
    ]
    alone = [await wire.attempt("DeductCredits", **fields) for fields in wrong]
    good = [deduction(account_id, FIVE) for _ in range(len(wrong) + 1)]
    mixed = [good[0], *(fields for pair in zip(wrong, good[1:], strict=True) for fields in pair)]
    answered = await batch(wire, *mixed)
    assert [reason_of(outcome) for outcome in answered[::2]] == [""] * len(good)
    told_alone = [(error.status.value[0], error.message, error.reason) for error in alone]
    assert [(o.refused.code, o.refused.message, reason_of(o)) for o in answered[1::2]] == told_alone
    for outcome, error in zip(answered[1::2], alone, strict=True):
        bad_request = error_details_pb2.BadRequest()
        fields = [bad_request.field_violations for detail in outcome.refused.details if detail.Unpack(bad_request)]
        assert [(item.field, item.description) for item in (fields[0] if fields else [])] == list(error.violations)
    assert await left(wire, account_id) == 1000 * CREDIT - FIVE * len(good)


@pytest.mark.parametrize("count", [0, 1001])
async def test_an_empty_batch_and_one_too_long_are_refused_whole(wire, stored, new_account, count):
    account_id = await rich(wire, new_account())
    before = await row_counts(stored)
    refused = await wire.error("BatchDeductCredits", deductions=[deduction(account_id) for _ in range(count)])
    assert told(refused) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert refused.violations == (("deductions", f"{count} deductions; from 1 to 1000 are taken"),)
    assert await row_counts(stored) == before


async def test_bytes_beyond_the_batchs_own_limit_and_bytes_that_are_no_batch_are_refused_whole(
    wire, stored, new_account
):
    account_id = await rich(wire, new_account())
    before = await row_counts(stored)
    request = BatchDeductCreditsRequest(
        deductions=[DeductCreditsRequest(**deduction(account_id)), DeductCreditsRequest(account_id="x" * 2**20)]
    )
    for raw in (request.SerializeToString(), request.SerializeToString()[:-1], b"\x0a\x02\xff\xfe"):
        with pytest.raises(Exception, match="request: ") as refused:
            await wire.bytes_call("BatchDeductCredits", raw)
        assert told(refused.value) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert await row_counts(stored) == before


async def test_a_key_twice_in_one_batch_replays_or_is_reused(wire, new_account):
    account_id = await rich(wire, new_account())
    first = deduction(account_id, FIVE)
    answered = await batch(
        wire, first, first, first | {"amount_microcredits": CREDIT}, first | {"description": "words"}, first
    )
    assert [reason_of(outcome) for outcome in answered] == [
        "",
        "",
        "IDEMPOTENCY_KEY_REUSED",
        "IDEMPOTENCY_KEY_REUSED",
        "",
    ]
    original, *replays = [outcome.deducted for outcome in answered if outcome.HasField("deducted")]
    assert not original.replayed
    original.replayed = True
    assert replays == [original] * 2
    assert await left(wire, account_id) == 1000 * CREDIT - FIVE


async def test_a_refusal_in_a_batch_spends_no_key(wire, new_account):
    account_id = await rich(wire, new_account(), 3)
    short = deduction(account_id, FIVE)
    answered = await batch(wire, short, deduction(account_id, CREDIT), short)
    assert [reason_of(outcome) for outcome in answered] == ["INSUFFICIENT_CREDITS", "", "INSUFFICIENT_CREDITS"]
    await rich(wire, account_id, 10)
    (answered,) = await batch(wire, short)
    assert not answered.deducted.replayed
    assert answered.deducted.balance.available_microcredits == 7 * CREDIT


async def test_a_thousand_at_once_on_hot_accounts_each_once_and_in_their_order(wire, new_account):
    accounts = [await rich(wire, new_account("hot")) for _ in range(3)]
    sent = [deduction(accounts[number % 3], 1 + number) for number in range(1000)]
    answered = await batch(wire, *sent)
    for start, account_id in enumerate(accounts):
        own = [outcome.deducted for outcome in answered[start::3]]
        assert [each.deducted_microcredits for each in own] == [
            fields["amount_microcredits"] for fields in sent[start::3]
        ]
        assert [each.balance.account_version for each in own] == list(range(2, len(own) + 2)), (
            "they took effect in another order"
        )
        assert await left(wire, account_id) == 1000 * CREDIT - sum(each.deducted_microcredits for each in own)
    again = await batch(wire, *sent)
    assert all(outcome.deducted.replayed for outcome in again)
    assert [outcome.deducted.transaction_id for outcome in again] == [
        outcome.deducted.transaction_id for outcome in answered
    ]


async def test_batches_at_once_never_overspend(wire, new_account):
    account_id = await rich(wire, new_account(), 30)
    answered = await outcomes(*(batch(wire, *(deduction(account_id) for _ in range(10))) for _ in range(5)))
    reasons = [reason_of(outcome) for each in answered for outcome in each]
    assert (reasons.count(""), reasons.count("INSUFFICIENT_CREDITS")) == (30, 20)
    assert await left(wire, account_id) == 0


async def test_outcomes_that_do_not_fit_are_left_out_by_name_and_found_out_alone(wire, new_account, monkeypatch):
    account_id = await rich(wire, (new_account() + "\N{GRINNING FACE}" * 128)[:128])
    sent = [deduction(account_id) for _ in range(20)]
    small = BY_METHOD["BatchDeductCredits"]._replace(response_bytes_max=8_000)
    monkeypatch.setitem(BY_METHOD, "BatchDeductCredits", small)
    request = BatchDeductCreditsRequest(deductions=[DeductCreditsRequest(**fields) for fields in sent])
    answer = await wire.bytes_call("BatchDeductCredits", request.SerializeToString())
    assert 7_000 < answer.ByteSize() <= 8_000
    reasons = [reason_of(outcome) for outcome in answer.outcomes]
    omitted = reasons.count("OUTCOME_OMITTED")
    assert 0 < omitted < 20
    assert reasons == [""] * (20 - omitted) + ["OUTCOME_OMITTED"] * omitted
    for fields in sent:
        assert (await wire.call("DeductCredits", **fields)).replayed
    assert await left(wire, account_id) == 980 * CREDIT


async def test_a_batch_does_not_evade_the_bound_on_calls_in_flight(stack, wire, stored, new_account):
    account_id = await rich(wire, new_account())
    admission, before = stack.service.server.edge.admission, await row_counts(stored)
    others = admission.in_flight_max - 10
    admission.in_flight += others
    try:
        refused = await wire.error("BatchDeductCredits", deductions=[deduction(account_id) for _ in range(41)])
        assert (told(refused), bool(refused.retry_after_s)) == (("RESOURCE_EXHAUSTED", "OVERLOADED"), True)
        assert await row_counts(stored) == before
        assert [reason_of(outcome) for outcome in await batch(wire, *(deduction(account_id) for _ in range(40)))] == [
            ""
        ] * 40
        assert admission.in_flight == others
    finally:
        admission.in_flight -= others
