"""Rate cards over the wire: refused by place, stored for ever, listed, read back, in force when they say."""

import asyncio
import base64
import gzip
import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_card_versions import NOTICE_US
from billing_service.rate_cards import built_in_card
from tests.support.rate_card_examples import BY_HAND, card_file
from tests.support.stack import running_stack
from tests.support.wire import outcomes, told

pytestmark = pytest.mark.asyncio(loop_scope="session")


def sent(values):
    return json.dumps(json.loads(BY_HAND) | values).encode()


async def test_every_fault_of_a_card_is_named_by_its_place(stack):
    entries = [{"provider": "p", "model": "m", "columns": [{"prices": {"tokens": {}}}]}] * 30
    with pytest.raises(Exception, match="tokens") as failed:
        await stack.client.create_rate_card_version(card_file=sent({"entries": entries}))
    error = failed.value
    assert error.metadata["problem_count"] == "30"
    assert [field for field, _ in error.violations] == [
        f"card_file.entries[{number}].columns[0].prices.tokens" for number in range(10)
    ]
    assert "'tokens' is no kind of usage" in error.violations[0][1]
    assert "and 29 more" in str(error)


async def test_faults_with_endless_names_still_reach_the_caller(wire):
    name = "\N{GRINNING FACE}" * 250
    entries = [{"provider": name, "model": name, "columns": [{"prices": {name: {}}}]}] * 30
    error = await wire.error(
        "CreateRateCardVersion", card_file=_base64(sent({"entries": entries})), idempotency_key="k"
    )
    assert told(error) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert error.metadata == {"field": "card_file", "problem_count": "30"}
    assert 1 <= len(error.violations) < 10


def _base64(content):
    return base64.b64encode(content).decode()


async def test_a_version_never_changes(stack):
    made = await stack.client.create_rate_card_version(card_file=card_file("once"))
    for content in (card_file("once"), sent({"version": "once", "markup_ppm": 7})):
        with pytest.raises(Exception, match="never changes") as failed:
            await stack.client.create_rate_card_version(card_file=content)
        assert failed.value.metadata == {"rate_card_version": "once"}
        assert type(failed.value).__name__ == "RateCardExists"
    assert (await stack.client.get_rate_card(version="once")).rate_card == made.rate_card


@pytest.mark.parametrize("packs", [bytes, gzip.compress], ids=["plain", "gzip"])
async def test_a_card_comes_back_as_it_was_sent(stack, packs):
    version = f"back-{packs.__name__}"
    made = (await stack.client.create_rate_card_version(card_file=packs(card_file(version)))).rate_card
    assert (made.version, made.source, made.markup_ppm, made.entry_count) == (version, "by hand", 150_000, 9)
    assert made.effective_time.ToJsonString() == "2026-11-30T00:00:00Z"
    found = await stack.client.get_rate_card(version=version)
    assert found.rate_card == made
    assert gzip.decompress(found.card_file_gzip).decode() == card_text(read_card(card_file(version).decode()))


async def test_a_new_card_waits_until_every_process_knows_it(stack):
    made = (await stack.client.create_rate_card_version(card_file=card_file("waits"))).rate_card
    assert made.in_force_time.ToMicroseconds() == made.create_time.ToMicroseconds() + NOTICE_US
    ahead = (
        await stack.client.create_rate_card_version(card_file=card_file("ahead", effective="2090-01-01T00:00:00Z"))
    ).rate_card
    assert ahead.in_force_time == ahead.effective_time
    assert (await stack.client.list_rate_cards()).version_in_force not in {"waits", "ahead"}


async def test_every_creation_leaves_a_line_in_the_audit_log(stack):
    await stack.client.create_rate_card_version(card_file=card_file("audited"))
    newest = (await stack.client.list_audit_records(page_size=1)).records[0]
    assert (newest.method, newest.caller, newest.account_id) == ("CreateRateCardVersion", "local", "")
    assert json.loads(newest.detail) == {"version": "audited", "source": "by hand", "entry_count": 9}


async def test_cards_are_listed_newest_first_page_by_page(stack):
    versions = [f"listed-{number}" for number in range(3)]
    for version in versions:
        await stack.client.create_rate_card_version(card_file=card_file(version))
    everything = [card.version for card in (await stack.client.list_rate_cards(page_size=1000)).rate_cards]
    assert everything[:3] == versions[::-1]
    assert everything[-1] == built_in_card().version
    assert [card.version async for card in stack.client.iter_rate_cards(page_size=2)] == everything


async def test_twenty_operators_with_one_version_make_one_card(stack):
    ended = await outcomes(*(stack.client.create_rate_card_version(card_file=card_file("raced")) for _ in range(20)))
    made = [end for end in ended if not isinstance(end, Exception)]
    assert len(made) == 1
    assert {type(end).__name__ for end in ended if isinstance(end, Exception)} == {"RateCardExists"}
    listed = [card.version async for card in stack.client.iter_rate_cards()]
    assert listed.count("raced") == 1


async def test_the_built_in_card_is_in_force_from_the_first_start_on(database):
    built_in = built_in_card()
    async with running_stack(database.url) as stack:
        found = await stack.client.get_rate_card()
        assert found.rate_card.version == built_in.version
        begin = Timestamp()
        begin.FromMicroseconds(built_in.effective_time_us)
        assert found.rate_card.in_force_time == begin
        assert gzip.decompress(found.card_file_gzip).decode() == card_text(built_in)
        lines = [
            (record.caller, json.loads(record.detail)["version"])
            for record in (await stack.client.list_audit_records()).records
        ]
        assert lines == [("service", built_in.version)]
        await stack.client.create_rate_card_version(card_file=card_file("mine"))
    async with running_stack(database.url) as stack:
        assert [card.version for card in (await stack.client.list_rate_cards()).rate_cards] == [
            "mine",
            built_in.version,
        ]


async def test_services_that_start_at_once_store_one_card(database):
    if database.store != "postgresql":
        pytest.skip("one file, one service")
    ready, leave = asyncio.Semaphore(0), asyncio.Event()

    async def serve():
        async with running_stack(database.url) as stack:
            ready.release()
            await leave.wait()
            return [card.version for card in (await stack.client.list_rate_cards()).rate_cards]

    serving = [asyncio.ensure_future(serve()) for _ in range(3)]
    for _ in serving:
        await ready.acquire()
    leave.set()
    assert await asyncio.gather(*serving) == [[built_in_card().version]] * 3
