"""A key that is bound to accounts acts on those alone, whatever RPC is called, and learns of no other whether it
exists."""

from contextlib import asynccontextmanager

import grpc
from prepaid.billing.v1 import scopes_pb2, transactions_pb2

from billing_service.api.bound_keys import OF_NO_ACCOUNT, OF_WHAT_IS_FOUND
from billing_service.bootstrap import open_service
from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from billing_service.settings import load_settings
from tests.security.every_rpc import METHODS, call, reason_of, valid_request
from tests.support.stack import CREDIT, PEPPER, environment, joined_stack
from tests.support.wire import row_counts

OWN, FOREIGN, NOWHERE = "bound-own", "bound-foreign", "bound-nowhere"
REFUSED = (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_ALLOWED")
EVERY_SCOPE = [number for number in scopes_pb2.Scope.values() if number]


@asynccontextmanager
async def bound_service(database):
    """The service with keys required, the ids of what two accounts have, and the secret of a key bound to one of
    them."""
    async with serve_sandbox(SandboxConfig()) as sandbox_url:
        ids = {}
        async with joined_stack(database.url, sandbox_url) as stack:
            for account_id in (OWN, FOREIGN):
                bought = await stack.buy(account_id)
                refunded = await stack.client.refund(purchase_id=bought.purchase_id, amount_minor=100)
                spent = await stack.client.deduct_credits(account_id=account_id, amount_microcredits=CREDIT)
                ids[account_id] = {
                    "account_id": account_id,
                    "purchase_id": bought.purchase_id,
                    "refund_id": refunded.refund.refund_id,
                    "transaction_id": spent.transaction_id,
                }
        settings = environment(database.url, sandbox_url, BILLING_AUTH="keys")
        async with (
            open_service(load_settings(settings)) as service,
            grpc.aio.insecure_channel(service.address) as channel,
        ):
            store = service.environment.store
            admin = await create_key_directly(store, system_clock_us, PEPPER.encode(), "operator", [Scope.ADMIN])
            request = valid_request("CreateApiKey")
            request.scopes[:] = EVERY_SCOPE
            request.account_ids[:] = [OWN, "bound-other"]
            made = (await call(channel, "CreateApiKey", request, key=admin)).answer
            assert list(made.api_key.account_ids) == sorted([OWN, "bound-other"])
            yield channel, made.secret, ids


def about(name, ids):
    """A valid request about what these ids name."""
    request = valid_request(name)
    for field in request.DESCRIPTOR.fields:
        if field.name in ids:
            setattr(request, field.name, ids[field.name])
    if name == "BatchDeductCredits":
        request.deductions[0].account_id = ids["account_id"]
    if name == "StreamDeductions":
        request.deduction.account_id = ids["account_id"]
    if name == "MeterSession":
        request.open.account_id = ids["account_id"]
    return request


async def test_every_rpc_is_judged_by_its_account_before_anything_is_looked_up(database):
    async with bound_service(database) as (channel, key, ids):
        nowhere = {"account_id": NOWHERE, "purchase_id": "pur_nowhere", "refund_id": "ref_nowhere"}
        nowhere |= {"transaction_id": ids[OWN]["transaction_id"]}
        before, told = await row_counts(database), set()
        for name in METHODS.keys() - OF_NO_ACCOUNT:
            for other in (ids[FOREIGN], nowhere):
                seen = await call(channel, name, about(name, other), key=key)
                assert (seen.code, seen.reason) == REFUSED, f"{name}: {seen}"
                told.add(seen.text)
        assert len(told) == 1, told
        assert await row_counts(database) == before


async def test_its_own_account_is_served_and_what_is_nobodys_is_read(database):
    async with bound_service(database) as (channel, key, ids):
        for name, method in METHODS.items():
            if "account_id" in method.input_type.fields_by_name or name in OF_NO_ACCOUNT | OF_WHAT_IS_FOUND:
                seen = await call(channel, name, about(name, ids[OWN]), key=key)
                assert seen.reason != "ACCOUNT_NOT_ALLOWED", f"{name}: {seen}"
        assert (await call(channel, "GetBalance", about("GetBalance", ids[OWN]), key=key)).code is grpc.StatusCode.OK


async def test_in_a_batch_one_that_is_not_allowed_touches_no_other(database):
    async with bound_service(database) as (channel, key, ids):
        request = transactions_pb2.BatchDeductCreditsRequest(
            deductions=[about("DeductCredits", ids[each]) for each in (OWN, FOREIGN, OWN)]
        )
        method = METHODS["BatchDeductCredits"]
        rpc = channel.unary_unary(
            f"/{method.containing_service.full_name}/BatchDeductCredits",
            request_serializer=transactions_pb2.BatchDeductCreditsRequest.SerializeToString,
            response_deserializer=transactions_pb2.BatchDeductCreditsResponse.FromString,
        )
        outcomes = (await rpc(request, metadata=(("authorization", f"Bearer {key}"),))).outcomes
        assert [each.HasField("deducted") for each in outcomes] == [True, False, True]
        assert reason_of(outcomes[1].refused) == "ACCOUNT_NOT_ALLOWED"
