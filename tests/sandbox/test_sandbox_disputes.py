"""Disputes of the stand-in, by the SDK: what the test cards bring about, what evidence decides, and what is refused."""

from typing import Any

import pytest
import stripe

from tests.sandbox.sandbox_running import Running

CREATED, OUT, UPDATED, BACK, CLOSED = (
    f"charge.dispute.{what}" for what in ("created", "funds_withdrawn", "updated", "funds_reinstated", "closed")
)


async def disputed(sandbox: Running, number: str) -> Any:
    session = await sandbox.session()
    await sandbox.pay(session.id, number)
    (dispute,) = (await sandbox.stripe.v1.disputes.list_async()).data
    return dispute


async def told(sandbox: Running) -> list[str]:
    return [event.type for event in await sandbox.events(CREATED, OUT, UPDATED, BACK, CLOSED)]


@pytest.mark.parametrize("number", ["4000000000000259", "4000000000002685"])
async def test_a_card_that_disputes(sandbox: Running, number: str) -> None:
    dispute = await disputed(sandbox, number)
    assert (dispute.status, dispute.amount, dispute.is_charge_refundable) == ("needs_response", 1000, False)
    assert [entry.amount for entry in dispute.balance_transactions] == [-1000]
    assert await told(sandbox) == [CREATED, OUT]
    first, _ = await sandbox.events(CREATED, OUT)
    assert first.data.object["balance_transactions"] == []
    charge = await sandbox.stripe.v1.charges.retrieve_async(str(dispute.charge))
    assert charge.disputed
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await sandbox.stripe.v1.refunds.create_async({"charge": charge.id})
    assert refused.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("evidence", "status", "events", "left"),
    [
        ("winning_evidence", "won", [CREATED, OUT, UPDATED, CLOSED, BACK], 0),
        ("losing_evidence", "lost", [CREATED, OUT, UPDATED, CLOSED], -1000),
        ("our logs", "under_review", [CREATED, OUT, UPDATED], -1000),
    ],
)
async def test_what_evidence_decides(
    sandbox: Running, *, evidence: str, status: str, events: list[str], left: int
) -> None:
    dispute = await disputed(sandbox, "4000000000000259")
    disputes = sandbox.stripe.v1.disputes
    staged = await disputes.update_async(
        dispute.id, {"evidence": {"access_activity_log": "a"}, "submit": False, "metadata": {"case": "7"}}
    )
    assert (staged.status, staged.metadata["case"]) == ("needs_response", "7")
    await disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": evidence}})
    after = await disputes.retrieve_async(dispute.id)
    assert (after.status, sum(entry.amount for entry in after.balance_transactions)) == (status, left)
    assert await told(sandbox) == events
    if status != "under_review":
        with pytest.raises(stripe.InvalidRequestError, match="already closed"):
            await disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": "more"}})
        with pytest.raises(stripe.InvalidRequestError, match="already closed"):
            await disputes.close_async(dispute.id)


async def test_a_dispute_that_is_accepted_is_lost(sandbox: Running) -> None:
    dispute = await disputed(sandbox, "4000000000000259")
    assert (await sandbox.stripe.v1.disputes.close_async(dispute.id)).status == "lost"
    assert await told(sandbox) == [CREATED, OUT, CLOSED]


@pytest.mark.parametrize(
    ("evidence", "status", "events"),
    [
        ("winning_evidence", "warning_closed", [CREATED, UPDATED, CLOSED]),
        ("losing_evidence", "warning_closed", [CREATED, UPDATED, CLOSED]),
        ("escalate_inquiry_evidence", "needs_response", [CREATED, UPDATED, UPDATED, OUT]),
    ],
)
async def test_an_inquiry(sandbox: Running, *, evidence: str, status: str, events: list[str]) -> None:
    dispute = await disputed(sandbox, "4000000000001976")
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    refund = await sandbox.stripe.v1.refunds.create_async({"charge": str(dispute.charge), "amount": 100})
    assert refund.status == "succeeded", "an inquiry stops no refund"
    await sandbox.stripe.v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": evidence}})
    assert (await sandbox.stripe.v1.disputes.retrieve_async(dispute.id)).status == status
    assert await told(sandbox) == events


async def test_a_warning(sandbox: Running) -> None:
    session = await sandbox.session()
    await sandbox.pay(session.id, "4000000000005423")
    (warning,) = (await sandbox.stripe.v1.radar.early_fraud_warnings.list_async()).data
    assert warning.actionable
    assert (await sandbox.stripe.v1.radar.early_fraud_warnings.retrieve_async(warning.id)).charge == warning.charge
    assert (await sandbox.stripe.v1.disputes.list_async()).data == []
    assert [event.type for event in await sandbox.events("radar.early_fraud_warning.created")] == [
        "radar.early_fraud_warning.created"
    ]


async def test_what_is_refused(sandbox: Running) -> None:
    dispute = await disputed(sandbox, "4000000000000259")
    disputes = sandbox.stripe.v1.disputes
    with pytest.raises(stripe.InvalidRequestError, match="at most 20000"):
        await disputes.update_async(dispute.id, {"evidence": {"access_activity_log": "x" * 20_001}})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await disputes.update_async(dispute.id, {"intended_submission_method": "manual"})
    assert refused.value.code == "not_offered_by_sandbox"
    with pytest.raises(stripe.InvalidRequestError, match="No such dispute"):
        await disputes.retrieve_async("dp_none")
