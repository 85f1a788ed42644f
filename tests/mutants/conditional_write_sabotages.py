"""Sabotages of what is cached of accounts and only expected, and of the conditional write that writes it."""

from tests.mutants.sabotage import Sabotage

POSTING = "billing_service.ledger.posting"
ACCOUNT_CACHE = "billing_service.ledger.account_cache"
STATEMENTS = "billing_service.storage.statements"
JOINING = "billing_service.storage.postgres.joining"
CONTENTION = "billing_service.ledger.contention"
POSTGRES = "billing_service.storage.postgres.store"
CONNECTIONS = "billing_service.storage.postgres.connections"
SQLITE_STORE = "billing_service.storage.sqlite.store"
MEMORY = "ledger/test_account_cache.py"
HAPPENED = "ledger/test_memory_of_what_happened.py"
WRITES = "storage/test_conditional_writes.py"
UNDONE = "storage/test_conditional_writes_undone.py"
EXPECTATIONS = f"{WRITES}::test_an_account_that_is_not_as_expected_is_named_and_left_alone"
FROZEN = f"{MEMORY}::test_freezing_makes_no_version_and_is_seen_all_the_same[%s-1]"
OVERDRAWN = f"{MEMORY}::test_an_overdraft_limit_that_was_taken_away_is_not_used[%s]"
INDEBTED = f"{MEMORY}::test_a_bound_of_debt_that_was_lowered_is_not_passed[%s]"
GUARD = 'one = one.where(table.c[name] == bindparam(f"old_{name}", type_=table.c[name].type))'


def unconditional(column: str, case: str, *also: str) -> tuple[Sabotage, Sabotage]:
    """Accounts are written although this column is not as it was expected, on each store: there an UPDATE alone is
    guarded, here the rows that are locked before it as well."""
    return (
        Sabotage(
            f"{column} expected unseen, SQLite",
            "P8",
            f"{STATEMENTS}:bulk_update",
            GUARD,
            f'if name != "{column}":\n    {GUARD}',
            (*(test % "sqlite" for test in also), f"{EXPECTATIONS}[sqlite-without-{case}]"),
        ),
        Sabotage(
            f"{column} expected unseen, PostgreSQL",
            "P8",
            f"{JOINING}:join_conditional",
            "(locks, *texts)",
            f'[text.replace("accounts.{column} = anon_1.old_{column}", "true") for text in (locks, *texts)]',
            (*(test % "postgresql" for test in also), f"{EXPECTATIONS}[postgresql-without-{case}]"),
        ),
    )


