"""Sabotages of re-rating."""

from tests.mutants.sabotage import Sabotage

RULES = "billing_service.domain.spending.rerating"
COMMAND = "billing_service.commands.spending.rerate_usage"
ROWS = "billing_service.storage.rows.rerating"
TARGETS = "domain/test_rerating.py"
WIRE = "end_to_end/test_rerate_usage.py"

RERATING = (
    Sabotage(
        "what was undone is charged anew",
        "M27",
        f"{RULES}:target_of.target",
        "ceil(new_price * standing.share)",
        "new_price",
        (f"{TARGETS}::test_what_a_charge_should_come_to", f"{WIRE}::test_a_window_by_another_card[sqlite]"),
    ),
    Sabotage(
        "what could not be collected is collected after all",
        "M27",
        f"{RULES}:target_of",
        "standing.charged < standing.amount",
        "standing.charged < 0",
        (f"{TARGETS}::test_what_a_charge_should_come_to",),
    ),
    Sabotage(
        "an hour's price becomes another hour's",
        "M27",
        f"{RULES}:price_again.occurred_us",
        "sent.occur_time_us if basis is TimeBasis.OCCURRED else None",
        "sent.occur_time_us",
        (f"{TARGETS}::test_the_time_that_chose_the_price_chooses_it_again",),
    ),
    Sabotage(
        "all cards are rated again",
        "M27",
        f"{COMMAND}:priced_usages",
        "from_version in ('', record.rate_card_version)",
        "True",
        (f"{WIRE}::test_only_the_window_and_the_card_that_were_asked_for[sqlite]",),
    ),
    Sabotage(
        "usage outside the window is counted",
        "M27",
        f"{ROWS}:_IN_RANGE",
        "transactions.c.create_time_us < bindparam('end_us')",
        "transactions.c.create_time_us < bindparam('end_us') + literal_column('86400000000')",
        (f"{WIRE}::test_only_the_window_and_the_card_that_were_asked_for[sqlite]",),
    ),
    Sabotage(
        "parts overlap",
        "M27",
        f"{COMMAND}:rerate_part",
        "after = found.last_id",
        "after = found.last_id[:-1]",
        (f"{WIRE}::test_parts_add_up_to_the_whole[sqlite]",),
    ),
)
