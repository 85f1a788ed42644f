"""Sabotages of Stripe's events: what may refuse one, what the order decides, what is noticed."""

from tests.mutants.sabotage import Sabotage

OBJECTS = "billing_service.payments.objects.fields"
EFFECT = "billing_service/stripe_events/effect.py"
CHECKOUTS = "billing_service.stripe_events.families.checkout_session"
INTENTS = "billing_service.stripe_events.families.payment_intent"
REFUNDS = "billing_service.stripe_events.families.refund"
CHARGES = "billing_service.stripe_events.families.charge"
CUSTOMERS = "billing_service.stripe_events.families.customer"
WAITING_CODE = "billing_service.stripe_events.waiting"
LOOKUP = "billing_service.stripe_events.lookup"
UPDATE = "billing_service.commands.sales.refund_update"
CANCEL = "billing_service.commands.sales.cancel_purchase"
ANY_ORDER = "stripe_events/test_any_order.py"
TOOK = "stripe_events/test_what_refunds_took.py"
WAITING = "stripe_events/test_waiting_events.py"
TOLD = "stripe_events/test_payments_told.py"
PEOPLE = "stripe_events/test_customers_told.py"
TOO_LATE = "end_to_end/test_cancel_purchase.py"
UNUSABLE = (f"{WAITING}::test_an_unusable_refund_is_kept_for_a_person_once_its_payment_is_known",)

