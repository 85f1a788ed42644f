"""Sabotages of accounts that others change too: what runs again, in which order, and for how long they are locked
first."""

from tests.mutants.sabotage import Sabotage

POSTING = "billing_service.ledger.posting"
CONTENTION = "billing_service.ledger.contention"
WRITER = "billing_service.ledger.writer"
HAPPENED = "ledger/test_memory_of_what_happened.py"
CONTENDED = "ledger/test_contention.py"

CONTENDED_ACCOUNTS = (
    Sabotage(
        "an account that others go on changing is cached again",
        "P9",
        f"{CONTENTION}:Contention.saw",
        "contended.version not in (None, account.version)",
        "contended.version is None",
        (f"{CONTENDED}::test_it_is_seen_under_the_lock_whether_others_go_on",),
    ),
    Sabotage(
        "all of a batch runs again for one account",
        "P9",
        f"{POSTING}:post_batch",
        "batch.leave_out(others)",
        "batch.leave_out([*account_ids] if others else [])",
        (f"{CONTENDED}::test_only_the_operations_of_a_changed_account_run_again",),
    ),
    Sabotage(
        "what waits overtakes what runs again",
        "P12",
        f"{WRITER}:LedgerWriter._run_again_locked",
        "self._gatherer.let_go(lambda waiting: waiting.account_id in self._locked)",
        "()",
        (f"{CONTENDED}::test_operations_of_an_account_keep_their_order[sqlite]",),
    ),
    Sabotage(
        "what comes overtakes what waits for its lock",
        "P12",
        f"{WRITER}:LedgerWriter.submit",
        "account_id in self._locked or self._contention.locks_first(account_id)",
        "self._contention.locks_first(account_id)",
        (f"{CONTENDED}::test_operations_of_an_account_keep_their_order[sqlite]",),
    ),
    Sabotage(
        "keys of an account that changed are spent",
        "P12",
        f"{POSTING}:post_batch",
        "[row for row in batch.keys if row[0] not in batch.left_out]",
        "list(batch.keys)",
        (f"{HAPPENED}::test_a_refusal_among_movements_is_not_told_from_memory",),
    ),
)
