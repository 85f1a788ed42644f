"""A key bound to spenders charges for them whatever it sends, and sets no limits."""

from contextlib import AsyncExitStack

import pytest
from billing_client.errors import InvalidField

from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from tests.end_to_end.money import deduct, grant
from tests.support.metered import Metered, tokens
from tests.support.stack import CREDIT, PEPPER, running_stack
from tests.support.wire import Wire, key


async def test_a_bound_key_counts_for_its_spenders_first(database, new_account):
    account_id = new_account()
    async with AsyncExitStack() as running:
        stack = await running.enter_async_context(running_stack(database.url, BILLING_AUTH="keys"))
        store = stack.service.environment.store
        secret = await create_key_directly(store, system_clock_us, PEPPER.encode(), "operator", [Scope.ADMIN])
        operator = await running.enter_async_context(Wire(stack.service.address, secret))
        scopes = [number for number, scope in enumerate(Scope, 1) if scope in {Scope.DEDUCT, Scope.PURCHASE}]
        made = await operator.do("CreateApiKey", caller="agents", scopes=scopes, spender_ids=["team", "agent"])
        assert list(made.api_key.spender_ids) == ["team", "agent"]
        agent = await running.enter_async_context(Wire(stack.service.address, made.secret))
        await grant(operator, account_id, 100)
        limit = {"account_id": account_id, "window": 1, "limit_microcredits": 5 * CREDIT}
        assert (await agent.error("SetSpendLimit", **limit, idempotency_key=key())).reason == "SPENDER_NOT_ALLOWED"
        await operator.do("SetSpendLimit", **limit, spender_id="agent")
        await deduct(agent, account_id, 4)
        more = {"account_id": account_id, "amount_microcredits": 2 * CREDIT, "idempotency_key": key()}
        for rpc in ("DeductCredits", "HoldCredits"):
            refused = await agent.error(rpc, **more)
            assert (refused.reason, refused.metadata["spender_id"]) == ("SPEND_LIMIT_REACHED", "agent")
            for sent in (["team"], ["a", "b", "c"]):
                wrong = await agent.error(rpc, **more, spender_ids=sent)
                assert (wrong.reason, wrong.metadata["field"]) == ("INVALID_FIELD", "spender_ids")
        await deduct(operator, account_id, 2)
        with pytest.raises(InvalidField):
            await Metered(agent).open(account_id, spender_ids=["agent"])
        session = Metered(agent)
        opened = await session.open(account_id, slice_microcredits=CREDIT, spender_ids=["tool"])
        hold = (await operator.call("GetHold", account_id=account_id, hold_id=opened.session_id)).hold
        assert list(hold.spender_ids) == ["team", "agent", "tool"]
        await session.send(tick={"sequence": 1, "usage": tokens(0, 2_000)})
        stop, _ = await session.told("stop")
        assert (stop.reason, stop.spend_limit.spender_id) == (4, "agent")
        assert (await session.close()).charged_microcredits == CREDIT