EVENTS = (
    Sabotage(
        "an event without a time is refused",
        "P50",
        f"{OBJECTS}:time_us",
        "return seconds * US_PER_S if type(seconds) is int and 0 <= seconds <= TIME_S_MAX else None",
        "return int(str(seconds)) * US_PER_S",
        ("stripe_events/test_envelope.py::test_no_other_field_refuses_an_event",),
    ),
    Sabotage(
        "amounts are looked at where there is no money",
        "P50",
        f"{CHECKOUTS}:update_of",
        "if update in MONEY_UPDATES:\n    session.check(*MONEY)",
        "session.check(*MONEY)",
        ("stripe_events/test_families.py::test_amounts_are_looked_at_only_where_there_is_money",),
    ),
    Sabotage(
        "a payment in a word that is not known is promised",
        "P30b",
        f"{CHECKOUTS}:update_of",
        'session.status == "complete" and session.payment_status not in _PAYMENT_STATUSES',
        "False",
        ("stripe_events/test_objects_without_events.py::test_a_session_that_must_not_move_its_purchase",),
    ),
    Sabotage(
        "a refund that says nothing usable is ours and out",
        "P12",
        "billing_service.commands.sales.refund_sending:find_made",
        "made.require(*MONEY)",
        "pass",
        (
            "stripe_events/test_objects_without_events.py::test_a_refund_of_ours_that_stripe_lists_without_its_money_is_not_settled",
        ),
    ),
    Sabotage(
        "an event of no business here is kept as any other",
        "P50",
        "billing_service.stripe_events.inbox:_keep",
        "known is not None and not again and (yield from keep_event(*delivered, now_us, status=known.status, "
        "error=known.note))",
        "not payload",
        ("stripe_events/test_cost_of_an_event.py::test_an_event_that_has_no_business_here_is_kept_in_one_statement",),
    ),
    Sabotage(
        "what an event changed of a purchase is not written",
        "P29",
        "billing_service.ledger.unit:Unit.write",
        "for purchase in self._changed_purchases.values():\n    yield from PURCHASES.replace(purchase)",
        "",
        ("stripe_events/test_cost_of_an_event.py::test_a_purchase_is_written_once_whatever_an_event_brings[sqlite]",),
    ),
    Sabotage(
        "a declined payment must be readable",
        "P50",
        f"{INTENTS}:read",
        "if envelope.event_type != SUCCEEDED and not is_asked_for(envelope.object):\n    "
        'return NoEffect("a payment that did not succeed: its checkout '
        'says what becomes of the purchase")',
        "",
        (f"{TOLD}::test_a_payment_that_did_not_succeed_says_nothing_that_a_rule_needs",),
    ),
    Sabotage(
        "a refund of nothing is booked",
        "P50",
        f"{REFUNDS}:book",
        ('if update.amount_minor == 0:\n    return ignored("nothing went back")'),
        "",
        (f"{WAITING}::test_a_refund_of_nothing_is_nothing[sqlite]",),
    ),
    Sabotage(
        "a refund without bounds is booked",
        "P50",
        f"{OBJECTS}:Fields._amount",
        "not 0 <= value <= MONEY_MINOR_MAX",
        "value < 0",
        (f"{WAITING}::test_odd_refunds_in_stripes_list_hold_up_nothing[sqlite]",),
    ),
    Sabotage(
        "a waiting event that breaks breaks all",
        "P50",
        f"{WAITING_CODE}:_picked_up",
        "raise SpoiledError(event.event_id, type(defect).__name__) from defect",
        "raise defect",
        (f"{WAITING}::test_one_that_breaks_is_left_out_and_the_others_have_their_effect",),
    ),
    Sabotage(
        "a failure of the machine is blamed on a waiting event",
        "P50",
        f"{WAITING_CODE}:_picked_up",
        "(UnansweredError, ConflictError, Failure, LostUpdateError)",
        "(UnansweredError, ConflictError, LostUpdateError)",
        (f"{WAITING}::test_a_failure_of_the_machine_is_nobody_s_fault[sqlite]",),
    ),
    Sabotage(
        "what is picked up and unusable is not counted",
        "P50",
        "billing_service.stripe_events.inbox:count_effects",
        "environment.counters.events[_counted_type(event.event_type), event.status.value] += 1",
        "",
        UNUSABLE,
    ),
    Sabotage(
        "old endpoints' failures of refunds are not heard",
        "P30b",
        f"{REFUNDS}:FAMILY",
        "('refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated')",
        "('refund.created', 'refund.updated', 'refund.failed')",
        (f"{ANY_ORDER}::test_a_purchase_ends_alike[sqlite-refunds_of_all_kinds-True]",),
    ),
    Sabotage(
        "a page without money in it becomes the purchase's",
        "P30b",
        f"{CHECKOUTS}:_apply.has_money",
        "update in MONEY_UPDATES",
        "True",
        (f"{ANY_ORDER}::test_a_purchase_ends_alike[sqlite-another_session-False]",),
    ),
    Sabotage(
        "a payment that was bound before wins over the session",
        "P30b",
        f"{CHECKOUTS}:_objection.paid_by",
        'purchase.payment_intent_id if purchase.status is PurchaseStatus.COMPLETED else ""',
        "purchase.payment_intent_id",
        (f"{TOLD}::test_a_session_wins_over_the_payment_that_an_older_program_had_bound",),
    ),
    Sabotage(
        "one payment is bound to two purchases at once",
        "P5",
        f"{LOOKUP}:bind_reference",
        "not (yield from claim_reference(reference, purchase.account_id, purchase.purchase_id))",
        ("not (yield from claim_reference(reference, purchase.account_id, purchase.purchase_id)) and not reference"),
        (f"{TOLD}::test_two_purchases_that_claim_one_payment_or_page_at_once_end_apart",),
    ),
    Sabotage(
        "payments in any currency are the purchase's",
        "P30b",
        "billing_service.domain.sales.purchases:check_intent",
        'expected_actual = [("currency", snapshot.currency, str(report.currency))]',
        "expected_actual: list[tuple[str, str, str]] = []",
        (f"{TOLD}::test_money_that_was_not_asked_for_is_alarmed_and_notes_nothing",),
    ),
    Sabotage(
        "the moment of a payment's success is the last one told",
        "P50",
        f"{INTENTS}:_note_time",
        "purchase.payment_time_us is None or succeeded_us < purchase.payment_time_us",
        "succeeded_us",
        (f"{TOLD}::test_the_moment_of_success_is_noted_once_and_nothing_is_bound",),
    ),
    Sabotage(
        "what the charge says is believed instead of Stripe's list",
        "P30b",
        f"{CHARGES}:apply",
        '"""Books the refunds that Stripe lists. The caller writes the unit."""',
        (
            '"""Books the refunds that Stripe lists. The caller writes the unit."""\nif purchase.refunded_minor:\n    '
            "return PROCESSED"
        ),
        (f"{ANY_ORDER}::test_a_purchase_ends_alike[sqlite-refunds_of_all_kinds-True]",),
    ),
    Sabotage(
        "an older event of a customer overwrites a newer one",
        "P50",
        f"{CUSTOMERS}:_take_over",
        "time_us < known_us or (time_us == known_us and is_new)",
        "time_us == known_us and is_new",
        (f"{PEOPLE}::test_an_older_event_never_overwrites_a_newer_one[sqlite]",),
    ),
    Sabotage(
        "of two events in one second the last one wins",
        "P50",
        f"{CUSTOMERS}:_take_over",
        "told = _settled(profile, told, now)",
        "pass",
        (f"{ANY_ORDER}::test_a_customer_ends_alike",),
    ),
    Sabotage(
        "a customer that was deleted is linked again",
        "P50",
        f"{CUSTOMERS}:_forget",
        "yield from claim_customer(customer.customer_id, profile.account_id)",
        "yield from ()",
        (f"{ANY_ORDER}::test_a_customer_ends_alike",),
    ),
    Sabotage(
        "a database is given what it can't keep",
        "P50",
        "billing_service.domain.accounts.profiles:_storable",
        '"" if "\\x00" in text else text',
        "text",
        (f"{PEOPLE}::test_odd_words_of_a_customer_are_no_defect",),
    ),
    Sabotage(
        "a paid purchase that is called off is left as it was",
        "P5",
        f"{CANCEL}:_try_to_cancel",
        "await command.follow(purchase, closed)",
        "purchase",
        (f"{TOO_LATE}::test_a_purchase_that_was_paid_is_completed[sqlite]",),
    ),
    Sabotage(
        "calling off again asks Stripe as if for the first time",
        "P12",
        f"{CANCEL}:_close_checkout.key",
        'f"cancel:{session_id}:{sha256(repr(request.key.id).encode()).hexdigest()}"',
        'environment.ids("cancel") + sha256(request.key.value.encode()).hexdigest()',
        ("end_to_end/test_stripe_is_down.py::test_cancelling_is_resumed[sqlite]",),
    ),
    Sabotage(
        "money without credits goes unnoticed",
        "P5",
        "billing_service.jobs.overdue:Overdue.run",
        "self.waiting = len(found)",
        "",
        (f"{TOLD}::test_money_without_credits_is_seen_after_a_while[sqlite]",),
    ),
    Sabotage(
        "a refund that waits for Stripe is called done",
        "P4",
        "billing_service.commands.sales.refund:_waiting_refund",
        "refund.is_unsent",
        "False",
        ("end_to_end/test_stripe_is_down.py::test_another_key_is_refused_by_the_refund_that_waits_for_stripe[sqlite]",),
    ),
    Sabotage(
        "refunds before the credits do not say what they took",
        "P4",
        "billing_service.commands.sales.completion:_follow_refunds",
        "(yield from follow_money(environment, unit, purchase, refunds=counting[:number])).note(refund)",
        "yield from follow_money(environment, unit, purchase, refunds=counting[:number])",
        (f"{TOOK}::test_refunds_before_the_credits_say_what_they_took[sqlite]",),
    ),
    Sabotage(
        "a refund that was given up says what it took first",
        "P4",
        "billing_service.commands.sales.refund_update:apply_refund_update",
        "refund.status.counts and not before.counts",
        "False",
        (f"{TOOK}::test_a_refund_that_stripe_made_after_it_was_given_up_says_what_it_took[sqlite]",),
    ),
    Sabotage(
        "a refund of which Stripe has spoken counts as unsent",
        "P4",
        "billing_service.storage.rows.refunds:UNSENT_REFUNDS",
        """refunds.c.stripe_refund_id == literal_column("''")""",
        "refunds.c.refund_id != literal_column(\"''\")",
        ("stripe_events/test_unsent_refunds.py::test_a_refund_that_nobody_repeats_is_seen_after_a_while[sqlite]",),
    ),
)
