"""Sabotages of sessions: what is charged of a streamed call, and when its owner is told to stop."""

from tests.mutants.sabotage import Sabotage

SESSIONS = "billing_service.domain.spending.sessions"
POLICIES = "billing_service.domain.spending.outcome_policies"
TESTS = "domain/test_sessions.py"
WHOLE = f"{TESTS}::test_nothing_is_lost_and_nothing_is_taken_twice"
TABLE = "domain/test_outcome_policies.py"

SESSION_RULES = (
    Sabotage(
        "a tick that fell lowers what is charged",
        "P53",
        f"{SESSIONS}:take_tick",
        "max(session.charged, amount or 0)",
        "amount or 0",
        (f"{TESTS}::test_a_tick_replaces_the_usage_and_what_is_charged_never_falls", WHOLE),
    ),
    Sabotage(
        "a tick is added to the former one",
        "P53",
        f"{SESSIONS}:take_tick",
        "max(session.charged, amount or 0)",
        "session.charged + (amount or 0)",
        (f"{TESTS}::test_a_tick_replaces_the_usage_and_what_is_charged_never_falls", WHOLE),
    ),
    Sabotage(
        "an old tick counts again",
        "P53",
        f"{SESSIONS}:is_news",
        "sequence > session.sequence",
        "sequence >= session.sequence",
        (f"{TESTS}::test_a_tick_is_news_once",),
    ),
    Sabotage(
        "an owner is stopped one microcredit late",
        "P53",
        f"{SESSIONS}:tell_stop",
        "session.charged and left(session, room) == 0",
        "session.unspent + room.growth < 0",
        (f"{TESTS}::test_an_owner_is_stopped_once", WHOLE),
    ),
    Sabotage(
        "a frozen account's sessions go on",
        "P53",
        f"{SESSIONS}:tell_stop",
        "room.frozen",
        "False",
        (f"{TESTS}::test_an_owner_is_stopped_once",),
    ),
    Sabotage(
        "a hold grows by a slice, whatever outran it",
        "P53",
        f"{SESSIONS}:growth",
        "session.slice - session.unspent",
        "session.slice",
        (f"{TESTS}::test_a_hold_grows_before_it_is_used_up", WHOLE),
    ),
    Sabotage(
        "a session's hold is prolonged beyond its last moment",
        "P53",
        f"{SESSIONS}:prolongation",
        "min(now_us + grace_us, session.end_time_us)",
        "now_us + grace_us",
        (f"{TESTS}::test_a_living_session_s_hold_is_prolonged_to_its_end_at_most",),
    ),
    Sabotage(
        "a close takes no more than its hold has, though the account has more",
        "P53",
        f"{SESSIONS}:missing_for_close",
        "max(amount - session.held, 0)",
        "0",
        (f"{TESTS}::test_a_close_asks_for_what_its_hold_lacks", WHOLE),
    ),
    Sabotage(
        "a late close charges all of it again",
        "P53",
        f"{SESSIONS}:late_charge",
        "amount - captured",
        "amount",
        (f"{TESTS}::test_a_late_close_is_absolute",),
    ),
    Sabotage(
        "a close without a usage is free",
        "P53",
        f"{SESSIONS}:closing",
        "usage or session.usage or session.estimate",
        "usage",
        (f"{TESTS}::test_a_close_charges_by_the_policy_of_its_outcome",),
    ),
    Sabotage(
        "an empty answer costs its reasoning",
        "P53",
        f"{POLICIES}:_READ",
        "PROMPT_KINDS | {UsageKind.REQUESTS}",
        "PROMPT_KINDS | {UsageKind.REQUESTS, UsageKind.REASONING_TOKENS}",
        (f"{TABLE}::test_every_measure_is_input_or_not",),
    ),
    Sabotage(
        "a wide policy comes before an exact one",
        "P53",
        f"{POLICIES}:parse_policies",
        "sorted(entries, key=lambda entry: entry.rank, reverse=True)",
        "sorted(entries, key=lambda entry: entry.rank)",
        (f"{TABLE}::test_the_most_exact_entry_decides",),
    ),
    Sabotage(
        "a cut stream counts as measured",
        "P53",
        f"{POLICIES}:measured",
        "outcome in ESTIMATED_OUTCOMES",
        "False",
        (f"{TABLE}::test_each_outcome_has_its_default",),
    ),
)
