"""Sabotages of the Python client: what it repeats, what it says of it, and which way its calls go. Of the way to Stripe
too."""

from tests.mutants.sabotage import Sabotage

CONNECTION = "billing_client.asynchronous.connection"
RETRIES = "billing_client.retries"
CLIENT_RETRIES = "clients/test_client_retries.py"

CLIENT = (
    Sabotage(
        "the client repeats a call with a new key",
        "P38",
        f"{CONNECTION}:Connection._call",
        "pause_s = attempts.failed(failed, sent=sent, elsewhere=elsewhere)",
        (
            "pause_s = attempts.failed(failed, sent=sent, elsewhere=elsewhere)\n"
            'if hasattr(request, "idempotency_key"):\n    request.idempotency_key += "-again"'
        ),
        (f"{CLIENT_RETRIES}::test_after_four_attempts_the_outcome_is_named_unknown_and_carries_the_key",),
    ),
    Sabotage(
        "a session whose resumption had no answer is resumed with the token that it replaced",
        "P53",
        "billing_client.asynchronous.metered_session:MeteredSession._connect",
        "self._opened is None or self._token_lost",
        "self._opened is None",
        ("end_to_end/test_sessions_by_clients.py::test_a_session_goes_on_though_answers_to_resumptions_are_lost",),
    ),
    Sabotage(
        "a number that is not whole is refused without its field",
        "P38",
        "billing_client.messages:message",
        "raise _named(kind, fields, wrong) from None",
        "raise",
        ("clients/test_client_messages.py::test_any_other_value_too",),
    ),
    Sabotage(
        "the client replaces the caller's key",
        "P38",
        "billing_client.idempotency:key_or_new",
        "new_idempotency_key() if idempotency_key is None else idempotency_key",
        "new_idempotency_key()",
        ("clients/test_client_keys_and_options.py::test_a_given_key_stays_and_only_none_is_replaced",),
    ),
    Sabotage(
        "the client repeats what was refused",
        "P38",
        f"{RETRIES}:is_worth_repeating",
        "not error.reason or error.status in REPEATED",
        "not error.reason or error.status in REPEATED or error.status is grpc.StatusCode.ABORTED",
        (f"{CLIENT_RETRIES}::test_an_answer_of_the_services_own_is_not_asked_for_again",),
    ),
    Sabotage(
        "the client takes a proxy's word for the service's",
        "P38",
        "billing_client.error_details:_error.error_class",
        "CLASS_BY_STATUS[status] if details.reason else errors.OutcomeUnknown",
        "CLASS_BY_STATUS[status]",
        (f"{CLIENT_RETRIES}::test_after_four_attempts_the_outcome_is_named_unknown_and_carries_the_key",),
    ),
    Sabotage(
        "the client lets a last attempt that was turned away settle an earlier one",
        "P38",
        f"{RETRIES}:Attempts.failed",
        "self._uncertain |= isinstance(error, OutcomeUnknown) and _is_write(self._request)",
        "",
        (f"{CLIENT_RETRIES}::test_what_turns_an_attempt_away_says_nothing_of_an_earlier_one",),
    ),
    Sabotage(
        "the client says of what was sent that it was not",
        "P38",
        f"{CONNECTION}:Connection._call",
        "sent = True",
        "",
        ("clients/test_client_unreachable.py::test_a_service_that_ends_in_the_middle_leaves_the_outcome_unknown",),
    ),
    Sabotage(
        "the client calls before it knows that the service is there",
        "P38",
        f"{CONNECTION}:Connection._call",
        "await stubs.reach(remaining_s if routes is None else patience_s(remaining_s))",
        "True",
        ("clients/test_client_unreachable.py::test_without_a_connection_nothing_was_sent_and_the_error_says_so",),
    ),
    Sabotage(
        "a header may replace the API key",
        "P42",
        "billing_client.headers:pairs_of",
        'name in _OWNED or name.startswith("grpc-")',
        'name.startswith("grpc-")',
        ("clients/test_client_headers.py::test_a_header_that_can_not_travel_is_refused_before_anything_is_sent",),
    ),
    Sabotage(
        "calls to this machine go through a proxy",
        "P42",
        "billing_client.options:ClientOptions.channel_options",
        "int(self.proxy_to(address or self.address) is not None)",
        "1",
        ("clients/test_client_proxies.py::test_calls_to_this_machine_go_through_no_proxy",),
    ),
    Sabotage(
        "the environment decides about the proxy to Stripe's stand-in",
        "P42",
        "billing_service.payments.stripe.http:Transport.__init__",
        "False",
        "True",
        ("payments/test_stripe_proxies.py::test_the_environment_alone_sends_nothing_through_a_proxy",),
    ),
    Sabotage(
        "Stripe's client sends in another event loop",
        "P12",
        "billing_service.payments.stripe.http:Transport._stay_in_one_loop",
        "self._loop is not here",
        "self._loop is None",
        ("payments/test_stripe_proxies.py::test_a_second_event_loop_sends_nothing",),
    ),
)
