"""Every RPC, every way to ask wrongly: the exact status, the exact reason, the field by name, and nothing stored."""

import random

import pytest
import pytest_asyncio
from billing_client.errors import BillingError, InvalidField

from tests.end_to_end.refused_requests import OTHER, bad_fields
from tests.end_to_end.requests_refused_by_state import REFUSED
from tests.end_to_end.valid_requests import VALID
from tests.support.stack import CREDIT
from tests.support.wire import METHODS, WRITES, key, outcomes, row_counts, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

_worlds = {}


@pytest_asyncio.fixture(loop_scope="session")
async def world(stack, wire, new_account):
    """What the placeholders in the tables stand for; made once for each store."""
    if id(stack) not in _worlds:
        payer, other = new_account("payer"), new_account("other")
        paid, given_back = await stack.buy(payer), await stack.buy(payer)
        refunded = await stack.client.refund(purchase_id=given_back.purchase_id, amount_minor=1)
        pending = await stack.client.create_purchase(account_id=payer, package_code="starter")
        deduction = await stack.client.deduct_credits(account_id=payer, amount_microcredits=5 * CREDIT)
        held = await wire.do("HoldCredits", account_id=payer, amount_microcredits=5 * CREDIT)
        closed = await wire.do("HoldCredits", account_id=payer, amount_microcredits=CREDIT)
        await wire.do("ReleaseHold", account_id=payer, hold_id=closed.hold.hold_id)
        grant = await wire.do("GrantCredits", account_id=other, amount_microcredits=CREDIT, reason="gift")
        moved = await wire.do("GrantCredits", account_id=payer, amount_microcredits=CREDIT, reason="gift")
        await wire.do("AdjustCredits", account_id=other, amount_microcredits=CREDIT, reason="more")
        await stack.webhooks()
        events = (await stack.client.list_stripe_events()).events
        assert grant.lot_id
        _worlds[id(stack)] = {
            "payer": payer,
            "other": other,
            "free": "nobody-yet",
            "paid": paid.purchase_id,
            "session": paid.checkout_session_id,
            "pending": pending.purchase.purchase_id,
            "refund": refunded.refund.refund_id,
            "deduction": deduction.transaction_id,
            "hold": held.hold.hold_id,
            "closed": closed.hold.hold_id,
            "grant": moved.transaction_id,
            "code": (await wire.call("GetReferral", account_id=other)).referral_code,
            "event": next(event.event_id for event in events if event.event_type == "checkout.session.completed"),
            "foreign_token": (await wire.call("ListTransactions", account_id=other, page_size=1)).next_page_token,
        }
    return _worlds[id(stack)]


def filled(fields, world):
    return {
        name: value.format(**world) if isinstance(value, str) and value.startswith("{") else value
        for name, value in fields.items()
    }


async def test_fields_that_are_wrong_are_named(wire, world, stored):
    assert world["foreign_token"]
    before, wrong = await row_counts(stored), []
    for rpc, fields, field in [*bad_fields(), *OTHER]:
        sent = filled(fields, world)
        if rpc in WRITES:
            sent = {"idempotency_key": key(), **sent}
        try:
            answer = await wire.call(rpc, **sent)
        except BillingError as error:
            named = [name for name, description in error.violations if description]
            if told(error) != ("INVALID_ARGUMENT", "INVALID_FIELD") or named != [field]:
                wrong.append((rpc, field, fields, str(error), named))
        else:
            wrong.append((rpc, field, fields, answer))
    assert not wrong
    assert await row_counts(stored) == before


async def test_refusals_have_their_own_status_and_reason(wire, world, stored):
    before, wrong = await row_counts(stored), []
    for rpc, fields, status, reason in REFUSED:
        spare = {"idempotency_key": key()} if rpc in WRITES else {}
        try:
            answer = await wire.call(rpc, **spare, **filled(fields, world))
        except BillingError as error:
            if told(error) != (status, reason):
                wrong.append((rpc, fields, reason, str(error)))
        else:
            wrong.append((rpc, fields, reason, answer))
    assert not wrong
    assert await row_counts(stored) == before


