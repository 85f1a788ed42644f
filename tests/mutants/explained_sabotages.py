"""Sabotages of what is kept beside the charges of sessions: why they are what they are, and that they are proved."""

from tests.mutants.sabotage import Sabotage

SESSIONS = "billing_service.domain.spending.sessions"
ENDED = "end_to_end/test_sessions_that_end.py"

EXPLAINED = (
    Sabotage(
        "the end of a hold charges without saying why",
        "M24",
        "billing_service.domain.ledger.holds:_book_end",
        "end.price_record if more and end is not None else b''",
        "b''",
        (f"{ENDED}::test_what_the_end_of_a_hold_charged_is_explained",),
    ),
    Sabotage(
        "a late close costs the whole price once more, on its receipt",
        "M24",
        "billing_service.ledger.operations.sessions:CloseSession._record",
        "encode_price(self.priced, before)",
        "encode_price(self.priced)",
        (f"{ENDED}::test_a_late_close_charges_the_difference",),
    ),
    Sabotage(
        "a session of which no tick had a price is free",
        "M29",
        f"{SESSIONS}:unpriced_charge",
        "session.charged or session.held",
        "session.charged",
        ("end_to_end/test_sessions.py::test_where_no_tick_had_a_price_all_of_the_hold_is_charged",),
    ),
    Sabotage(
        "a hold's end is free where no tick had a price",
        "M29",
        "billing_service.domain.spending.unpriced:session_end",
        "acknowledged or held",
        "acknowledged",
        (f"{ENDED}::test_a_usage_without_a_price_is_charged_and_told_when_its_hold_ends",),
    ),
    Sabotage(
        "nobody is told of a session's usage without a price",
        "M29",
        "billing_service.domain.ledger.holds:_book_end",
        "more and end is not None and end.unpriced is not None",
        "False",
        (f"{ENDED}::test_a_usage_without_a_price_is_charged_and_told_when_its_hold_ends",),
    ),
    Sabotage(
        "nobody is told of a captured usage without a price",
        "M29",
        "billing_service.ledger.operations.holds:CaptureHold.decide",
        "tell_unpriced(account, detail, captured.transaction_id, captured.amount, now_us=now_us, ids=ids)",
        "pass",
        ("end_to_end/test_holds_of_usage.py::test_a_usage_without_a_price_takes_all_of_its_hold",),
    ),
    *[
        Sabotage(
            f"verify overlooks {what}",
            "P53",
            "billing_service.integrity.sessions_check:compared_session",
            f"yield (f'{subject}', {expected}, {stored})",
            "pass",
            (f"integrity/test_verified_sessions.py::test_what_a_session_says_beside_its_hold_shows[sqlite-{case}]",),
        )
        for what, subject, expected, stored, case in (
            ("a session without a hold", "hold of session {session_id}", "True", "hold is not None", "no hold"),
            (
                "a session closed before its hold",
                "session {session_id} closed",
                "not hold.is_open",
                "session.closed",
                "closed early",
            ),
            (
                "a charge without a tick",
                "session {session_id} charged without a tick",
                "False",
                "bool(session.charged and not session.sequence)",
                "no tick",
            ),
            (
                "a session whose end charged something else",
                "session {session_id} covered",
                "min(end.charged, hold.amount)",
                "hold.captured",
                "charged less",
            ),
        )
    ],
)
