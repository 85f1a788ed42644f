"""Sabotages of WatchBalance: what is shown, how soon, and to whom."""

from tests.mutants.sabotage import Sabotage

WATCHED = "billing_service.api.streams.watched_balances"
STREAM = "billing_service.api.streams.balances"
COST = "api/test_watched_balances.py"
TOLD = "end_to_end/test_watch_balance.py"
CLIENT = "clients/test_client_watch.py"

BALANCE_WATCH = (
    Sabotage(
        "what changes while an account is read is not read again",
        "M28",
        f"{WATCHED}:WatchedBalances._read",
        "self._due.difference_update(account_ids)\n"
        "joined = {account_id: frozenset(self._watched[account_id].watchers) for account_id in account_ids}\n"
        "try:\n    found = await self._source.read(account_ids)\n"
        "except BaseException:\n    self._due.update(self._watched.keys() & set(account_ids))\n    raise",
        "joined = {account_id: frozenset(self._watched[account_id].watchers) for account_id in account_ids}\n"
        "found = await self._source.read(account_ids)\n"
        "self._due.difference_update(account_ids)",
        (f"{COST}::test_a_change_during_a_read_is_read_again",),
    ),
    Sabotage(
        "a watcher is shown what was read before it came",
        "M28",
        f"{WATCHED}:WatchedBalances._show",
        "watchers & watched.watchers",
        "watched.watchers",
        (f"{COST}::test_who_joins_during_a_read_is_shown_the_next_one",),
    ),
    Sabotage(
        "time that moves a balance is not looked at",
        "M28",
        f"{WATCHED}:_Watched.is_due",
        "shown.change_us is not None and shown.change_us <= now_us",
        "False",
        (f"{COST}::test_time_is_looked_at_though_no_version_changes",),
    ),
    Sabotage(
        "a freeze is not shown",
        "M28",
        f"{WATCHED}:_Watched.is_due",
        "mark not in (None, shown.mark)",
        "mark is not None and mark.version != shown.mark.version",
        (f"{TOLD}::test_each_change_is_shown_by_whichever_rpc_it_came[sqlite]",),
    ),
    Sabotage(
        "a change here waits for the look at all versions",
        "M28",
        "billing_service.ledger.writer:LedgerWriter._post",
        "self._changes.note(posted.moved)",
        "pass",
        (f"{TOLD}::test_what_this_process_commits_is_shown_at_once[sqlite]",),
    ),
    Sabotage(
        "a slow watcher is shown old balances one after the other",
        "M28",
        f"{STREAM}:BalanceStream.show",
        "self._next = shown.balance",
        "self._next = self._next or shown.balance",
        (f"{COST}::test_who_does_not_read_is_shown_the_newest_and_costs_one_balance",),
    ),
    Sabotage(
        "a revoked key goes on watching",
        "M28",
        f"{STREAM}:BalanceStream._write",
        "await self._identify(self._call)",
        "pass",
        (f"{COST}::test_a_revoked_key_ends_its_watch",),
    ),
    Sabotage(
        "after a broken connection an older balance is shown",
        "M28",
        "billing_client.balance_watch:BalanceWatch.is_news",
        "_moment(balance) < _moment(last)",
        "False",
        (f"{CLIENT}::test_a_broken_connection_shows_nothing_twice_and_nothing_older[blocking]",),
    ),
)
