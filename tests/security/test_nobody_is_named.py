"""What people are called, and what was written of them: through a whole story at DEBUG in the database, and in no log
and no metric."""

import json

from google.protobuf.descriptor import FieldDescriptor
from prepaid.billing.v1 import sessions_pb2, transactions_pb2

from tests.security.every_rpc import METHODS, call, valid_request
from tests.security.secret_canaries import deliver_signed, found, metrics, running_product, stored

EMAIL, NAME, HOLDER = "canary.mail+1@example.com", "Canarius Nomen", "Canarius Holder"
WORDS, VALUE, REASON = "canary words", "canary value", "canary reason"
ODD = "canary\x00odd"
STORED = [EMAIL, NAME, WORDS, VALUE, REASON]
PERSONAL = ("email", "name", "description", "reason")


async def tell_the_story(stack, channel, key):
    """Everything that says something of a person, and everything that refuses it."""
    client = stack.client
    about = {"email": EMAIL, "name": NAME, "metadata": {"note": VALUE}}
    referrer = await client.create_account(account_id="referrer", **about)
    await client.create_account(account_id="buyer", referral_code=referrer.account.referral_code)
    await client.update_account(account_id="buyer", **about)
    made = await client.create_purchase(account_id="buyer", package_code="starter", metadata={"note": VALUE})
    assert (await stack.pay(made.purchase.checkout_url, email=EMAIL, name=HOLDER)).status_code == 303
    await stack.webhooks()
    spent = await client.deduct_credits(
        account_id="buyer", amount_microcredits=5, description=WORDS, metadata={"note": VALUE}
    )
    await client.reverse_deduction(account_id="buyer", transaction_id=spent.transaction_id, reason=REASON)
    await client.grant_credits(account_id="buyer", amount_microcredits=5, reason=REASON)
    await client.adjust_credits(account_id="buyer", amount_microcredits=-5, reason=REASON)
    for frozen in (True, False):
        await client.freeze_account(account_id="buyer", frozen=frozen, reason=REASON)
    await client.set_overdraft_limit(account_id="buyer", overdraft_limit_microcredits=5, reason=REASON)
    await client.refund(purchase_id=made.purchase.purchase_id, reason=REASON)
    await stack.webhooks()
    customer = (await client.get_account(account_id="buyer")).account.stripe_customer_id
    person = {
        "id": customer,
        "object": "customer",
        "livemode": False,
        "email": EMAIL,
        "name": HOLDER,
        "metadata": {"note": VALUE},
    }
    told, _ = await deliver_signed(stack, {"type": "customer.updated", "data": {"object": person}})
    assert told.startswith("200"), told
    for name in METHODS:
        for words in (WORDS, WORDS * 1_000, ODD):
            await call(channel, name, in_words(valid_request(name), words), key=key)


def in_words(request, words):
    """Says these words wherever a request has room for a person's."""
    for field in request.DESCRIPTOR.fields:
        if field.name in PERSONAL and field.type == FieldDescriptor.TYPE_STRING:
            setattr(request, field.name, words)
        elif field.name == "metadata" and field.is_repeated:
            request.metadata[words] = words
    if isinstance(request, transactions_pb2.BatchDeductCreditsRequest):
        in_words(request.deductions[0], words)
    if isinstance(request, transactions_pb2.StreamDeductionsRequest):
        in_words(request.deduction, words)
    if isinstance(request, sessions_pb2.MeterSessionRequest):
        in_words(request.open, words)
    return request


async def test_nobody_is_named_in_logs_and_metrics(database, forker, processes, tmp_path):
    async with running_product(database, forker, processes, tmp_path / "service.log") as product:
        await tell_the_story(product.stack, product.channel, product.key)
        shown = await metrics(*product.metrics_ports)
        kept = stored(database)
        assert await product.stack.service.stop() == 0
        logged = product.logged()
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    assert {line.get("method") for line in lines if line["event"] == "rpc"} >= METHODS.keys(), (
        "every method has lines here"
    )
    assert found(STORED, kept) == STORED, "all of it was said"
    named = [line for line in lines if "canar" in json.dumps(line).lower()]
    assert not named
    assert "canar" not in f"{logged}{shown}".lower()
