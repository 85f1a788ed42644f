"""The caller's metadata of a purchase stand beside its payment at Stripe, within Stripe's limits; ours can't be
replaced by them."""

import pytest
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED

from billing_service.domain.deployment import MARK_FIELD
from tests.support.stack import STRIPE_KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

FULL = {f"k{number:02}": "v" * 500 for number in range(50)}
FORGED = {"purchase_id": "pur_of_another", "account_id": "another", MARK_FIELD: "0" * 32}
NOT_OURS_HERE = {"client_reference_id": "pur_of_another", "refund_id": "ref_of_another"}
ODD = {"a[b]": "1", "[": "2", "empty": "", "line": "one\ntwo", "ключ": "значение", "7": "seven", "n" * 40: "v"}


async def at_stripe(stack, path):
    answer = await stack.http.get(f"{stack.sandbox_url}/v1/{path}", headers={"Authorization": f"Bearer {STRIPE_KEY}"})
    answer.raise_for_status()
    return answer.json()


@pytest.mark.parametrize(
    "metadata", [{}, {"order": "7"}, FULL, FORGED | NOT_OURS_HERE, ODD, dict(list(FULL.items())[:45]) | FORGED]
)
async def test_metadata_reach_the_payment_and_refuse_no_purchase(stack, new_account, metadata):
    account_id = new_account()
    bought = await stack.buy(account_id, metadata=metadata)
    assert (bought.status, await stack.available(account_id)) == (COMPLETED, 1_000)
    assert dict(bought.metadata) == metadata, "all of it is kept here"
    session = await at_stripe(stack, f"checkout/sessions/{bought.checkout_session_id}")
    intent = await at_stripe(stack, f"payment_intents/{bought.payment_intent_id}")
    charge = await at_stripe(stack, f"charges/{intent['latest_charge']}")
    assert session["metadata"] == intent["metadata"] == charge["metadata"]
    sent = session["metadata"]
    assert (sent.pop("purchase_id"), sent.pop("account_id")) == (bought.purchase_id, account_id)
    assert sent.pop(MARK_FIELD) != "0" * 32
    fitting = [name for name, value in metadata.items() if value and not {"[", "]"} & set(name) and name not in FORGED]
    assert sent == {name: metadata[name] for name in sorted(fitting)[:47]}
    refund = await stack.client.refund(purchase_id=bought.purchase_id, amount_minor=100)
    assert refund.refund.stripe_refund_id
