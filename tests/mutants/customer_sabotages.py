"""Sabotages of customers that Stripe has already: whose they may become, and what is believed of them."""

from tests.mutants.sabotage import Sabotage

ADOPTING = "billing_service.commands.accounts.adopt_customer"
CREATING = "billing_service.commands.accounts.create_account"
CASES = "end_to_end/test_adopt_customer.py"

CUSTOMERS = (
    Sabotage(
        "another deployment's customer becomes an account's",
        "P49",
        f"{ADOPTING}:look_up_customer",
        "found.mark and not environment.deployment.made(MarkKind.CUSTOMER, account_id, found.mark)",
        "False",
        (f"{CASES}::test_one_that_another_deployment_marked[sqlite]",),
    ),
    Sabotage(
        "a customer that was deleted becomes an account's",
        "P49",
        f"{ADOPTING}:look_up_customer",
        "if found.deleted:\n    raise stripe_customer_deleted(customer_id)",
        "pass",
        (f"{CASES}::test_one_that_was_deleted_at_stripe[sqlite]",),
    ),
    Sabotage(
        "one customer becomes two accounts'",
        "P49",
        f"{ADOPTING}:adopt_customer",
        "if not (yield from claim_customer(customer.customer_id, profile.account_id)):\n"
        "    raise stripe_customer_taken(customer.customer_id)",
        "yield from claim_customer(customer.customer_id, profile.account_id)",
        (f"{CASES}::test_of_two_accounts_that_ask_at_once_one_gets_it[sqlite]",),
    ),
    Sabotage(
        "older events of an adopted customer undo what the caller said",
        "P49",
        f"{ADOPTING}:adopt_customer",
        "profile.contact_version = customer.contact_version + 1",
        "profile.contact_version = customer.contact_version",
        (f"{CASES}::test_what_the_caller_says_goes_to_stripe_and_no_older_event_undoes_it[sqlite]",),
    ),
    Sabotage(
        "a customer is adopted that Stripe was not asked for",
        "P49",
        f"{CREATING}:_create.effect",
        "if command.stripe_customer_id and customer is None:\n    raise _NotLookedUp",
        "pass",
        (f"{CASES}::test_one_that_stripe_does_not_have[sqlite]",),
    ),
)
