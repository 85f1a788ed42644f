"""ListAllPurchases over a real socket, on both stores: whose purchases, which, and in which order."""

from datetime import UTC, timedelta

import pytest
from billing_client import PurchaseStatus
from google.protobuf.json_format import MessageToDict

from billing_service.commands.sales import all_purchases
from tests.support.stack import running_stack
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPLETED, PENDING = PurchaseStatus.PURCHASE_STATUS_COMPLETED, PurchaseStatus.PURCHASE_STATUS_PENDING


async def listed(wire, **filters):
    """Ids of all pages, and how many pages it took."""
    found, token, pages = [], "", 0
    while True:
        page = await wire.call("ListAllPurchases", page_token=token, **filters)
        found += [each.purchase_id for each in page.purchases]
        token, pages = page.next_page_token, pages + 1
        if not token:
            return found, pages


async def test_purchases_of_all_accounts_are_listed_by_state_package_and_time(database, monkeypatch):
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as wire:
        assert await listed(wire) == ([], 1)
        made = [await stack.buy(f"buyer-{number}") for number in range(4)]
        custom = (await wire.do("CreatePurchase", account_id="buyer-1", custom_amount_minor=700)).purchase
        made.append(custom)
        ids = [each.purchase_id for each in reversed(made)]
        assert await listed(wire) == (ids, 1)
        assert await listed(wire, page_size=5) == (ids, 1)
        assert await listed(wire, page_size=2) == (ids, 3)
        assert await listed(wire, statuses=[COMPLETED]) == (ids[1:], 1)
        assert await listed(wire, statuses=[COMPLETED, PENDING]) == (ids, 1)
        assert await listed(wire, package_code="starter") == (ids[1:], 1)
        assert await listed(wire, package_code="none-of-these") == ([], 1)
        second = MessageToDict(made[1])["createTime"]
        assert await listed(wire, start_time=second) == (ids[:-1], 1)
        assert await listed(wire, end_time=second) == (ids[-1:], 1)
        monkeypatch.setattr(all_purchases, "LOOKED_AT_MAX", 2)
        found, pages = await listed(wire, statuses=[PENDING])
        assert found == [custom.purchase_id]
        assert pages == 3, "a page looks at so many purchases, whatever it finds"
        assert [each.purchase_id async for each in stack.client.iter_all_purchases(page_size=1)] == ids
        since = made[1].create_time.ToDatetime(UTC) + timedelta(microseconds=1)
        assert [each.purchase_id async for each in stack.client.iter_all_purchases(start_time=since)] == ids[:-2]


async def test_what_is_pending_of_refunds_is_shown_and_tokens_hold_for_their_filters(stack, wire, new_account):
    bought = [await stack.buy(new_account()) for _ in range(2)]
    await wire.do("Refund", purchase_id=bought[0].purchase_id, amount_minor=100)
    shown = {each.purchase_id: each for each in (await wire.call("ListAllPurchases", page_size=1000)).purchases}
    for each in bought:
        assert shown[each.purchase_id] == (await wire.call("GetPurchase", purchase_id=each.purchase_id)).purchase
    token = (await wire.call("ListAllPurchases", page_size=1)).next_page_token
    for other in ({"statuses": [COMPLETED]}, {"package_code": "starter"}, {"end_time": "2030-01-01T00:00:00Z"}):
        refused = await wire.refusal("ListAllPurchases", page_token=token, **other)
        assert refused == ("INVALID_ARGUMENT", "INVALID_FIELD")
