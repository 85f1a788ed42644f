"""Whether the checkout page takes Stripe's promotion codes is a setting; off unless it says so."""

import pytest

from tests.support.stack import STRIPE_KEY, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(("settings", "expected"), [({}, False), ({"BILLING_ALLOW_PROMOTION_CODES": "true"}, True)])
async def test_the_setting_reaches_stripe(database, settings, expected):
    async with running_stack(database.url, **settings) as stack:
        made = await stack.client.create_purchase(account_id="acme", package_code="starter")
        session = await stack.http.get(
            f"{stack.sandbox_url}/v1/checkout/sessions/{made.purchase.checkout_session_id}",
            headers={"Authorization": f"Bearer {STRIPE_KEY}"},
        )
    assert session.status_code == 200
    assert bool(session.json()["allow_promotion_codes"]) is expected
