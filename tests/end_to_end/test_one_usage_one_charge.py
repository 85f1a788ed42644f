"""One usage, one charge: a key that one method charged by is refused to every other, and repeated by its own."""

import pytest
from billing_client.errors import BillingError

from tests.end_to_end.test_batches_of_deductions import rich
from tests.support.metered import Metered, tokens
from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = "the-usage"


class World:
    """An account, and what charges it under one key. Each way is the same request whenever it is taken."""

    def __init__(self, wire, account_id):
        self.wire, self.account_id = wire, account_id

    async def hold(self):
        """What captures are charged to."""
        fields = {"account_id": self.account_id, "amount_microcredits": CREDIT}
        self.hold_id = (await self.wire.do("HoldCredits", **fields)).hold.hold_id

    async def has(self):
        """Microcredits, those under holds too."""
        shown = (await self.wire.call("GetBalance", account_id=self.account_id)).balance
        return shown.available_microcredits + shown.held_microcredits

    async def deduct(self):
        fields = {"account_id": self.account_id, "amount_microcredits": CREDIT, "idempotency_key": KEY}
        return (await self.wire.call("DeductCredits", **fields)).transaction_id

    async def deduct_usage(self):
        fields = {"account_id": self.account_id, "usage": tokens(100, 10), "idempotency_key": KEY}
        return (await self.wire.call("DeductCredits", **fields)).transaction_id

    async def capture(self):
        fields = {"account_id": self.account_id, "hold_id": self.hold_id, "idempotency_key": KEY}
        return (await self.wire.call("CaptureHold", **fields, usage=tokens(100, 10))).transaction_id

    async def session(self):
        session = Metered(self.wire)
        fields = {"account_id": self.account_id, "idempotency_key": KEY, "slice_microcredits": CREDIT}
        await session.send(open=fields)
        what, answer = await session.says()
        if what == "opened":
            answer = await session.close(usage=tokens(100, 10))
        return answer.transaction_id


WAYS = ("deduct", "deduct_usage", "capture", "session")


@pytest.mark.parametrize("first", WAYS)
async def test_a_key_charges_one_usage_by_one_method(wire, new_account, first):
    for second in WAYS:
        account_id = await rich(wire, new_account())
        world = World(wire, account_id)
        await world.hold()
        charged_by = await getattr(world, first)()
        before = await world.has()
        if second == first:
            assert await getattr(world, second)() == charged_by
        else:
            with pytest.raises(BillingError) as refused:
                await getattr(world, second)()
            assert refused.value.reason == "IDEMPOTENCY_KEY_REUSED", second
            same_method = {first, second} == {"deduct", "deduct_usage"}
            assert refused.value.metadata.get("transaction_id", "") == ("" if same_method else charged_by), second
        assert await world.has() == before, second
