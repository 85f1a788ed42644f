"""Sabotages of the edge: who calls, what they may do, what they are told, how calls and the process end."""

from sabotage import Sabotage

PIPELINE = "billing_service/api/pipeline.py"
IDENTITY = "billing_service/api/identity.py"
API_KEYS = "billing_service/domain/api_keys.py"
HEALTH = "billing_service/api/health.py"
RETRIES = "clients/python/billing_client/retries.py"
MATRIX = "security/test_scope_matrix.py"

CALLERS = (
    Sabotage(
        "scopes not checked",
        "P39",
        PIPELINE,
        "        if scope not in identity.scopes:\n",
        "        if not identity.scopes:\n",
        ("api/test_identity.py::test_who_may_do_what_exactly",),
    ),
    Sabotage(
        "scopes checked after existence",
        "P39",
        PIPELINE,
        "        if scope not in identity.scopes:\n            raise scope_missing(scope)\n        if len(raw) > request_bytes_max:\n"
        '            raise invalid_field("request", f"{len(raw)} bytes; at most {request_bytes_max} are taken")\n'
        "        try:\n            request = parse(raw)\n        except DecodeError:\n"
        '            raise invalid_field("request", "the bytes are no message of this type, or a string is not UTF-8") from None\n'
        "        return implementation(request, call)\n",
        "        async def late() -> Message | bytes:\n            answer = await implementation(parse(raw), call)\n"
        "            if scope not in identity.scopes:\n                raise scope_missing(scope)\n            return answer\n\n"
        "        return late()\n",
        (f"{MATRIX}::test_who_lacks_the_scope_is_refused_before_anything_is_looked_up[sqlite]",),
    ),
    Sabotage(
        "API keys hashed without the pepper",
        "P39",
        API_KEYS,
        "hmac.digest(pepper, text.encode(), hashlib.sha256)",
        'hmac.digest(b"", text.encode(), hashlib.sha256)',
        ("api/test_key_format.py::test_hashes_depend_on_key_and_pepper",),
    ),
    Sabotage(
        "API keys compared with ==",
        "P39",
        IDENTITY,
        "hmac.compare_digest(hash_key(self._pepper, text), _NO_HASH if key is None else key.key_hash)",
        "key is not None and hash_key(self._pepper, text) == key.key_hash",
        ("security/test_secret_comparison.py::test_a_key_s_hash_is_compared_in_constant_time_known_or_not",),
    ),
    Sabotage(
        "any secret fits a known key id",
        "P39",
        IDENTITY,
        "if key is None or not matches or not",
        "if key is None or not",
        (f"{MATRIX}::test_whoever_is_not_recognised_hears_the_same_whatever_exists[sqlite]",),
    ),
    Sabotage(
        "revoked keys accepted",
        "P39",
        API_KEYS,
        "return self.revoke_time_us is None and (self.expire",
        "return (self.expire",
        ("api/test_identity.py",),
    ),
    Sabotage(
        "keys remembered for an hour",
        "P39",
        IDENTITY,
        "CACHE_S = 5.0",
        "CACHE_S = 3600.0",
        ("api/test_identity.py::test_a_revocation_acts_within_the_ten_seconds_promised",),
    ),
    Sabotage(
        "what an exception says is told",
        "P31",
        PIPELINE,
        "internal_status(call.correlation_id), Reason.INTERNAL",
        "internal_status(str(error)), Reason.INTERNAL",
        ("api/test_pipeline.py::test_nothing_of_a_defect_reaches_the_caller",),
    ),
    Sabotage(
        "secrets in logs",
        "P42",
        "billing_service/logs.py",
        "        masked = _SECRET.sub(MASK, masked)\n",
        "        masked = str(masked)\n",
        ("settings/test_logs.py::test_secrets_are_masked_wherever_they_stray",),
    ),
    Sabotage(
        "fields with a secret's name in logs",
        "P42",
        "billing_service/logs.py",
        "MASK if is_secret else _clean_value(value)",
        "_clean_value(value)",
        ("settings/test_logs.py::test_secrets_are_masked_wherever_they_stray",),
    ),
    Sabotage(
        "control characters in logs",
        "P43",
        "billing_service/logs.py",
        "        if masked.isprintable()\n",
        "        if masked\n",
        ("settings/test_logs.py::test_one_event_is_one_line_without_control_characters",),
    ),
    Sabotage(
        "a cancellation from inside is answered with nothing",
        "P32",
        PIPELINE,
        "            return await self._interrupt(call, error, seconds, was_overdue=was_overdue)",
        "            raise error",
        ("api/test_deadlines.py::test_a_cancellation_from_within_is_answered",),
    ),
    Sabotage(
        "calls begin with no time left",
        "P32",
        PIPELINE,
        "if remaining is not None and remaining < REMAINING_MIN_S:",
        "if remaining is not None and remaining < -1:",
        ("api/test_deadlines.py::test_a_deadline_too_near_begins_nothing",),
    ),
    Sabotage(
        "calls without a deadline have none",
        "P32",
        PIPELINE,
        "                    overdue.watch(watched, started)\n",
        "",
        ("api/test_deadlines.py::test_a_call_that_never_returns_is_answered_at_the_services_own_deadline",),
    ),
    Sabotage(
        "overload is taken on",
        "P34",
        PIPELINE,
        "if admission.in_flight >= admission.in_flight_max:",
        "if admission.in_flight < 0:",
        ("api/test_pipeline.py::test_overload_is_refused_and_over_at_once",),
    ),
    Sabotage(
        "requests of any size",
        "P35",
        PIPELINE,
        "        if len(raw) > request_bytes_max:",
        "        if len(raw) < 0:",
        ("api/test_pipeline.py::test_a_request_has_its_methods_own_size_limit",),
    ),
    Sabotage(
        "SERVING from the start",
        "P36",
        HEALTH,
        "        self._serving = False\n        self._draining",
        "        self._serving = True\n        self._draining",
        ("api/test_server.py::test_health_follows_the_probe",),
    ),
    Sabotage(
        "health ignores the probe",
        "P36",
        HEALTH,
        "self._health.set_serving(failure is None)",
        "self._health.set_serving(True)",
        ("api/test_server.py::test_health_follows_the_probe",),
    ),
    Sabotage(
        "a drain waits for nobody",
        "P37",
        "billing_service/api/server.py",
        "self.server.stop(self.limits.grace_s)",
        "self.server.stop(None)",
        ("api/test_server.py::test_a_drain_finishes_what_is_in_flight_and_takes_no_more",),
    ),
    Sabotage(
        "a drain cuts off what is under way",
        "P37",
        "billing_service/api/server.py",
        "self.edge.admission.in_flight or _calls_handed_over() else",
        "self.edge.admission.in_flight or (_calls_handed_over() and False) else",
        ("api/test_drain_of_slow_callers.py::test_an_answer_that_still_leaves_is_waited_for",),
    ),
    Sabotage(
        "page tokens fit any request",
        "P46",
        "billing_service/api/page_tokens.py",
        "for part in (*parts, raw))",
        "for part in (*parts[:0], raw))",
        ("api/test_validation.py::test_a_page_token_is_good_for_its_own_request_alone",),
    ),
    Sabotage(
        "page tokens not signed",
        "P46",
        "billing_service/api/page_tokens.py",
        "if not hmac.compare_digest(mac, _mac(secret, raw, binding)) or _text(signed) != token:",
        "if _text(signed) != token:",
        ("api/test_validation.py::test_a_tampered_page_token_is_refused",),
    ),
    Sabotage(
        "placeholders are taken for secrets",
        "P33",
        "clients/python/billing_client/setting_rules.py",
        '    return "is a placeholder; put the real secret in its place" if is_placeholder else None\n',
        "    return None\n",
        (
            "settings/test_setting_rules.py::test_placeholders_are_weak",
            "settings/test_settings.py::test_bad_settings_name_themselves_and_show_no_value",
            "gateway/test_gateway_settings.py::test_weak_settings_are_refused_by_name_without_their_value",
        ),
    ),
    Sabotage(
        "two names of Stripe's key may differ",
        "P33",
        "billing_service/settings_rules.py",
        "settings.stripe_secret_key != settings.stripe_api_key,\n",
        "False,\n",
        ("settings/test_settings.py::test_bad_settings_name_themselves_and_show_no_value",),
    ),
    Sabotage(
        "webhook secrets under the older name are forgotten",
        "P33",
        "billing_service/settings.py",
        "for each in (self.stripe_webhook_secret, self.stripe_webhook_secret_credits) if each]",
        "for each in (self.stripe_webhook_secret,) if each]",
        ("settings/test_settings.py::test_webhook_secrets_under_two_names_are_several_secrets",),
    ),
    Sabotage(
        "weak secrets accepted by settings",
        "P33",
        "billing_service/settings_rules.py",
        "if weak or len(secret) < SECRET_CHARACTERS_MIN or len(set(secret)) < SECRET_DIFFERENT_CHARACTERS_MIN:",
        "if weak:",
        ("settings/test_settings.py::test_bad_settings_name_themselves_and_show_no_value",),
    ),
)
