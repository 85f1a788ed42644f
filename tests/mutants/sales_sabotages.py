"""Sabotages of selling: the terms of a purchase, what Stripe is told of it, currencies, accounts and their
customers."""

from tests.mutants.sabotage import Sabotage

CHECKOUTS = "billing_service.stripe_events.families.checkout_session"
CREATE = "billing_service.commands.sales.create_purchase"
TERMS = "end_to_end/test_terms_of_a_sale.py"
CURRENCIES = "end_to_end/test_other_currencies.py"
UPDATES = "end_to_end/test_update_account.py"
RESUMED = (f"{TERMS}::test_a_resumed_purchase_says_to_stripe_what_it_said_first[sqlite]",)

SALES = (
    Sabotage(
        "promotion codes read from today's settings",
        "P30b",
        f"{CHECKOUTS}:_objection.mismatch",
        "terms_of(environment, purchase).promotion_codes_allowed",
        "environment.terms.allow_promotion_codes",
        (f"{TERMS}::test_a_promotion_code_counts_where_the_page_took_one[sqlite-opened_with0-paid_with0-PROCESSED]",),
    ),
    Sabotage(
        "a resumed purchase allows promotion codes by today's settings",
        "P12",
        f"{CREATE}:_order",
        "terms.promotion_codes_allowed",
        "environment.terms.allow_promotion_codes",
        RESUMED,
    ),
    Sabotage(
        "a cancellation whose event came first is refused to its own repeat",
        "P13",
        "billing_service.commands.sales.cancel_purchase:_try_to_cancel",
        "is_cancelable(purchase.status) or _may_be_closed_by_its_key(purchase)",
        "is_cancelable(purchase.status)",
        ("end_to_end/test_cancel_purchase.py::test_a_repeat_whose_page_its_first_call_closed_cancels[sqlite]",),
    ),
    Sabotage(
        "an empty currency of a repeat means another than at first",
        "P13",
        f"{CREATE}:_begin.key_as_begun",
        "purchase.currency",
        '"eur"',
        RESUMED,
    ),
    Sabotage(
        "a resumed purchase keeps an expiry that is over",
        "P12",
        f"{CREATE}:_begin.resume",
        "yield from _renew(environment, unit, purchase)",
        "",
        ("end_to_end/test_purchases_after_outages.py::test_it_opens_at_the_first_repeat[sqlite-23.5-False]",),
    ),
    Sabotage(
        "a renewed page is asked for by the first one's key",
        "P12",
        f"{CREATE}:_renew",
        "purchase.attempt += 1",
        "",
        ("end_to_end/test_purchases_after_outages.py::test_it_opens_at_the_first_repeat[sqlite-23.5-True]",),
    ),
    Sabotage(
        "the caller's metadata replace ours",
        "P30b",
        "billing_service.payments.stripe.metadata:with_callers",
        (
            "fitting = [name for name in sorted(callers) if name not in ours and _is_taken(name, "
            "callers[name])]\n"
            "return {**{name: callers[name] for name in fitting[:room]}, **ours}"
        ),
        (
            "fitting = [name for name in sorted(callers) if _is_taken(name, callers[name])]\n"
            "return {**ours, **{name: callers[name] for name in fitting[:room]}}"
        ),
        ("payments/test_stripe_metadata.py::test_what_is_sent",),
    ),
    Sabotage(
        "more metadata than Stripe takes",
        "P30b",
        "billing_service.payments.stripe.metadata:with_callers.room",
        "PAIRS_MAX - len(ours)",
        "PAIRS_MAX",
        ("payments/test_stripe_metadata.py::test_what_is_sent",),
    ),
    Sabotage(
        "an address that Stripe refuses stops the purchase",
        "P30b",
        f"{CREATE}:_customer",
        'refused.code != "email_invalid"',
        "refused.code",
        (
            "end_to_end/test_customers.py::test_an_older_account_with_an_address_that_stripe_refuses_buys_all_the_same[sqlite-a@b]",
        ),
    ),
    Sabotage(
        "addresses without a dot in the domain",
        "P3",
        "billing_service.api.validation:_EMAIL",
        'r"""[^@\\s,;:<>()\\[\\]"\\\\]+@[^@\\s,;:<>()\\[\\]"\\\\.]+(?:\\.[^@\\s,;:<>()\\[\\]"\\\\.]+)+"""',
        'r"""[^@\\s,;:<>()\\[\\]"\\\\]+@[^@\\s,;:<>()\\[\\]"\\\\.]+(?:\\.[^@\\s,;:<>()\\[\\]"\\\\.]+)*"""',
        ("api/test_validation.py::test_what_stripe_refuses_as_an_address_is_refused",),
    ),
    Sabotage(
        "quotes of refunds are not rounded to the step",
        "P4",
        "billing_service.domain.sales.reversals:quote.whole_minor",
        "round_down_to_step(allowed.refundable_minor, currency)",
        "allowed.refundable_minor",
        (f"{CURRENCIES}::test_refunds_go_in_the_currencys_steps[sqlite-kwd-3070-10-333-2040]",),
    ),
    Sabotage(
        "steps are rounded up",
        "P4",
        "billing_service.domain.catalogue.currencies:round_down_to_step",
        "amount_minor - amount_minor % amount_step_minor(currency)",
        "amount_minor + -amount_minor % amount_step_minor(currency)",
        ("domain/test_currencies.py::test_rounding_goes_down_to_the_next_step_and_no_further",),
    ),
    Sabotage(
        "an amount off the step reaches Stripe",
        "P3",
        "billing_service.domain.sales.reversals:quote",
        'require_step("amount_minor", amount_minor, currency)',
        "pass",
        (f"{CURRENCIES}::test_refunds_go_in_the_currencys_steps[sqlite-kwd-3070-10-333-2040]",),
    ),
    Sabotage(
        "more than was paid counts as spent",
        "P4",
        "billing_service.domain.sales.reversals:quote",
        "amount_minor > purchase.remaining_minor",
        "amount_minor > purchase.paid_minor",
        ("domain/test_reversals.py::test_a_quote_of_an_amount",),
    ),
    Sabotage(
        "amounts in dollars count in every currency",
        "P30b",
        "billing_service.domain.catalogue.stated_amounts:StatedAmounts.custom_amounts",
        "currency != self.currency or least is None or most is None or rate is None",
        "least is None or most is None or rate is None",
        ("domain/test_stated_amounts.py::test_what_is_on",),
    ),
    Sabotage(
        "the least purchase of a referral counts in every currency",
        "P6",
        "billing_service.domain.catalogue.stated_amounts:StatedAmounts.referral_minimum",
        ("if currency != self.currency:\n    return None"),
        "",
        ("domain/test_stated_amounts.py::test_what_is_on",),
    ),
    Sabotage(
        "an older word of Stripe's undoes an update of the account",
        "P13",
        "billing_service.stripe_events.families.customer:_take_over",
        "customer.contact_version < profile.contact_version",
        "customer.contact_version < 0",
        (f"{UPDATES}::test_what_stripe_said_before_undoes_nothing[sqlite]",),
    ),
    Sabotage(
        "two changes of a customer in one second, the second one late",
        "P13",
        "billing_service.stripe_events.families.customer:_take_over",
        "not now.deleted and now.contact_version < profile.contact_version",
        "now.contact_version < 0",
        ("simulation/test_customers_keep_up.py::test_customers_keep_up[sqlite]",),
    ),
    Sabotage(
        "a customer that is behind is told no more",
        "P13",
        "billing_service.commands.accounts.customers:ensure_customer.begin_customer",
        "await _send_contact(environment, profile)",
        "",
        (f"{UPDATES}::test_the_next_purchase_tells_stripe_again[sqlite]",),
    ),
    Sabotage(
        "one key for two addresses of a customer to make",
        "P12",
        "billing_service.commands.accounts.customers:_said",
        "hashlib.blake2b(said.encode(), digest_size=8).hexdigest()",
        "str(len(said) - len(said))",
        ("simulation/test_customers_keep_up.py::test_customers_keep_up[sqlite]",),
    ),
    Sabotage(
        "an address that was replaced stays at Stripe",
        "P46",
        "billing_service.commands.accounts.customers:_send_contact.give_up",
        ('if refused.code == "email_invalid":\n    await _withdraw_address(environment, profile)'),
        "",
        (f"{UPDATES}::test_an_address_that_stripe_refuses_leaves_none_there_and_stops_no_purchase[sqlite]",),
    ),
    Sabotage(
        "an update of an account clears what it does not name",
        "P14",
        "billing_service.commands.accounts.update_account:_change",
        "profile.metadata if command.metadata is None else command.metadata",
        'command.metadata or ""',
        (f"{UPDATES}::test_what_is_sent_is_changed_and_nothing_else[sqlite-fields0-expected0]",),
    ),
    Sabotage(
        "referrals decided by today's programme",
        "P6",
        "billing_service.commands.sales.completion:_complete",
        "terms_of(environment, purchase).referral",
        "environment.referrals",
        (f"{TERMS}::test_a_referral_is_decided_by_the_terms_of_its_purchase[sqlite-opened_with0-paid_with0-3-5-0]",),
    ),
)
