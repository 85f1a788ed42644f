"""Sabotages of several processes on one database. Accounts that others change too: what runs again, in which order, for
how long they are locked first. And clients that know several addresses."""

from tests.mutants.sabotage import Sabotage

POSTING = "billing_service.ledger.posting"
CONTENTION = "billing_service.ledger.contention"
WRITER = "billing_service.ledger.writer"
CONTENDED = "ledger/test_contention.py"

ROUTING = "billing_client.routing"
ROUTED = "clients/test_client_routing.py"

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
        (f"{CONTENDED}::test_what_runs_again_spends_its_key_then[sqlite]",),
    ),
    Sabotage(
        "calls of an account take turns over the addresses",
        "P38",
        f"{ROUTING}:Routes._ranked",
        "if account_id:\n    return ranked(addresses, account_id)",
        "",
        (f"{ROUTED}::test_an_accounts_calls_go_to_one_address_and_others_go_round",),
    ),
    Sabotage(
        "an address that was lost counts as an attempt",
        "P38",
        "billing_client.retries:Attempts.failed",
        "elsewhere and not self.is_late()",
        "False",
        (f"{ROUTED}::test_all_addresses_are_wrong_but_one",),
    ),
    Sabotage(
        "every call tries an address that was lost",
        "P38",
        f"{ROUTING}:Routes.choose",
        "until <= now",
        "until <= now + DOWN_MAX_S",
        ("clients/test_routes.py::test_an_address_that_was_lost_is_left_alone_for_a_while_and_tried_by_one_call",),
    ),
    Sabotage(
        "a service that can't do its work is called all the same",
        "P38",
        "billing_client.blocking.connection:Connection._call",
        "not serves and routes is not None and routes.goes_on(stubs.address, tried)",
        "False",
        (f"{ROUTED}::test_a_service_that_can_not_do_its_work_is_passed_over",),
    ),
    Sabotage(
        "answers of a routed stream are shown as they come",
        "P38",
        "billing_client.asynchronous.routed_stream:RoutedDeductionStream._answered",
        "while self._in_order and self._in_order[0][0].done():\n    _pass_on(*self._in_order.popleft())",
        (
            "for pair in [pair for pair in self._in_order if pair[0].done()]:\n"
            "    self._in_order.remove(pair)\n    _pass_on(*pair)"
        ),
        (f"{ROUTED}::test_a_stream_is_split_by_address_and_answered_in_order",),
    ),
)
