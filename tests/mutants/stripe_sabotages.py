"""Sabotages between Stripe and the ledger: signatures, the gateway, the inbox, what a payment must be."""

from tests.mutants.sabotage import Sabotage

SIGNATURE = "billing_client.stripe_signature"
CHECKOUTS = "billing_service.stripe_events.families.checkout_session"
INBOX = "billing_service.stripe_events.inbox"
PURCHASES = "billing_service.domain.sales.purchases"
DELIVERY = "webhook_gateway.delivery"
SIGNED = "clients/test_stripe_signature.py"
DELIVERIES = "gateway/test_gateway_deliveries.py"
UNASKED = ("domain/test_purchases.py::test_a_payment_that_was_not_asked_for_is_told_apart",)
REFUSED_EVENTS = "end_to_end/test_event_refusals.py"

STRIPE = (
    Sabotage(
        "signatures compared with ==",
        "P26",
        f"{SIGNATURE}:verify",
        "hmac.compare_digest(expected, signature)",
        "expected == signature",
        ("security/test_secret_comparison.py::test_each_signature_is_compared_with_each_secret_in_constant_time",),
    ),
    Sabotage(
        "the first fitting signature ends the comparison",
        "P26",
        f"{SIGNATURE}:verify",
        "fits |= hmac.compare_digest(expected, signature)",
        "fits = fits or hmac.compare_digest(expected, signature)",
        ("security/test_secret_comparison.py::test_each_signature_is_compared_with_each_secret_in_constant_time",),
    ),
    Sabotage(
        "half a signature is enough",
        "P26",
        f"{SIGNATURE}:verify",
        "expected",
        "expected[: len(signature)]",
        (f"{SIGNED}::test_refused",),
    ),
    Sabotage(
        "times in the future accepted",
        "P27",
        f"{SIGNATURE}:verify",
        "abs(now_s - int(timestamp))",
        "now_s - int(timestamp)",
        (f"{SIGNED}::test_refused",),
    ),
    Sabotage(
        "the tolerance ignored",
        "P27",
        f"{SIGNATURE}:verify",
        "abs(now_s - int(timestamp)) > tolerance_s",
        "abs(now_s - int(timestamp)) > 10**12",
        (f"{SIGNED}::test_refused",),
    ),
    Sabotage(
        "the tolerance may be 0",
        "P27",
        f"{SIGNATURE}:verify",
        "1",
        "0",
        (f"{SIGNED}::test_the_time_check_can_not_be_switched_off",),
    ),
    Sabotage(
        "an empty secret signs",
        "P26",
        f"{SIGNATURE}:_secret_keys",
        "not secrets or not all(secret.strip() for secret in secrets)",
        "not secrets",
        (f"{SIGNED}::test_weak_secrets_are_the_deployments_fault",),
    ),
    Sabotage(
        "only the first secret counts",
        "P28",
        f"{SIGNATURE}:verify",
        "keys",
        "keys[:1]",
        (f"{SIGNED}::test_any_signature_may_fit_any_secret",),
    ),
    Sabotage(
        "the gateway forwards the unsigned",
        "P26",
        f"{DELIVERY}:read_delivery",
        'raise Rejected(400, "signature_invalid", str(invalid)) from invalid',
        "str(invalid)",
        ("gateway/test_gateway_refusals.py::test_nothing_unsigned_is_forwarded",),
    ),
    Sabotage(
        "the service trusts the gateway's check",
        "P26",
        f"{INBOX}:process_event",
        "raise signature_invalid() from error",
        "str(error)",
        (f"{REFUSED_EVENTS}::test_signatures_that_do_not_fit_are_refused_and_nothing_is_kept[sqlite]",),
    ),
    Sabotage(
        "200 while the service is unavailable",
        "P29",
        "webhook_gateway.answers:HTTP_STATUS",
        (
            "{grpc.StatusCode.OK: 200, grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.UNAVAILABLE: "
            "503, grpc.StatusCode.DEADLINE_EXCEEDED: 503, grpc.StatusCode.CANCELLED: 503, "
            "grpc.StatusCode.ABORTED: 503, grpc.StatusCode.INTERNAL: 503, grpc.StatusCode.UNKNOWN: 503, "
            "grpc.StatusCode.RESOURCE_EXHAUSTED: 503, grpc.StatusCode.DATA_LOSS: 503, "
            "grpc.StatusCode.UNAUTHENTICATED: 503, grpc.StatusCode.PERMISSION_DENIED: 503, "
            "grpc.StatusCode.UNIMPLEMENTED: 503, grpc.StatusCode.NOT_FOUND: 503, "
            "grpc.StatusCode.ALREADY_EXISTS: 503, grpc.StatusCode.FAILED_PRECONDITION: 503, "
            "grpc.StatusCode.OUT_OF_RANGE: 503}"
        ),
        (
            "{grpc.StatusCode.OK: 200, grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.UNAVAILABLE: "
            "200, grpc.StatusCode.DEADLINE_EXCEEDED: 503, grpc.StatusCode.CANCELLED: 503, "
            "grpc.StatusCode.ABORTED: 503, grpc.StatusCode.INTERNAL: 503, grpc.StatusCode.UNKNOWN: 503, "
            "grpc.StatusCode.RESOURCE_EXHAUSTED: 503, grpc.StatusCode.DATA_LOSS: 503, "
            "grpc.StatusCode.UNAUTHENTICATED: 503, grpc.StatusCode.PERMISSION_DENIED: 503, "
            "grpc.StatusCode.UNIMPLEMENTED: 503, grpc.StatusCode.NOT_FOUND: 503, "
            "grpc.StatusCode.ALREADY_EXISTS: 503, grpc.StatusCode.FAILED_PRECONDITION: 503, "
            "grpc.StatusCode.OUT_OF_RANGE: 503}"
        ),
        (f"{DELIVERIES}::test_every_status_has_an_answer",),
    ),
    Sabotage(
        "bodies in chunks without a limit",
        "P30",
        f"{DELIVERY}:_read_body",
        "len(body) + len(chunk)",
        "len(chunk)",
        ("gateway/test_gateway_refusals.py::test_an_oversized_body_is_refused_in_both_framings",),
    ),
    Sabotage(
        "compressed bodies accepted",
        "P30",
        f"{DELIVERY}:read_delivery",
        "_require_uncompressed(request)",
        "",
        ("gateway/test_gateway_refusals.py::test_a_compressed_body_is_refused",),
    ),
    Sabotage(
        "a duplicate has its effect again",
        "P27",
        f"{INBOX}:_keep.settled",
        "0",
        "50",
        ("end_to_end/test_event_orders.py::test_fifty_deliveries_at_once_have_one_effect[sqlite]",),
    ),
    Sabotage(
        "the inbox row is kept without its effect",
        "P12",
        f"{INBOX}:_process",
        "result = await runs.write(partial(_keep, environment, envelope, payload, effect, known, again=again))",
        (
            "done = Result(EventStatus.PROCESSED)\n"
            "kept = partial(_keep, environment, envelope, payload, partial(_said, done), None, again=again)\n"
            "result = await runs.write(kept)\n"
            "if result is done and not isinstance(event, Result):\n"
            "    await runs.write(effect)"
        ),
        (f"{REFUSED_EVENTS}::test_a_failing_handler_keeps_the_event_and_the_next_try_has_the_effect[sqlite]",),
    ),
    Sabotage(
        "what was decided of a checkout is not written",
        "P29",
        "billing_service.stripe_events.lookup:_have",
        "yield from unit.write()",
        "",
        ("end_to_end/test_create_purchase.py::test_credits_arrive_once_whatever_webhooks_do[sqlite-switches0]",),
    ),
    Sabotage(
        "payments are not checked",
        "P30b",
        f"{CHECKOUTS}:_objection",
        "mismatch is not None",
        "mismatch is not None and not mismatch.differences",
        (f"{REFUSED_EVENTS}::test_a_session_that_is_not_the_one_sold_is_quarantined_and_seen[sqlite]",),
    ),
    Sabotage(
        "one payment pays two purchases",
        "P5",
        f"{CHECKOUTS}:_objection",
        (
            "if (yield from other_purchase(payment_intent_id, purchase)) or (yield from "
            "other_purchase(session.session_id, purchase)):\n"
            '    return quarantined("the session or the payment belongs to another purchase")'
        ),
        (
            "if (yield from other_purchase(session.session_id, purchase)):\n"
            '    return quarantined("the session or the payment belongs to another purchase")'
        ),
        (f"{REFUSED_EVENTS}::test_a_payment_of_one_purchase_pays_no_other[sqlite]",),
    ),
    Sabotage(
        "another currency accepted",
        "P30b",
        f"{PURCHASES}:check_payment.expected_actual",
        (
            "[('livemode', livemode_expected, report.livemode), ('purchase_id', snapshot.purchase_id, "
            "report.purchase_id), ('account_id', snapshot.account_id, report.account_id), ('mode', "
            "'payment', report.mode), ('currency', snapshot.currency, report.currency), ('amount_subtotal', "
            "snapshot.amount_minor, report.amount_subtotal_minor)]"
        ),
        (
            "[('livemode', livemode_expected, report.livemode), ('purchase_id', snapshot.purchase_id, "
            "report.purchase_id), ('account_id', snapshot.account_id, report.account_id), ('mode', "
            "'payment', report.mode), ('amount_subtotal', snapshot.amount_minor, "
            "report.amount_subtotal_minor)]"
        ),
        UNASKED,
    ),
    Sabotage(
        "another account's payment accepted",
        "P30b",
        f"{PURCHASES}:check_payment.expected_actual",
        (
            "[('livemode', livemode_expected, report.livemode), ('purchase_id', snapshot.purchase_id, "
            "report.purchase_id), ('account_id', snapshot.account_id, report.account_id), ('mode', "
            "'payment', report.mode), ('currency', snapshot.currency, report.currency), ('amount_subtotal', "
            "snapshot.amount_minor, report.amount_subtotal_minor)]"
        ),
        (
            "[('livemode', livemode_expected, report.livemode), ('purchase_id', snapshot.purchase_id, "
            "report.purchase_id), ('mode', 'payment', report.mode), ('currency', snapshot.currency, "
            "report.currency), ('amount_subtotal', snapshot.amount_minor, report.amount_subtotal_minor)]"
        ),
        UNASKED,
    ),
    Sabotage(
        "a lower amount accepted",
        "P30b",
        f"{PURCHASES}:check_payment",
        "lowest_minor <= report.amount_total_minor <= highest_minor",
        "report.amount_total_minor <= highest_minor",
        UNASKED,
    ),
    Sabotage(
        "test mode pays in live mode",
        "P30b",
        f"{PURCHASES}:check_payment.expected_actual",
        (
            "[('livemode', livemode_expected, report.livemode), ('purchase_id', snapshot.purchase_id, "
            "report.purchase_id), ('account_id', snapshot.account_id, report.account_id), ('mode', "
            "'payment', report.mode), ('currency', snapshot.currency, report.currency), ('amount_subtotal', "
            "snapshot.amount_minor, report.amount_subtotal_minor)]"
        ),
        (
            "[('purchase_id', snapshot.purchase_id, report.purchase_id), ('account_id', snapshot.account_id, "
            "report.account_id), ('mode', 'payment', report.mode), ('currency', snapshot.currency, "
            "report.currency), ('amount_subtotal', snapshot.amount_minor, report.amount_subtotal_minor)]"
        ),
        ("domain/test_purchases.py::test_a_test_payment_is_not_money_in_live_mode",),
    ),
    Sabotage(
        "unpaid is granted",
        "P30b",
        f"{PURCHASES}:checkout_update",
        '{"paid", "no_payment_required"}',
        '{"paid", "no_payment_required", "unpaid"}',
        ("domain/test_purchases.py::test_what_a_session_says",),
    ),
)
