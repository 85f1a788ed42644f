"""Sabotages of sessions: what is charged of a streamed call, and when its owner is told to stop."""

from tests.mutants.sabotage import Sabotage

SESSIONS = "billing_service.domain.spending.sessions"
POLICIES = "billing_service.domain.spending.outcome_policies"
TESTS = "domain/test_sessions.py"
WHOLE = f"{TESTS}::test_nothing_is_lost_and_nothing_is_taken_twice"
ROWS = "billing_service.storage.rows.sessions"
CHARGES = "billing_service.commands.spending.session_charges"
STORED = "storage/test_session_rows.py"
ENDED = "end_to_end/test_sessions_that_end.py"
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
        "a former owner's ticks count",
        "P53",
        f"{ROWS}:TICK",
        "('epoch', 'closed')",
        "('closed',)",
        (f"{STORED}::test_a_tick_of_a_former_owner_is_not_written_and_stops_no_other",),
    ),
    Sabotage(
        "a tick is acknowledged after its session's end",
        "P53",
        f"{SESSIONS}:Owner.has",
        "self.epoch == tick.epoch and self.sequence >= tick.sequence and not self.closed",
        "self.epoch == tick.epoch",
        (f"{STORED}::test_a_session_closes_with_what_was_read_or_not_at_all",),
    ),
    Sabotage(
        "a session closes though it went on after it was read",
        "P53",
        "billing_service.storage.rows.session_charges:CLOSE",
        "('closed', 'charged')",
        "('closed',)",
        (f"{STORED}::test_a_session_closes_with_what_was_read_or_not_at_all",),
    ),
    Sabotage(
        "an expiry takes nothing of what was acknowledged",
        "P53",
        "billing_service.domain.ledger.holds:_book_end",
        "hold.expiry_capture if hold.acknowledged is None else hold.acknowledged",
        "hold.expiry_capture",
        (f"{ENDED}::test_what_was_acknowledged_is_charged_when_the_grace_is_over",),
    ),
    Sabotage(
        "a tick that outruns its hold is acknowledged before the hold grew",
        "P53",
        "billing_service.api.streams.session_upkeep:Upkeep.cover",
        "charged > self._owned.session.held",
        "False",
        ("end_to_end/test_sessions.py::test_what_is_acknowledged_is_held_at_once",),
    ),
    Sabotage(
        "a late close gives nothing back",
        "P53",
        f"{CHARGES}:close_session",
        "owned.ended is HoldState.EXPIRED and close.amount < owned.captured and not owned.closed_late",
        "False",
        (f"{ENDED}::test_a_late_close_charges_the_difference",),
    ),
    Sabotage(
        "whoever knows a session's hold captures it",
        "P53",
        "billing_service.ledger.operations.holds:_named",
        "hold.is_session",
        "False",
        ("end_to_end/test_sessions_refused.py::test_the_hold_of_a_session_is_its_owner_s",),
    ),
    Sabotage(
        "any token opens a session",
        "P53",
        "billing_service.commands.spending.sessions:resume_session",
        "compare_digest(found.token_hash, _digest(token))",
        "compare_digest(found.token_hash, found.token_hash)",
        ("end_to_end/test_sessions_refused.py::test_who_has_no_token_owns_nothing",),
    ),
    Sabotage(
        "a new owner has the former one's epoch",
        "P53",
        "billing_service.commands.spending.sessions:_take_over",
        "found._replace(epoch=found.epoch + 1, token_hash=_digest(token))",
        "found",
        ("end_to_end/test_sessions_refused.py::test_a_second_owner_ends_the_first",),
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
