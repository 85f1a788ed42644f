"""Sabotages of the event feed: what is passed over, sent out of order, or refused."""

from tests.mutants.sabotage import Sabotage

FEED_TESTS = "end_to_end/test_event_feed.py"

FEED = (
    Sabotage(
        "events are placed without a lock",
        "M34",
        "billing_service.storage.rows.feed:place",
        "last = (yield LOCK())[0][0]",
        "last = (yield MARKS())[0][0]",
        (f"{FEED_TESTS}::test_who_places_events_locks_the_feed_first",),
    ),
    Sabotage(
        "a position whose followers are forgotten is served",
        "M34",
        "billing_service.storage.rows.feed:forget_before",
        'expect((yield FORGOTTEN(max(row[1] for row in found))), 1, "note forgotten events")',
        "",
        (f"{FEED_TESTS}::test_a_position_is_good_until_events_after_it_are_forgotten[sqlite]",),
    ),
    Sabotage(
        "a consumer is sent every account's events",
        "M34",
        "billing_service.api.streams.event_feed:Wanted.includes",
        "event.account_id == self.account_id",
        "True",
        (f"{FEED_TESTS}::test_only_what_is_asked_for_is_sent[sqlite]",),
    ),
    Sabotage(
        "what the client was sent last is sent again after a broken connection",
        "M34",
        "billing_client.event_feed:EventFeed.is_event",
        "self.request.after, self.request.from_now = response.position, False",
        "self.request.from_now = False",
        ("clients/test_client_feed.py",),
    ),
    Sabotage(
        "an account's events are placed by their ids",
        "M34",
        "billing_service.storage.rows.feed:UNPLACED",
        "outbox.c.account_version",
        "outbox.c.kind",
        (f"{FEED_TESTS}::test_an_account_s_events_come_in_the_order_of_its_versions[sqlite]",),
    ),
)

DELIVERY = "billing_service.feed.delivery"
SENT = "jobs/test_webhooks.py"
WEBHOOKS = (
    Sabotage(
        "an event goes ahead of its account's earlier one",
        "M36",
        f"{DELIVERY}:Delivery._send_all",
        "if error:\n    return",
        "",
        (f"{SENT}::test_a_failure_that_passes_is_over_soon_and_the_order_stands[sqlite]",),
    ),
    Sabotage(
        "what waits behind a delivered event waits for ever",
        "M36",
        "billing_service.storage.rows.webhooks:keep",
        'assert (yield NEXT(account_id, now_us)) <= 1, "positions are unique"',
        "pass",
        (f"{SENT}::test_a_failure_that_passes_is_over_soon_and_the_order_stands[sqlite]",),
    ),
    Sabotage(
        "who lost its lease notes what it did",
        "M36",
        "billing_service.storage.rows.webhooks:_set",
        "if (yield SET_ENDPOINT(owner, *endpoint)) != 1:\n    raise LeaseLostError",
        "yield SET_ENDPOINT(owner, *endpoint)",
        (f"{SENT}::test_who_lost_its_lease_notes_nothing_and_nothing_is_lost[sqlite]",),
    ),
    Sabotage(
        "an endpoint that is away is asked for every event",
        "M36",
        f"{DELIVERY}:Delivery._step",
        "endpoint.failures >= FAILURES_MAX",
        "False",
        (f"{SENT}::test_nothing_is_lost_when_the_receiver_is_away_for_a_day[sqlite]",),
    ),
    Sabotage(
        "an event that fails is given up at once",
        "M36",
        f"{DELIVERY}:Delivery._failed",
        "now_us - first_us >= GIVEN_UP_AFTER_US",
        "True",
        (f"{SENT}::test_nothing_is_lost_when_the_receiver_is_away_for_a_day[sqlite]",),
    ),
    Sabotage(
        "a redirect is followed",
        "M36",
        "billing_service.feed.sending:Sender.send",
        "self._session.post(self._url, data=body, headers=headers, allow_redirects=False, proxy=self._proxy)",
        "self._session.post(self._url, data=body, headers=headers, proxy=self._proxy)",
        ("end_to_end/test_webhooks_sent.py::test_what_a_receiver_answers_is_a_status_or_nothing",),
    ),
    Sabotage(
        "only the newest secret signs",
        "M36",
        "billing_service.feed.signing:headers_of",
        "keys",
        "keys[:1]",
        ("end_to_end/test_webhooks_sent.py::test_the_service_sends_each_event_signed_with_each_secret[sqlite]",),
    ),
)
