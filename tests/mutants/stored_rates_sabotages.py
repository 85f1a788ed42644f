"""Sabotages of stored rate cards: which one is in force, how old the list of them may be, what a file may unpack to."""

from tests.mutants.sabotage import Sabotage

VERSIONS = "billing_service.domain.catalogue.rate_card_versions"
PACKING = "billing_service.domain.catalogue.rate_card_packing"
CACHE = "billing_service.commands.rate_card_cache"
VERSIONED = "domain/test_rate_card_versions.py"
CACHED = "commands/test_rate_card_cache.py"

STORED_RATES = (
    Sabotage(
        "a new card is in force before every process knows it",
        "P54",
        f"{VERSIONS}:in_force_time_us",
        "now_us + NOTICE_US",
        "now_us",
        (
            f"{VERSIONED}::test_a_card_begins_when_it_says_and_never_where_usage_was_priced_already",
            f"{CACHED}::test_every_process_changes_to_a_new_card_at_one_moment",
        ),
    ),
    Sabotage(
        "of two cards that begin at once the older one counts",
        "P54",
        f"{VERSIONS}:_order",
        "(card.in_force_time_us, card.position)",
        "(card.in_force_time_us, -card.position)",
        (f"{VERSIONED}::test_the_card_that_began_last_counts_and_of_two_the_one_created_later",),
    ),
    Sabotage(
        "a list of cards is believed for twice as long",
        "P54",
        f"{CACHE}:RateCardCache._read_versions",
        "VERSIONS_FRESH_S",
        "2 * VERSIONS_FRESH_S",
        (f"{CACHED}::test_a_list_that_is_too_old_prices_nothing",),
    ),
    Sabotage(
        "a list of cards counts as read when it arrives",
        "P54",
        f"{CACHE}:RateCardCache._read_versions",
        "self._fresh_until = fresh_until",
        "self._fresh_until = self._monotonic() + VERSIONS_FRESH_S",
        (f"{CACHED}::test_a_list_is_as_old_as_the_question_for_it",),
    ),
    Sabotage(
        "a compressed card may be of any size",
        "P54",
        f"{PACKING}:_file",
        "decompressor.decompress(content, FILE_BYTES_MAX + 1)",
        "decompressor.decompress(content)",
        ("domain/test_rate_card_packing.py::test_a_bomb_is_never_unpacked_whole",),
    ),
    Sabotage(
        "a quote takes no notice of when the request was made",
        "P54",
        "billing_service.commands.spending.quote_usage:quote_usage",
        "usage.occur_time_us",
        "None",
        ("end_to_end/test_quote_usage.py::test_the_time_of_the_call_chooses_the_price_within_a_day",),
    ),
    Sabotage(
        "a card replaces another of its version",
        "P54",
        "billing_service.commands.catalogue.rate_cards:create_rate_card.effect",
        "(yield from read_card(card.version)) is not None",
        "False",
        ("end_to_end/test_rate_cards.py::test_a_version_never_changes",),
    ),
)
