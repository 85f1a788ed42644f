"""Every RPC against every kind of caller on the real service: who may not, learns nothing; no answer depends on what
exists."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import grpc
import pytest

from billing_service.api.identity import CACHE_S
from billing_service.bootstrap import open_service
from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access import api_keys
from billing_service.domain.access.api_keys import ENTROPY_BYTES, Scope, make_key
from billing_service.settings import load_settings
from billing_service.storage.rows.access import API_KEYS, read_key
from tests.security.every_rpc import METHODS, call, required_scope, valid_request
from tests.support.stack import PEPPER, environment

PEPPER_BYTES = PEPPER.encode()
REVOKED_WITHIN_S = 2 * CACHE_S
"""A key is believed for CACHE_S; as much again is a busy machine's."""
UNRECOGNISED = (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
NOT_ALLOWED = (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")


@asynccontextmanager
async def keyed_service(database):
    """The service with API keys required, and one key for each scope."""
    settings = environment(database.url, "http://127.0.0.1:9", BILLING_AUTH="keys", BILLING_MIGRATE_ON_START="false")
    async with open_service(load_settings(settings)) as service, grpc.aio.insecure_channel(service.address) as channel:
        store = service.environment.store
        keys = {
            scope.value: await create_key_directly(store, system_clock_us, PEPPER_BYTES, f"only-{scope.value}", [scope])
            for scope in Scope
        }
        yield service, channel, keys


def refusal(seen):
    return seen.code, seen.reason


async def test_who_lacks_the_scope_is_refused_before_anything_is_looked_up(database):
    async with keyed_service(database) as (_, channel, keys):
        for account_id in ("acct", "other"):
            seen = await call(
                channel, "GrantCredits", valid_request("GrantCredits", account_id=account_id), key=keys["admin"]
            )
            assert seen.code is grpc.StatusCode.OK
        for name in METHODS:
            needed = required_scope(name)
            for scope, key in keys.items():
                seen = await call(channel, name, valid_request(name), key=key)
                if scope in {needed, "admin"}:
                    assert refusal(seen) not in {UNRECOGNISED, NOT_ALLOWED}, f"{name} with {scope}"
                    assert seen.code not in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}, seen.everything
                    continue
                assert refusal(seen) == NOT_ALLOWED, f"{name} with {scope}: {seen}"
                garbage = await call(channel, name, b"\xff\xff not a message", key=key)
                assert garbage.everything == seen.everything, "the answer tells what was in the request"


async def test_whoever_is_not_recognised_hears_the_same_whatever_exists(database):
    async with keyed_service(database) as (service, channel, keys):
        store = service.environment.store
        revoked = await create_key_directly(store, system_clock_us, PEPPER_BYTES, "gone", list(Scope))
        ended = await call(
            channel, "RevokeApiKey", valid_request("RevokeApiKey", key_id=revoked.split("_")[1]), key=keys["admin"]
        )
        assert ended.code is grpc.StatusCode.OK
        expired = await create_key_directly(store, system_clock_us, PEPPER_BYTES, "late", list(Scope))
        await store.write(partial(expire, expired.split("_")[1]))
        bad = {
            "none": "",
            "malformed": "hunter2",
            "unknown": make_key(bytes(ENTROPY_BYTES)).text,
            "revoked": revoked,
            "expired": expired,
            "another secret for a known id": spliced(keys["admin"], make_key(bytes(ENTROPY_BYTES)).text),
        }
        told = set()
        for name in METHODS:
            for key in bad.values():
                seen = await call(channel, name, valid_request(name), key=key)
                assert refusal(seen) == UNRECOGNISED, f"{name}: {seen}"
                told.add(seen.everything)
        assert len(told) == 1, told


def expire(key_id):
    """A key that ended long ago."""
    row = yield from read_key(key_id)
    yield from API_KEYS.replace(replace(row, expire_time_us=1))


def spliced(known, other):
    """The id of one key with the secret of another, and a checksum that fits."""
    body = f"bill_{known.split('_')[1]}_{other.split('_')[2][:32]}"
    text = body + api_keys._checksum(body)
    assert api_keys.key_id_of(text) == known.split("_")[1]
    return text


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_a_revoked_key_dies_in_time_and_its_successor_lives(database):
    async with keyed_service(database) as (_, channel, keys):
        made = [
            (await call(channel, "CreateApiKey", valid_request("CreateApiKey"), key=keys["admin"])).answer
            for _ in range(2)
        ]
        old, new = made
        for each in made:
            assert (
                await call(channel, "ListPackages", valid_request("ListPackages"), key=each.secret)
            ).code is grpc.StatusCode.OK
        third = await call(channel, "CreateApiKey", valid_request("CreateApiKey"), key=keys["admin"])
        assert third.code is grpc.StatusCode.INVALID_ARGUMENT
        request = valid_request("RevokeApiKey", key_id=old.api_key.key_id)
        assert (await call(channel, "RevokeApiKey", request, key=keys["admin"])).code is grpc.StatusCode.OK
        revoked = time.monotonic()
        while (
            seen := await call(channel, "ListPackages", valid_request("ListPackages"), key=old.secret)
        ).code is grpc.StatusCode.OK:
            assert time.monotonic() - revoked < REVOKED_WITHIN_S
            await asyncio.sleep(0.1)
        assert refusal(seen) == UNRECOGNISED
        assert (
            await call(channel, "ListPackages", valid_request("ListPackages"), key=new.secret)
        ).code is grpc.StatusCode.OK
        assert (
            await call(channel, "CreateApiKey", valid_request("CreateApiKey"), key=keys["admin"])
        ).code is grpc.StatusCode.OK


@pytest.mark.parametrize("name", ["CreateApiKey", "RevokeApiKey"])
async def test_one_idempotency_key_at_once_makes_one_key(database, name):
    async with keyed_service(database) as (_, channel, keys):
        request = valid_request(name)
        if name == "RevokeApiKey":
            request.key_id = keys["read"].split("_")[1]
        seen = await asyncio.gather(*(call(channel, name, request, key=keys["admin"]) for _ in range(8)))
        assert {each.code for each in seen} == {grpc.StatusCode.OK}, [
            each.everything for each in seen if each.code is not grpc.StatusCode.OK
        ]
        assert [each.answer.replayed for each in seen].count(False) == 1


async def test_a_caller_never_has_more_live_keys_than_a_rotation_needs(database):
    async with keyed_service(database) as (_, channel, keys):
        await asyncio.gather(
            *(call(channel, "CreateApiKey", valid_request("CreateApiKey"), key=keys["admin"]) for _ in range(8))
        )
        listed = await call(channel, "ListApiKeys", valid_request("ListApiKeys"), key=keys["admin"])
        assert len([key for key in listed.answer.api_keys if key.caller == "metering"]) == 2
