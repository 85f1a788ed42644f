"""Sabotages of selling: the terms of a purchase, what Stripe is told of it, currencies, accounts and their customers."""

from sabotage import Sabotage

CHECKOUTS = "billing_service/stripe_events/checkouts.py"
CREATE = "billing_service/commands/create_purchase.py"
TERMS = "end_to_end/test_terms_of_a_sale.py"
CURRENCIES = "end_to_end/test_other_currencies.py"
UPDATES = "end_to_end/test_account_updates.py"
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
        "a resumed purchase keeps an expiry that is over",
        "P12",
        CREATE,
        "        yield from _renew(unit, purchase)\n",
        "",
        ("end_to_end/test_purchases_after_outages.py::test_it_opens_at_the_first_repeat[sqlite-23.5-False]",),
    ),
    Sabotage(
        "a renewed page is asked for by the first one's key",
        "P12",
        CREATE,
        '    purchase.attempt += 1\n    purchase.checkout_session_id = ""\n',
        '    purchase.checkout_session_id = ""\n',
        ("end_to_end/test_purchases_after_outages.py::test_it_opens_at_the_first_repeat[sqlite-23.5-True]",),
    ),
    Sabotage(
        "the caller's metadata replace ours",
        "P30b",
        "billing_service/payments/stripe_metadata.py",
        "    fitting = [name for name in sorted(callers) if name not in ours and _is_taken(name, callers[name])]\n"
        "    return {**{name: callers[name] for name in fitting[:room]}, **ours}\n",
        "    fitting = [name for name in sorted(callers) if _is_taken(name, callers[name])]\n"
        "    return {**ours, **{name: callers[name] for name in fitting[:room]}}\n",
        ("payments/test_stripe_metadata.py::test_what_is_sent",),
    ),
    Sabotage(
        "more metadata than Stripe takes",
        "P30b",
        "billing_service/payments/stripe_metadata.py",
        "    room = PAIRS_MAX - len(ours)\n",
        "    room = PAIRS_MAX\n",
        ("payments/test_stripe_metadata.py::test_what_is_sent",),
    ),
    Sabotage(
        "an address that Stripe refuses stops the purchase",
        "P30b",
        CREATE,
        'if refused.code != "email_invalid":',
        "if refused.code:",
        (
            "end_to_end/test_customers_at_stripe.py::test_an_older_account_with_an_address_that_stripe_refuses_buys_all_the_same[sqlite-a@b]",
        ),
    ),
    Sabotage(
        "addresses without a dot in the domain",
        "P3",
        "billing_service/api/validation.py",
        '(?:\\.[^@\\s,;:<>()\\[\\]"\\\\.]+)+""")\n',
        '(?:\\.[^@\\s,;:<>()\\[\\]"\\\\.]+)*""")\n',
        ("api/test_validation.py::test_what_stripe_refuses_as_an_address_is_refused",),
    ),
    Sabotage(
        "quotes of refunds are not rounded to the step",
        "P4",
        "billing_service/commands/refund.py",
        "whole_minor = round_down_to_step(quote.refundable_minor, purchase.currency)\n",
        "whole_minor = quote.refundable_minor\n",
        (f"{CURRENCIES}::test_refunds_go_in_the_currencys_steps[sqlite-kwd-3070-10-333-2040]",),
    ),
    Sabotage(
        "steps are rounded up",
        "P4",
        "billing_service/domain/currencies.py",
        "    return amount_minor - amount_minor % amount_step_minor(currency)\n",
        "    return amount_minor + -amount_minor % amount_step_minor(currency)\n",
        ("domain/test_currencies.py::test_rounding_goes_down_to_the_next_step_and_no_further",),
    ),
    Sabotage(
        "an amount off the step reaches Stripe",
        "P3",
        "billing_service/commands/refund.py",
        '        require_step("amount_minor", command.amount_minor, purchase.currency)\n',
        "        pass\n",
        (f"{CURRENCIES}::test_refunds_go_in_the_currencys_steps[sqlite-kwd-3070-10-333-2040]",),
    ),
    Sabotage(
        "amounts in dollars count in every currency",
        "P30b",
        "billing_service/domain/stated_amounts.py",
        "        if currency != self.currency or least is None or most is None or rate is None:\n",
        "        if least is None or most is None or rate is None:\n",
        ("domain/test_stated_amounts.py::test_what_is_on",),
    ),
    Sabotage(
        "the least purchase of a referral counts in every currency",
        "P6",
        "billing_service/domain/stated_amounts.py",
        "        if currency != self.currency:\n            return None\n",
        "",
        ("domain/test_stated_amounts.py::test_what_is_on",),
    ),
    Sabotage(
        "an older word of Stripe's undoes an update of the account",
        "P13",
        "billing_service/stripe_events/customers.py",
        "    if fact.contact_version < profile.contact_version:\n",
        "    if fact.contact_version < 0:\n",
        (f"{UPDATES}::test_what_stripe_said_before_undoes_nothing[sqlite]",),
    ),
    Sabotage(
        "two changes of a customer in one second, the second one late",
        "P13",
        "billing_service/stripe_events/customers.py",
        "        if not now.deleted and now.contact_version < profile.contact_version:\n",
        "        if now.contact_version < 0:\n",
        ("simulation/test_customers_keep_up.py::test_customers_keep_up[sqlite]",),
    ),
    Sabotage(
        "a customer that is behind is told no more",
        "P13",
        "billing_service/commands/customers.py",
        "        await _send_contact(environment, profile)\n        return profile.stripe_customer_id\n",
        "        return profile.stripe_customer_id\n",
        (f"{UPDATES}::test_the_next_purchase_tells_stripe_again[sqlite]",),
    ),
    Sabotage(
        "one key for two addresses of a customer to make",
        "P12",
        "billing_service/commands/customers.py",
        "    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()\n",
        "    return str(len(said) - len(said))\n",
        ("simulation/test_customers_keep_up.py::test_customers_keep_up[sqlite]",),
    ),
    Sabotage(
        "an address that was replaced stays at Stripe",
        "P46",
        "billing_service/commands/customers.py",
        '        if refused.code == "email_invalid":\n            await _withdraw_address(environment, profile)\n',
        "",
        (f"{UPDATES}::test_an_address_that_stripe_refuses_leaves_none_there_and_stops_no_purchase[sqlite]",),
    ),
    Sabotage(
        "an update of an account clears what it does not name",
        "P14",
        "billing_service/commands/update_account.py",
        "profile.metadata if command.metadata is None else command.metadata",
        'command.metadata or ""',
        (f"{UPDATES}::test_what_is_sent_is_changed_and_nothing_else[sqlite-fields0-expected0]",),
    ),
    Sabotage(
        "referrals decided by today's programme",
        "P6",
        "billing_service/commands/completion.py",
        "referral, terms_of(unit.environment, purchase).referral)",
        "referral, unit.environment.referrals)",
        (f"{TERMS}::test_a_referral_is_decided_by_the_terms_of_its_purchase[sqlite-opened_with0-paid_with0-3-5-0]",),
    ),
)
