"""Sabotages of the edge: who calls, what they may do, what they are told, how calls and the process end."""

from tests.mutants.sabotage import Sabotage

PIPELINE = "billing_service.api.pipeline"
IDENTITY = "billing_service.api.identity"
API_KEYS = "billing_service.domain.access.api_keys"
HEALTH = "billing_service.api.health"
RETRIES = "clients/python/billing_client/retries.py"
MATRIX = "security/test_scope_matrix.py"

BOUND = "billing_service.api.bound_keys"
BOUND_TESTS = ("security/test_bound_keys.py",)

CALLERS = (
    Sabotage(
        "a bound key acts on any account",
        "M11",
        f"{PIPELINE}:Call.require_account",
        "self.account_ids and account_id not in self.account_ids",
        "not account_id",
        BOUND_TESTS,
    ),
    Sabotage(
        "a bound key calls what concerns all accounts",
        "M11",
        f"{BOUND}:for_bound_keys",
        "_of_found(implementation) if method.name in OF_WHAT_IS_FOUND else _of_all",
        "_of_found(implementation)",
        BOUND_TESTS,
    ),
    Sabotage(
        "a bound key learns which purchases exist",
        "M11",
        f"{BOUND}:_of_found.judged",
        "refusal.reason in _UNKNOWN",
        "not refusal.reason",
        BOUND_TESTS,
    ),
    Sabotage(
        "a bound key deducts from any account in a batch",
        "M11",
        "billing_service.api.servicers.deductions:deduction_of",
        "call.require_account(request.account_id)",
        "",
        BOUND_TESTS,
    ),
    Sabotage(
        "scopes not checked",
        "P39",
        f"{PIPELINE}:build_handler.serve",
        "scope not in identity.scopes",
        "not identity.scopes",
        ("api/test_identity.py::test_who_may_do_what_exactly",),
    ),
    Sabotage(
        "scopes checked after existence",
        "P39",
        f"{PIPELINE}:build_handler.serve",
        (
            "if scope not in identity.scopes:\n"
            "    raise scope_missing(scope.value)\n"
            "if len(raw) > request_bytes_max:\n"
            '    raise invalid_field("request", f"{len(raw)} bytes; at most {request_bytes_max} are taken")\n'
            "try:\n"
            "    call.request = request = parse(raw)\n"
            "except DecodeError:\n"
            '    raise invalid_field("request", "the bytes are no message of this type, or a string is not '
            'UTF-8") from None\n'
            "return (bound if identity.account_ids else implementation)(request, call)"
        ),
        (
            "async def late() -> Message | bytes:\n"
            "    answer = await implementation(parse(raw), call)\n"
            "    if scope not in identity.scopes:\n"
            "        raise scope_missing(scope.value)\n"
            "    return answer\n"
            "\n"
            "return late()"
        ),
        (f"{MATRIX}::test_who_lacks_the_scope_is_refused_before_anything_is_looked_up[sqlite]",),
    ),
    Sabotage(
        "API keys hashed without the pepper",
        "P39",
        f"{API_KEYS}:hash_key",
        "pepper",
        'b""',
        ("api/test_key_format.py::test_hashes_depend_on_key_and_pepper",),
    ),
    Sabotage(
        "API keys compared with ==",
        "P39",
        f"{IDENTITY}:CallerAuthenticator._identity_of_key.matches",
        "hmac.compare_digest(hash_key(self._pepper, text), _NO_HASH if key is None else key.secret_hash)",
        "key is not None and hash_key(self._pepper, text) == key.secret_hash",
        ("security/test_secret_comparison.py::test_a_key_s_hash_is_compared_in_constant_time_known_or_not",),
    ),
    Sabotage(
        "any secret fits a known key id",
        "P39",
        f"{IDENTITY}:CallerAuthenticator._identity_of_key",
        "key is None or not matches or not key.is_live(now_us)",
        "key is None or not key.is_live(now_us)",
        (f"{MATRIX}::test_whoever_is_not_recognised_hears_the_same_whatever_exists[sqlite]",),
    ),
    Sabotage(
        "revoked keys accepted",
        "P39",
        f"{API_KEYS}:ApiKey.is_live",
        "self.revoke_time_us is None and (self.expire_time_us is None or now_us < self.expire_time_us)",
        "self.expire_time_us is None or now_us < self.expire_time_us",
        ("api/test_identity.py",),
    ),
    Sabotage(
        "keys remembered for an hour",
        "P39",
        f"{IDENTITY}:CACHE_S",
        "5.0",
        "3600.0",
        ("api/test_identity.py::test_a_revocation_acts_within_the_ten_seconds_promised",),
    ),
    Sabotage(
        "what an exception says is told",
        "P31",
        "billing_service.api.outcome:Outcome.refuse",
        "call.correlation_id",
        "str(error)",
        ("api/test_pipeline.py::test_nothing_of_a_defect_reaches_the_caller",),
    ),
    Sabotage(
        "secrets in logs",
        "P42",
        "billing_service.logs:_clean_text",
        "masked_out.sub(MASK, masked)",
        "str(masked)",
        ("settings/test_logs.py::test_secrets_are_masked_wherever_they_stray",),
    ),
    Sabotage(
        "fields with a secret's name in logs",
        "P42",
        "billing_service.logs:clean",
        "MASK if is_secret else _clean_value(value)",
        "_clean_value(value)",
        ("settings/test_logs.py::test_secrets_are_masked_wherever_they_stray",),
    ),
    Sabotage(
        "control characters in logs",
        "P43",
        "billing_service.logs:_clean_text",
        "masked.isprintable()",
        "masked",
        ("settings/test_logs.py::test_one_event_is_one_line_without_control_characters",),
    ),
    Sabotage(
        "a cancellation from inside is answered with nothing",
        "P32",
        "billing_service.api.outcome:Outcome.refuse",
        "return await self._interrupt(call, error, seconds, was_overdue=was_overdue)",
        "raise error",
        ("api/test_deadlines.py::test_a_cancellation_from_within_is_answered",),
    ),
    Sabotage(
        "calls begin with no time left",
        "P32",
        f"{PIPELINE}:_compose.handle",
        "REMAINING_MIN_S",
        "-1",
        ("api/test_deadlines.py::test_a_deadline_too_near_begins_nothing",),
    ),
    Sabotage(
        "calls without a deadline have none",
        "P32",
        f"{PIPELINE}:_compose.handle",
        "overdue.watch(watched, started)",
        "",
        ("api/test_deadlines.py::test_a_call_that_never_returns_is_answered_at_the_services_own_deadline",),
    ),
    Sabotage(
        "overload is taken on",
        "P34",
        f"{PIPELINE}:_compose.handle",
        "admission.in_flight >= admission.in_flight_max",
        "admission.in_flight < 0",
        ("api/test_pipeline.py::test_overload_is_refused_and_over_at_once",),
    ),
    Sabotage(
        "requests of any size",
        "P35",
        f"{PIPELINE}:build_handler.serve",
        "len(raw) > request_bytes_max",
        "len(raw) < 0",
        ("api/test_pipeline.py::test_a_request_has_its_methods_own_size_limit",),
    ),
    Sabotage(
        "SERVING from the start",
        "P36",
        f"{HEALTH}:HealthServicer.__init__",
        "self._serving = False",
        "self._serving = True",
        ("api/test_server.py::test_health_follows_the_probe",),
    ),
    Sabotage(
        "health ignores the probe",
        "P36",
        f"{HEALTH}:Readiness.check",
        "self._health.set_serving(failure is None)",
        "self._health.set_serving(True)",
        ("api/test_server.py::test_health_follows_the_probe",),
    ),
    Sabotage(
        "a drain waits for nobody",
        "P37",
        "billing_service.api.server:RunningServer._stop_grpc.stopping",
        "self.limits.grace_s",
        "None",
        ("api/test_server.py::test_a_drain_finishes_what_is_in_flight_and_takes_no_more",),
    ),
    Sabotage(
        "a drain cuts off what is under way",
        "P37",
        "billing_service.api.server:RunningServer._stop_grpc",
        "_calls_handed_over()",
        "_calls_handed_over() and False",
        ("api/test_drain_of_slow_callers.py::test_an_answer_that_still_leaves_is_waited_for",),
    ),
    Sabotage(
        "page tokens fit any request",
        "P46",
        "billing_service.api.page_tokens:_mac.message",
        "parts",
        "parts[:0]",
        ("api/test_validation.py::test_a_page_token_is_good_for_its_own_request_alone",),
    ),
    Sabotage(
        "page tokens not signed",
        "P46",
        "billing_service.api.page_tokens:decode_page_token",
        "not hmac.compare_digest(mac, _mac(secret, raw, binding)) or _text(signed) != token",
        "_text(signed) != token",
        ("api/test_validation.py::test_a_tampered_page_token_is_refused",),
    ),
    Sabotage(
        "the page after paying says of pending credits that they arrived",
        "P31b",
        "webhook_gateway.return_page:ReturnPage._page",
        "checkout.status == sold.PURCHASE_STATUS_COMPLETED",
        "checkout.status in (sold.PURCHASE_STATUS_COMPLETED, sold.PURCHASE_STATUS_PENDING)",
        ("gateway/test_gateway_return_page.py::test_how_it_stands",),
    ),
    Sabotage(
        "how a checkout stands is told by other ids than its session's",
        "P31b",
        "billing_service.api.servicers.stripe_events:StripeEvents.get_checkout_status",
        "session_id.startswith(SESSION_PREFIX)",
        "session_id",
        ("end_to_end/test_refused_requests.py::test_fields_that_are_wrong_are_named",),
    ),
    Sabotage(
        "placeholders are taken for secrets",
        "P33",
        "billing_client.setting_rules:weakness",
        '"is a placeholder; put the real secret in its place" if is_placeholder else None',
        "None",
        (
            "settings/test_setting_rules.py::test_placeholders_are_weak",
            "settings/test_bad_settings.py::test_bad_settings_name_themselves_and_show_no_value",
            "gateway/test_gateway_settings.py::test_weak_settings_are_refused_by_name_without_their_value",
        ),
    ),
    Sabotage(
        "two names of Stripe's key may differ",
        "P33",
        "billing_service.settings.contradictions:_stripe_contradictions",
        "settings.stripe_secret_key != settings.stripe_api_key",
        "False",
        ("settings/test_bad_settings.py::test_bad_settings_name_themselves_and_show_no_value",),
    ),
    Sabotage(
        "webhook secrets under the older name are forgotten",
        "P33",
        "billing_service.settings.groups.stripe:StripeSettings.stripe_webhook_secrets.given",
        "(self.stripe_webhook_secret, self.stripe_webhook_secret_credits)",
        "(self.stripe_webhook_secret,)",
        ("settings/test_settings.py::test_webhook_secrets_under_two_names_are_several_secrets",),
    ),
    Sabotage(
        "weak secrets accepted by settings",
        "P33",
        "billing_service.settings.values:strong_secret",
        "weak or len(secret) < SECRET_CHARACTERS_MIN or len(set(secret)) < SECRET_DIFFERENT_CHARACTERS_MIN",
        "weak",
        ("settings/test_bad_settings.py::test_bad_settings_name_themselves_and_show_no_value",),
    ),
)
