"""Sabotages between Stripe and the ledger: signatures, the gateway, the inbox, what a payment must be."""

from sabotage import Sabotage

SIGNATURE = "clients/python/billing_client/stripe_signature.py"
CHECKOUTS = "billing_service/stripe_events/checkouts.py"
INBOX = "billing_service/stripe_events/inbox.py"
PURCHASES = "billing_service/domain/purchases.py"
DELIVERY = "webhook_gateway/delivery.py"
SIGNED = "clients/test_stripe_signature.py"
DELIVERIES = "gateway/test_gateway_deliveries.py"
UNASKED = ("domain/test_purchases.py::test_a_payment_that_was_not_asked_for_is_told_apart",)
REFUSED_EVENTS = "end_to_end/test_event_refusals.py"

STRIPE = (
    Sabotage(
        "signatures compared with ==",
        "P26",
        SIGNATURE,
        "fits |= hmac.compare_digest(expected, signature)",
        "fits |= expected == signature",
        ("security/test_secret_comparison.py::test_each_signature_is_compared_with_each_secret_in_constant_time",),
    ),
    Sabotage(
        "the first fitting signature ends the comparison",
        "P26",
        SIGNATURE,
        "            fits |= hmac.compare_digest(expected, signature)\n",
        "            fits = fits or hmac.compare_digest(expected, signature)\n",
        ("security/test_secret_comparison.py::test_each_signature_is_compared_with_each_secret_in_constant_time",),
    ),
    Sabotage(
        "half a signature is enough",
        "P26",
        SIGNATURE,
        "hmac.compare_digest(expected, signature)",
        "hmac.compare_digest(expected[: len(signature)], signature)",
        (f"{SIGNED}::test_refused",),
    ),
    Sabotage(
        "times in the future accepted",
        "P27",
        SIGNATURE,
        "if abs(now_s - int(timestamp)) >",
        "if now_s - int(timestamp) >",
        (f"{SIGNED}::test_refused",),
    ),
    Sabotage(
        "the tolerance ignored",
        "P27",
        SIGNATURE,
        "int(timestamp)) > tolerance_s:",
        "int(timestamp)) > 10**12:",
        (f"{SIGNED}::test_refused",),
    ),
    Sabotage(
        "the tolerance may be 0",
        "P27",
        SIGNATURE,
        "if not 1 <= tolerance_s <=",
        "if not 0 <= tolerance_s <=",
        (f"{SIGNED}::test_the_time_check_can_not_be_switched_off",),
    ),
    Sabotage(
        "an empty secret signs",
        "P26",
        SIGNATURE,
        "if not secrets or not all(secret.strip() for secret in secrets):",
        "if not secrets:",
        (f"{SIGNED}::test_weak_secrets_are_the_deployments_fault",),
    ),
    Sabotage(
        "only the first secret counts",
        "P28",
        SIGNATURE,
        "    for key in keys:",
        "    for key in keys[:1]:",
        (f"{SIGNED}::test_any_signature_may_fit_any_secret",),
    ),
    Sabotage(
        "the gateway forwards the unsigned",
        "P26",
        DELIVERY,
        'raise Rejected(400, "signature_invalid", str(invalid)) from invalid',
        "str(invalid)",
        (f"{DELIVERIES}::test_nothing_unsigned_is_forwarded",),
    ),
    Sabotage(
        "the service trusts the gateway's check",
        "P26",
        INBOX,
        '        raise Refusal(Reason.SIGNATURE_INVALID, "the signature does not fit the payload, the secrets or the time") from error\n',
        "        str(error)\n",
        (f"{REFUSED_EVENTS}::test_signatures_that_do_not_fit_are_refused_and_nothing_is_kept[sqlite]",),
    ),
    Sabotage(
        "200 while the service is unavailable",
        "P29",
        "webhook_gateway/answers.py",
        "grpc.StatusCode.UNAVAILABLE: 503,",
        "grpc.StatusCode.UNAVAILABLE: 200,",
        (f"{DELIVERIES}::test_every_status_has_an_answer",),
    ),
    Sabotage(
        "bodies in chunks without a limit",
        "P30",
        DELIVERY,
        "if len(body) + len(chunk) > bytes_max:",
        "if len(chunk) > bytes_max:",
        (f"{DELIVERIES}::test_an_oversized_body_is_refused_in_both_framings",),
    ),
    Sabotage(
        "compressed bodies accepted",
        "P30",
        DELIVERY,
        "    _require_uncompressed(request)\n    signature",
        "    signature",
        (f"{DELIVERIES}::test_a_compressed_body_is_refused",),
    ),
    Sabotage(
        "a duplicate has its effect again",
        "P27",
        INBOX,
        "    settled = event.attempt_count > 0 and",
        "    settled = event.attempt_count > 50 and",
        ("end_to_end/test_event_orders.py::test_fifty_deliveries_at_once_have_one_effect[sqlite]",),
    ),
    Sabotage(
        "the inbox row is kept without its effect",
        "P12",
        INBOX,
        "        verdict = await runs.write(partial(_keep, environment, envelope, payload, effect, again=again))\n    except Refusal",
        "        done = Verdict(EventStatus.PROCESSED)\n"
        "        kept = partial(_keep, environment, envelope, payload, partial(_said, done), again=again)\n"
        "        verdict = await runs.write(kept)\n"
        "        if verdict is done and not isinstance(fact, Verdict):\n"
        "            await runs.write(effect)\n    except Refusal",
        (f"{REFUSED_EVENTS}::test_a_failing_handler_keeps_the_event_and_the_next_try_has_the_effect[sqlite]",),
    ),
    Sabotage(
        "what was decided of a checkout is not written",
        "P29",
        "billing_service/stripe_events/lookup.py",
        "    booked = booked_in(unit)\n    yield from unit.write()\n",
        "    booked = booked_in(unit)\n",
        ("end_to_end/test_purchases_by_customers.py::test_credits_arrive_once_whatever_webhooks_do[sqlite-switches0]",),
    ),
    Sabotage(
        "payments are not checked",
        "P30b",
        CHECKOUTS,
        "        if mismatch is not None:",
        "        if mismatch is not None and not mismatch.differences:",
        (f"{REFUSED_EVENTS}::test_a_session_that_is_not_the_one_sold_is_quarantined_and_seen[sqlite]",),
    ),
    Sabotage(
        "one payment pays two purchases",
        "P5",
        CHECKOUTS,
        "    if (yield from other_purchase(fact.payment_intent_id, purchase)) or (yield",
        "    if (yield",
        (f"{REFUSED_EVENTS}::test_a_payment_of_one_purchase_pays_no_other[sqlite]",),
    ),
    Sabotage("another currency accepted", "P30b", PURCHASES, '        ("currency", snapshot.currency, report.currency),\n', "", UNASKED),
    Sabotage(
        "another account's payment accepted",
        "P30b",
        PURCHASES,
        '        ("account_id", snapshot.account_id, report.account_id),\n',
        "",
        UNASKED,
    ),
    Sabotage(
        "a lower amount accepted",
        "P30b",
        PURCHASES,
        "not lowest_minor <= report.amount_total_minor <= highest_minor:",
        "not report.amount_total_minor <= highest_minor:",
        UNASKED,
    ),
    Sabotage(
        "test mode pays in live mode",
        "P30b",
        PURCHASES,
        '        ("livemode", livemode_expected, report.livemode),\n',
        "",
        ("domain/test_purchases.py::test_a_test_payment_is_not_money_in_live_mode",),
    ),
    Sabotage(
        "unpaid is granted",
        "P30b",
        PURCHASES,
        'in {"paid", "no_payment_required"} else',
        'in {"paid", "no_payment_required", "unpaid"} else',
        ("domain/test_purchases.py::test_what_a_session_says",),
    ),
)