CONDITIONAL_WRITES = (
    Sabotage(
        "a refusal is told from memory alone",
        "P8",
        f"{POSTING}:post_batch",
        "batch.unmoved & expected",
        "batch.unmoved & expected and batch.keys",
        (f"{MEMORY}::test_a_refusal_is_never_told_from_memory",),
    ),
    Sabotage(
        "a refusal is told from memory beside what moves",
        "P15",
        f"{POSTING}:post_batch",
        "batch.unmoved & expected",
        "batch.unmoved & expected and not batch.keys",
        (f"{HAPPENED}::test_a_refusal_among_movements_is_not_told_from_memory",),
    ),
    Sabotage(
        "an unlocked read overlooks spent keys",
        "P14",
        "billing_service.storage.rows.batches:read_batch",
        "spent",
        "{}",
        (f"{HAPPENED}::test_a_key_that_was_spent_is_told_before_a_lack_of_credits",),
    ),
    Sabotage(
        "a batch that locks first stores no keys",
        "P12",
        f"{POSTING}:_post_locked",
        "[INSERT_KEYS.many(batch.keys)] if batch.keys else []",
        "[]",
        (f"{HAPPENED}::test_a_key_that_was_spent_is_told_before_a_lack_of_credits",),
    ),
    Sabotage(
        "accounts are cached before their conditional write",
        "P18",
        f"{POSTING}:post_batch",
        "moved = [account for account in accounts.values() if account.transactions]",
        ("moved = [account for account in accounts.values() if account.transactions]\ncache.keep(moved)"),
        (f"{MEMORY}::test_credits_that_another_spent_are_gone[sqlite]",),
    ),
    Sabotage(
        "accounts are cached although their commit failed",
        "P18",
        f"{POSTING}:post_batch",
        "return (yield from _post_locked(account_ids, operations, judgement, saw))",
        (
            "posted = yield from _post_locked(account_ids, operations, judgement, "
            "saw)\ncache.keep(posted.moved)\nreturn posted"
        ),
        (f"{HAPPENED}::test_what_was_not_committed_is_not_remembered",),
    ),
    Sabotage(
        "accounts stay cached while somebody works on them",
        "P8",
        f"{ACCOUNT_CACHE}:AccountCache.take.memory",
        "self._accounts.pop(account_id, None)",
        "self._accounts.get(account_id)",
        (f"{MEMORY}::test_accounts_that_are_taken_are_forgotten",),
    ),
    Sabotage(
        "who was contradicted is cached again at once",
        "P9",
        f"{CONTENTION}:Contention.locks_first",
        "contended is not None and contended.until > self._monotonic()",
        "False",
        ("ledger/test_contention.py::test_the_time_grows_while_an_account_stays_contended",),
    ),
    Sabotage(
        "memory without a bound",
        "P34",
        f"{ACCOUNT_CACHE}:AccountCache.keep",
        "len(self._accounts) >= ACCOUNTS_MAX",
        "len(self._accounts) < 0",
        (f"{MEMORY}::test_memory_is_bounded",),
    ),
    *unconditional("version", "version"),
    *unconditional("last_transaction_id", "last"),
    *unconditional("frozen", "frozen", FROZEN),
    *unconditional("overdraft_limit", "overdraft_limit", OVERDRAWN),
    *unconditional("debt_max", "debt_max", INDEBTED),
    Sabotage(
        "rows of a conditional write not counted, PostgreSQL",
        "P10",
        f"{JOINING}:join_conditional",
        'f"(SELECT count(*) FROM w{number}) = {wanted}"',
        'f"(SELECT count(*) FROM w{number}) <= {wanted}"',
        (f"{UNDONE}::test_a_write_that_finds_no_row_stops_all",),
    ),
    Sabotage(
        "rows of a conditional write not counted, SQLite",
        "P10",
        f"{SQLITE_STORE}:SqliteStore._run_repeated",
        "raw.executemany(text, rows).rowcount != len(rows)",
        "raw.executemany(text, rows).rowcount > len(rows)",
        (f"{UNDONE}::test_a_write_that_finds_no_row_stops_all",),
    ),
    Sabotage(
        "rows that are locked not counted",
        "P8",
        f"{JOINING}:join_conditional.all_locked",
        'f"(SELECT count(*) FROM locks) = ${taken + 1}::bigint"',
        'f"(SELECT count(*) FROM locks) <= ${taken + 1}::bigint"',
        (f"{EXPECTATIONS}[postgresql-with a key-version]",),
    ),
    Sabotage(
        "conditional writes wait for locks",
        "P8",
        f"{STATEMENTS}:bulk_lock",
        "found.with_for_update(of=table, skip_locked=True)",
        "found.with_for_update(of=table)",
        (f"{WRITES}::test_it_waits_for_nobodys_lock[postgresql]",),
    ),
    Sabotage(
        "a constraint met by a conditional write is a defect, PostgreSQL",
        "P12",
        f"{POSTGRES}:PostgresStore._execute_conditional",
        ("(asyncpg.DivisionByZeroError, asyncpg.IntegrityConstraintViolationError, asyncpg.LockNotAvailableError)"),
        "(asyncpg.DivisionByZeroError, asyncpg.LockNotAvailableError)",
        (f"{WRITES}::test_a_constraint_that_is_met_stops_all[postgresql]",),
    ),
    Sabotage(
        "a constraint met by a conditional write is a defect, SQLite",
        "P12",
        f"{SQLITE_STORE}:SqliteStore._run_repeated",
        "raise StaleError(str(error)) from error",
        "raise",
        (f"{WRITES}::test_a_constraint_that_is_met_stops_all[sqlite]",),
    ),
    Sabotage(
        "conditional writes lower their session's durability",
        "P19",
        f"{POSTGRES}:PostgresStore._execute_conditional",
        "_, others = await connection.fetchrow(sql, *arguments, *(len(call.values) for call in calls))",
        (
            'await connection.execute("SET synchronous_commit = off")\n'
            "_, others = await connection.fetchrow(sql, *arguments, *(len(call.values) for call in calls))"
        ),
        (f"{UNDONE}::test_the_session_still_waits_for_the_disk[postgresql]",),
    ),
    Sabotage(
        "a conditional write that failed is not rolled back",
        "P10",
        f"{SQLITE_STORE}:SqliteStore._write_all",
        "roll_back(raw)",
        "",
        (f"{EXPECTATIONS}[sqlite-without-version]",),
    ),
    Sabotage(
        "a transaction that failed is not rolled back",
        "P10",
        f"{SQLITE_STORE}:SqliteStore._committed",
        "roll_back(raw)",
        "pass",
        (f"{UNDONE}::test_a_commit_that_fails_is_told_and_leaves_nothing",),
    ),
    Sabotage(
        "a conditional write is answered before its commit",
        "P18",
        f"{SQLITE_STORE}:SqliteStore._write_conditionally",
        "await self._call(self._writer, self._commit)",
        "asyncio.ensure_future(self._call(self._writer, self._commit))",
        (f"{UNDONE}::test_a_commit_that_fails_is_told_and_leaves_nothing",),
    ),
    Sabotage(
        "a conditional write not shielded from the caller's cancellation",
        "P12",
        f"{SQLITE_STORE}:SqliteStore._finish",
        "asyncio.shield(self._keep(running))",
        "self._keep(running)",
        (f"{UNDONE}::test_callers_that_hang_up_stop_nothing_that_began[sqlite]",),
    ),
    Sabotage(
        "units share the writing connection",
        "P8",
        f"{SQLITE_STORE}:SqliteStore._in_writer",
        ("async with self._writing:\n    self._confirm_open()\n    result = await self._run(work())"),
        ("if self._writing:\n    self._confirm_open()\n    result = await self._run(work())"),
        (f"{UNDONE}::test_units_at_once_are_each_whole[sqlite]",),
    ),
    Sabotage(
        "the probe shares the writing connection",
        "P8",
        f"{SQLITE_STORE}:SqliteStore._probe",
        ("async with self._writing:\n    await self._call(self._writer, self._commit_nothing)"),
        "await self._call(self._writer, self._commit_nothing)",
        (f"{UNDONE}::test_a_probe_begins_once_nobody_writes",),
    ),
    Sabotage(
        "another program's lock is waited for on the event loop",
        "P32",
        f"{SQLITE_STORE}:SqliteStore._write_all",
        "self._begin(raw)",
        "self._begin_waiting(self._writer)",
        (f"{WRITES}::test_it_waits_for_nobodys_lock[sqlite]",),
    ),
    Sabotage(
        "rows beyond the first statement are the first again",
        "P10",
        "billing_service.storage.sqlite.statements:SqliteStatements.spread",
        "rows[start : start + count]",
        "rows[:count]",
        (f"{WRITES}::test_any_number_of_rows",),
    ),
    Sabotage(
        "values of repeated updates in the order of the columns, not of the placeholders",
        "P10",
        "billing_service.storage.sqlite.statements:SqliteStatements.repeated",
        "compiled.rows(rows)",
        "rows",
        (f"{WRITES}::test_it_is_one_transaction",),
    ),
    Sabotage(
        "a cached lot forgets when it ends",
        "P8",
        f"{ACCOUNT_CACHE}:_packed.lots",
        "lot.expire_time_us",
        "None",
        ("ledger/test_cached_values.py::test_an_account_is_recalled_as_it_was",),
    ),
    Sabotage(
        "a connection is kept while others wait for one",
        "P32",
        f"{CONNECTIONS}:Connections._give_back",
        "self._kept is None and not self._waiting and not self._closing",
        "self._kept is None and not self._closing",
        ("storage/test_postgres_connections.py::test_nobody_waits_for_the_pool_while_one_is_kept",),
    ),
    Sabotage(
        "plans are kept for ever",
        "P32",
        f"{CONNECTIONS}:Connections._keep_plans_young",
        "until is not None and now <= until",
        "until is not None",
        (
            "storage/test_postgres_connections.py::test_a_plan_that_was_made_for_a_tiny_table_does_not_outlive_an_import",
        ),
    ),
    Sabotage(
        "whoever meets another sets the age of plans back",
        "P32",
        f"{CONNECTIONS}:Connections._take",
        "connection = await self._from_pool(timeout)",
        ("connection = await self._from_pool(timeout)\nself._plans_until.clear()"),
        ("storage/test_postgres_connections.py::test_plans_grow_no_older_when_connections_come_and_go",),
    ),
)
