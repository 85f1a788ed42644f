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