async def test_the_tables_know_every_rpc():
    assert VALID.keys() == METHODS.keys()
    assert len(WRITES) == 23
    writing = {
        "Create",
        "Update",
        "Cancel",
        "Deduct",
        "Hold",
        "Capture",
        "Release",
        "Extend",
        "Reverse",
        "Refund",
        "Apply",
        "Grant",
        "Adjust",
        "Freeze",
        "Set",
        "Replay",
        "Revoke",
        "ReRate",
    }
    assert set(WRITES) == {name for name in METHODS if any(name.startswith(word) for word in writing)}


async def test_a_valid_request_of_the_table_is_valid(wire, world):
    """Else the tables above would prove nothing: each of their requests is one of these with one field spoilt."""
    for rpc in (
        "GetAccount",
        "GetBalance",
        "WatchBalance",
        "TailEvents",
        "ListTransactions",
        "ListPackages",
        "GetPurchase",
        "ListPurchases",
        "QuoteRefund",
        "ListRefunds",
        "GetRefund",
        "GetReferral",
        "GetCheckoutStatus",
        "GetHold",
        "ListHolds",
    ):
        await wire.call(rpc, **filled(VALID[rpc], world))
    for rpc in (
        "ListAccounts",
        "ListAllPurchases",
        "ListStripeEvents",
        "ListApiKeys",
        "ListAuditRecords",
        "VerifyLedger",
        "Reconcile",
        "ListWebhookDeliveries",
    ):
        await wire.call(rpc, **filled(VALID[rpc], world))
    for rpc in (
        "UpdateAccount",
        "DeductCredits",
        "HoldCredits",
        "ExtendHold",
        "CaptureHold",
        "GrantCredits",
        "AdjustCredits",
        "FreezeAccount",
        "SetOverdraftLimit",
        "ReplayStripeEvent",
        "ReRate",
    ):
        await wire.do(rpc, **filled(VALID[rpc], world))


@pytest.mark.parametrize("rpc", sorted(METHODS))
async def test_garbage_is_never_a_defect(wire, stored, rpc):
    """Random bytes, half messages, wrong types: a typed answer, and nothing stored."""
    chance = random.Random(rpc)
    before, taken = await row_counts(stored), 0
    valid = METHODS[rpc].input_type
    for _ in range(25):
        raw = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 60)))
        if chance.random() < 0.5 and valid.fields:
            number = chance.choice(list(valid.fields)).number
            raw = bytes([number << 3 | chance.choice((0, 2)), chance.randrange(128)]) + raw
        answer = await outcomes(wire.bytes_call(rpc, raw))
        if isinstance(answer[0], BillingError):
            assert told(answer[0])[0] in ("INVALID_ARGUMENT", "NOT_FOUND"), (raw, answer)
            assert answer[0].reason, (raw, answer)
        else:
            taken += 1
    assert rpc not in WRITES or not taken
    assert await row_counts(stored) == before


async def test_a_request_that_is_too_large_is_refused(wire, stack):
    raw = b"\x0a\x80\x80\x08" + b"a" * 131_072
    with pytest.raises(InvalidField):
        await wire.bytes_call("GetBalance", raw)
    with pytest.raises(InvalidField):
        await wire.deliver(b" " * (256 * 1024 + 1))
    assert (await stack.client.list_packages()).packages


async def test_words_in_any_script_are_kept_as_they_are(wire, new_account):
    account_id = new_account("账户 λ ñ 😀")
    made = await wire.do(
        "CreateAccount",
        account_id=account_id,
        name="Zoë\nŁukasz\t😀",
        email="ü@exämple.org",
        metadata={"ключ": "值" * 500},
    )
    read = (await wire.call("GetAccount", account_id=account_id)).account
    assert (read.account_id, read.name, dict(read.metadata)) == (account_id, "Zoë\nŁukasz\t😀", {"ключ": "值" * 500})
    assert made.account.email == "ü@exämple.org"


async def test_accounts_of_the_longest_ids_can_be_listed(wire, new_account):
    made = {(new_account("长") + "😀" * 128)[:128] for _ in range(3)}
    for account_id in made:
        await wire.do("GrantCredits", account_id=account_id, amount_microcredits=1, reason="gift")
    listed, token = [], ""
    while True:
        page = await wire.call("ListAccounts", page_size=1, page_token=token)
        listed += [account.account_id for account in page.accounts]
        token = page.next_page_token
        if not token:
            break
    assert made <= set(listed)
    assert listed == sorted(set(listed), key=lambda text: text.encode())
