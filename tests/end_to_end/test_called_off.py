"""Calling a purchase off while it is being made: whoever is first, no page stays open for a purchase that is
canceled."""

import asyncio

import pytest
from billing_client.errors import BillingError
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_CANCELED

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRIES = 12


async def test_a_canceled_purchase_has_no_open_page(stack, new_account):
    canceled = 0
    for _ in range(TRIES):
        account = new_account()
        making = asyncio.create_task(stack.client.create_purchase(account_id=account, package_code="starter"))
        purchase_id = await first_purchase(stack, account)
        try:
            answer = await stack.client.cancel_purchase(purchase_id=purchase_id)
        except BillingError:
            await making
            continue
        assert answer.purchase.status == PURCHASE_STATUS_CANCELED
        canceled += 1
        url = (await making).purchase.checkout_url
        if url:
            assert (await stack.pay(url)).status_code != 303
    assert canceled
    await stack.webhooks()


async def first_purchase(stack, account):
    """The id of the account's purchase, as soon as anybody can see it."""
    while True:
        try:
            listed = await stack.client.list_purchases(account_id=account)
        except BillingError:  # the account is not there yet
            continue
        if listed.purchases:
            return listed.purchases[0].purchase_id
