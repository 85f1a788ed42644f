"""Sabotages of selling: the terms of a purchase, what Stripe is told of it, currencies, accounts and their customers."""

from sabotage import Sabotage

CHECKOUTS = "billing_service/stripe_events/checkouts.py"
CREATE = "billing_service/commands/create_purchase.py"
TERMS = "end_to_end/test_terms_of_a_sale.py"
RESUMED = (f"{TERMS}::test_a_resumed_purchase_says_to_stripe_what_it_said_first[sqlite]",)

SALES = (
    Sabotage(
        "promotion codes read from today's settings",
        "P30b",
        CHECKOUTS,
        "promotion_codes_allowed=terms_of(environment, purchase).promotion_codes_allowed,",
        "promotion_codes_allowed=environment.terms.allow_promotion_codes,",
        (f"{TERMS}::test_a_promotion_code_counts_where_the_page_took_one[sqlite-opened_with0-paid_with0-PROCESSED]",),
    ),
    Sabotage(
        "a resumed purchase allows promotion codes by today's settings",
        "P12",
        CREATE,
        "allow_promotion_codes=terms.promotion_codes_allowed,",
        "allow_promotion_codes=environment.terms.allow_promotion_codes,",
        RESUMED,
    ),
    Sabotage(
        "an empty currency of a repeat means another than at first",
        "P13",
        CREATE,
        "    command.request_in(purchase.currency).key.check(stored)\n",
        '    command.request_in("eur").key.check(stored)\n',
        RESUMED,
    ),
    Sabotage(
        "referrals decided by today's programme",
        "P6",
        "billing_service/commands/completion.py",
        "policy = terms_of(unit.environment, purchase).referral\n",
        "policy = unit.environment.referrals\n",
        (f"{TERMS}::test_a_referral_is_decided_by_the_terms_of_its_purchase[sqlite-opened_with0-paid_with0-3-5-0]",),
    ),
)
