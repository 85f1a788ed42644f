"""What is counted when nothing is wrong: repeats, events, purchases, calls to Stripe. Once each, however often a unit
of work ran."""

import json
import re

import pytest

from billing_service.storage.store import ConflictError
from tests.support.stack import CREDIT
from tests.support.webhooks_withheld import NEVER_S, WebhooksWithheld

pytestmark = pytest.mark.parametrize("store_name", ["sqlite"])
COMPLETED = "checkout.session.completed"


@pytest.fixture(autouse=True)
def _everything(monkeypatch):
    """All samples, not those alone that rules ask for."""
    monkeypatch.setattr("tests.monitoring.alert_rules.WATCHED", Everything())


class Everything:
    def __contains__(self, name):
        return True


def counted(before, after, name):
    """What a counter grew by, by its labels."""
    grown = {}
    for series, value in after.samples.items():
        metric, _, labels = series.partition("{")
        if metric == name and value != before.samples.get(series, 0):
            grown[labels.rstrip("}")] = value - before.samples.get(series, 0)
    return grown


async def test_repeats_are_counted_by_response(watched, database):
    async with watched(database.url) as running:
        await running.wire.do("GrantCredits", account_id="alice", amount_microcredits=100 * CREDIT, reason="gift")
        before = running.scrape()
        for _ in range(3):
            await running.wire.call(
                "DeductCredits", account_id="alice", amount_microcredits=CREDIT, idempotency_key="k"
            )
        assert counted(before, running.scrape(), "billing_replays_total") == {'response="DeductCreditsResponse"': 2}


async def test_a_purchase_is_counted_once_though_its_unit_ran_again(watched, database, monkeypatch):
    async with watched(database.url) as running:
        await running.stack.control("switches", {"delay_s": NEVER_S})
        withheld = WebhooksWithheld(running.stack, running.wire)
        before = running.scrape()
        await withheld.paid_checkout("alice", granted=0)
        (event,) = await withheld.events(COMPLETED)
        store, runs = running.stack.service.environment.store, []

        def twice(work):
            def run():
                answer = yield from work()
                runs.append(None)
                if len(runs) == 1:
                    raise ConflictError("once more")
                return answer

            return run

        write = store.write
        monkeypatch.setattr(store, "write", lambda work: write(twice(work)))
        assert [await withheld.wire.deliver(event) for _ in range(2)] == ["PROCESSED", "DUPLICATE"]
        after = running.scrape()
        assert len(runs) == 3
        assert counted(before, after, "billing_stripe_events_total") == {
            f'event_type="{COMPLETED}",outcome={json.dumps(outcome)}': 1 for outcome in ("PROCESSED", "DUPLICATE")
        }
        for histogram in ("billing_purchase_completion_seconds", "billing_stripe_event_delay_seconds"):
            assert counted(before, after, f"{histogram}_count") == {"": 1}
            assert counted(before, after, f"{histogram}_bucket")['le="60.0"'] == 1
        assert counted(before, after, "billing_stripe_calls_total") == {
            'operation="create_checkout",outcome="ok"': 1,
            'operation="create_customer",outcome="ok"': 1,
        }


async def test_the_program_says_which_it_is(watched, database):
    async with watched(database.url) as running:
        (build,) = [series for series in running.scrape().samples if series.startswith("billing_build_info{")]
        assert re.fullmatch(
            r'billing_build_info\{python="3\.\d+\.\d+",sqlite="3\.\d+\.\d+",version="\d+\.\d+\.\d+"\}', build
        )
