"""Sabotages of Stripe's events: what may refuse one, what the order decides, what is noticed."""

from sabotage import Sabotage

ENVELOPE = "billing_service/stripe_events/envelope.py"
FACTS = "billing_service/stripe_events/facts.py"
EFFECT = "billing_service/stripe_events/effect.py"
CHECKOUTS = "billing_service/stripe_events/checkouts.py"
PAYMENTS = "billing_service/stripe_events/payments.py"
REFUNDS = "billing_service/stripe_events/refunds.py"
CUSTOMERS = "billing_service/stripe_events/customers.py"
NEWS = "billing_service/commands/refund_news.py"
CANCEL = "billing_service/commands/cancel_purchase.py"
ANY_ORDER = "stripe_events/test_any_order.py"
WAITING = "stripe_events/test_waiting_events.py"
TOLD = "stripe_events/test_payments_told.py"
PEOPLE = "stripe_events/test_customers_told.py"
TOO_LATE = "end_to_end/test_canceled_too_late.py"
UNUSABLE = (f"{WAITING}::test_an_unusable_refund_is_kept_for_a_person_once_its_payment_is_known",)

EVENTS = (
    Sabotage(
        "an event without a time is refused",
        "P50",
        ENVELOPE,
        "    known = type(created_s) is int and 0 <= created_s <= CREATED_S_MAX\n",
        "    known = type(created_s) is int and 0 <= created_s <= CREATED_S_MAX\n"
        '    if not known:\n        raise EnvelopeInvalid("created")\n',
        ("stripe_events/test_envelope.py::test_no_other_field_refuses_an_event",),
    ),
    Sabotage(
        "amounts are looked at where there is no money",
        "P50",
        FACTS,
        "    if fact.news not in MONEY_NEWS:\n        return fact\n",
        "",
        ("stripe_events/test_facts.py::test_amounts_are_looked_at_only_where_there_is_money",),
    ),
    Sabotage(
        "a declined payment must be readable",
        "P50",
        FACTS,
        '    return NoFact("a payment that did not succeed',
        '    ObjectFields(_envelope.object, "payment_intent").amount("amount")\n    return NoFact("a payment that did not succeed',
        (f"{TOLD}::test_a_payment_that_did_not_succeed_says_nothing_that_a_rule_needs",),
    ),
    Sabotage(
        "a refund of nothing is booked",
        "P50",
        REFUNDS,
        '    if news.amount_minor == 0:\n        return ignored("nothing went back")\n',
        "",
        (f"{WAITING}::test_a_refund_of_nothing_is_nothing[sqlite]",),
    ),
    Sabotage(
        "a refund without bounds is booked",
        "P50",
        NEWS,
        "    if sent.amount_minor > MONEY_MINOR_MAX:",
        "    if sent.amount_minor < 0:",
        (f"{WAITING}::test_odd_refunds_in_stripes_list_hold_up_nothing[sqlite]",),
    ),
    Sabotage(
        "a waiting event that breaks breaks all",
        "P50",
        PAYMENTS,
        "        raise SpoiledError(event.event_id, type(defect).__name__) from defect\n",
        "        raise defect\n",
        (f"{WAITING}::test_one_that_breaks_is_left_out_and_the_others_have_their_effect",),
    ),
    Sabotage(
        "a failure of the machine is blamed on a waiting event",
        "P50",
        PAYMENTS,
        "    except (UnansweredError, ConflictError, Failure, LostUpdateError):\n",
        "    except (UnansweredError, ConflictError, LostUpdateError):\n",
        (f"{WAITING}::test_a_failure_of_the_machine_is_nobody_s_fault[sqlite]",),
    ),
    Sabotage(
        "what is picked up and unusable is not counted",
        "P50",
        "billing_service/stripe_events/inbox.py",
        "        environment.figures.events[_counted_type(event.event_type), event.status.value] += 1\n",
        "",
        UNUSABLE,
    ),
    Sabotage(
        "disputes are not alarmed",
        "P50",
        "billing_service/stripe_events/disputes.py",
        "DISPUTED = quarantined(",
        "DISPUTED = quarantined('')._replace(status='IGNORED', note=",
        (f"{WAITING}::test_disputes_are_alarmed_for_our_payments_alone_and_move_nothing",),
    ),
    Sabotage(
        "old endpoints' failures of refunds are not heard",
        "P30b",
        FACTS,
        '        "charge.refund.updated": refund_fact,\n',
        '        "charge.refund.updated": attempt_fact,\n',
        (f"{ANY_ORDER}::test_a_purchase_ends_alike[sqlite-refunds_of_all_kinds-True]",),
    ),
    Sabotage(
        "a page without money in it becomes the purchase's",
        "P30b",
        CHECKOUTS,
        "    if fact.news in MONEY_NEWS:\n        purchase.checkout_session_id",
        "    if fact.news:\n        purchase.checkout_session_id",
        (f"{ANY_ORDER}::test_a_purchase_ends_alike[sqlite-another_session-False]",),
    ),
    Sabotage(
        "a payment that was bound before wins over the session",
        "P30b",
        CHECKOUTS,
        '    paid_by = purchase.payment_intent_id if purchase.status is PurchaseStatus.COMPLETED else ""\n',
        "    paid_by = purchase.payment_intent_id\n",
        (f"{TOLD}::test_a_session_wins_over_the_payment_that_an_older_program_had_bound",),
    ),
    Sabotage(
        "one payment is bound to two purchases at once",
        "P5",
        PAYMENTS,
        "    if not (yield from claim_reference(reference, purchase.account_id, purchase.purchase_id)):\n",
        "    if not (yield from claim_reference(reference, purchase.account_id, purchase.purchase_id)) and not reference:\n",
        (f"{TOLD}::test_two_purchases_that_claim_one_payment_or_page_at_once_end_apart",),
    ),
    Sabotage(
        "payments in any currency are the purchase's",
        "P30b",
        "billing_service/domain/purchases.py",
        '    expected_actual = [("currency", snapshot.currency, report.currency)]\n    if report.purchase_id',
        "    expected_actual: list[tuple[str, str, str]] = []\n    if report.purchase_id",
        (f"{TOLD}::test_money_that_was_not_asked_for_is_alarmed_and_notes_nothing",),
    ),
    Sabotage(
        "the moment of a payment's success is the last one told",
        "P50",
        PAYMENTS,
        "    if purchase.payment_time_us is None or told_us < purchase.payment_time_us:\n",
        "    if told_us:\n",
        (f"{TOLD}::test_the_moment_of_success_is_noted_once_and_nothing_is_bound",),
    ),
    Sabotage(
        "what the charge says is believed instead of Stripe's list",
        "P30b",
        REFUNDS,
        "    listed = runs.refunds_of(fact.payment_intent_id)\n",
        "    if purchase.refunded_minor:\n        return PROCESSED\n    listed = runs.refunds_of(fact.payment_intent_id)\n",
        (f"{ANY_ORDER}::test_a_purchase_ends_alike[sqlite-refunds_of_all_kinds-True]",),
    ),
    Sabotage(
        "an older event of a customer overwrites a newer one",
        "P50",
        CUSTOMERS,
        "    if fact.time_us < known_us or (",
        "    if (",
        (f"{PEOPLE}::test_an_older_event_never_overwrites_a_newer_one[sqlite]",),
    ),
    Sabotage(
        "of two events in one second the last one wins",
        "P50",
        CUSTOMERS,
        "        told = _settled(profile, told, now)\n",
        "        pass\n",
        (f"{ANY_ORDER}::test_a_customer_ends_alike",),
    ),
    Sabotage(
        "a customer that was deleted is linked again",
        "P50",
        CUSTOMERS,
        "    yield CLAIM_CUSTOMER(fact.customer_id, profile.account_id)\n",
        "    yield from ()\n",
        (f"{ANY_ORDER}::test_a_customer_ends_alike",),
    ),
    Sabotage(
        "a database is given what it can't keep",
        "P50",
        CUSTOMERS,
        '    return "" if "\\x00" in text else text\n',
        "    return text\n",
        (f"{PEOPLE}::test_odd_words_of_a_customer_are_no_defect",),
    ),
    Sabotage(
        "a paid purchase that is called off is left as it was",
        "P5",
        CANCEL,
        "            raise _not_cancelable(await command.follow(purchase, closed))\n",
        "            raise _not_cancelable(purchase)\n",
        (f"{TOO_LATE}::test_a_purchase_that_was_paid_is_completed[sqlite]",),
    ),
    Sabotage(
        "calling off again asks Stripe as if for the first time",
        "P12",
        CANCEL,
        '    key = f"cancel:{session_id}:{sha256(repr(request.key.id).encode()).hexdigest()}"\n',
        '    key = environment.ids("cancel") + sha256(request.key.value.encode()).hexdigest()\n',
        ("end_to_end/test_stripe_is_down.py::test_cancelling_is_resumed[sqlite]",),
    ),
    Sabotage(
        "money without credits goes unnoticed",
        "P5",
        "billing_service/jobs/paid_purchases.py",
        "        self.waiting = len(found)\n",
        "",
        (f"{TOLD}::test_money_without_credits_is_seen_after_a_while[sqlite]",),
    ),
)
