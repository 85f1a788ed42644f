"""Sabotages of what is remembered of accounts and only believed, and of the guarded step that writes it."""

from sabotage import Sabotage

POSTING = "billing_service/ledger/posting.py"
REMEMBERED = "billing_service/ledger/remembered.py"
STATEMENTS = "billing_service/storage/statements.py"
POSTGRES = "billing_service/storage/postgres.py"
CONNECTIONS = "billing_service/storage/postgres_connections.py"
SQLITE_STORE = "billing_service/storage/sqlite_store.py"
MEMORY = "ledger/test_remembered_accounts.py"
HAPPENED = "ledger/test_memory_of_what_happened.py"
GUARDED = "storage/test_guarded_steps.py"
UNDONE = "storage/test_guarded_steps_undone.py"
BELIEFS = f"{GUARDED}::test_one_row_that_is_not_as_believed_stops_all_and_runs_the_unit_again"
FROZEN = f"{MEMORY}::test_freezing_makes_no_version_and_is_seen_all_the_same[%s-1]"
OVERDRAWN = f"{MEMORY}::test_an_overdraft_limit_that_was_taken_away_is_not_used[%s]"
INDEBTED = f"{MEMORY}::test_a_bound_of_debt_that_was_lowered_is_not_passed[%s]"
FROM_MEMORY = "    if batch.unmoved & believed:\n"


def unguarded(column: str, case: str, *also: str) -> tuple[Sabotage, Sabotage]:
    """Accounts are written although this column is not as it was believed, on each store: there an UPDATE alone is guarded, here the
    rows that are locked before it as well."""
    return (
        Sabotage(
            f"{column} believed unseen, SQLite",
            "P8",
            STATEMENTS,
            "        one = one.where(table.c[name] == bindparam(",
            f'        one = one if name == "{column}" else one.where(table.c[name] == bindparam(',
            (*(test % "sqlite" for test in also), f"{BELIEFS}[sqlite-{case}]"),
        ),
        Sabotage(
            f"{column} believed unseen, PostgreSQL",
            "P8",
            STATEMENTS,
            "_numbered_on((held, *texts), 0)",
            f'_numbered_on([text.replace("accounts.{column} = anon_1.old_{column}", "true") for text in (held, *texts)], 0)',
            (*(test % "postgresql" for test in also), f"{BELIEFS}[postgresql-{case}]"),
        ),
    )


BELIEVING = (
    Sabotage(
        "a refusal is told from memory alone",
        "P8",
        POSTING,
        FROM_MEMORY,
        "    if batch.unmoved & believed and batch.keys:\n",
        (f"{MEMORY}::test_a_refusal_is_never_told_from_memory",),
    ),
    Sabotage(
        "a refusal is told from memory beside what moves",
        "P15",
        POSTING,
        FROM_MEMORY,
        "    if batch.unmoved & believed and not batch.keys:\n",
        (f"{HAPPENED}::test_a_refusal_among_movements_is_not_told_from_memory",),
    ),
    Sabotage(
        "a glance overlooks spent keys",
        "P14",
        "billing_service/storage/batch_rows.py",
        "    order_lots(found)\n    return found, spent\n\n\ndef _sorted_out",
        "    order_lots(found)\n    return found, {}\n\n\ndef _sorted_out",
        (f"{HAPPENED}::test_a_key_that_was_spent_is_told_before_a_lack_of_credits",),
    ),
    Sabotage(
        "a careful batch stores no keys",
        "P12",
        POSTING,
        "beside=[INSERT_KEYS.many(batch.keys)] if batch.keys else []",
        "beside=[]",
        (f"{HAPPENED}::test_a_key_that_was_spent_is_told_before_a_lack_of_credits",),
    ),
    Sabotage(
        "accounts are remembered before their guarded write",
        "P18",
        POSTING,
        "    if moved:\n        yield from write_believed",
        "    remembered.keep(moved)\n    if moved:\n        yield from write_believed",
        (f"{MEMORY}::test_credits_that_another_spent_are_gone[sqlite]",),
    ),
    Sabotage(
        "accounts are remembered although their commit failed",
        "P18",
        POSTING,
        "        return (yield from _post_locked(account_ids, operations, judgement, remembered))\n",
        "        posted = yield from _post_locked(account_ids, operations, judgement, remembered)\n"
        "        remembered.keep(posted.moved)\n        return posted\n",
        (f"{HAPPENED}::test_what_was_not_committed_is_not_remembered",),
    ),
    Sabotage(
        "accounts stay remembered while somebody works on them",
        "P8",
        REMEMBERED,
        "memory = self._accounts.pop(account_id, None)",
        "memory = self._accounts.get(account_id)",
        (f"{MEMORY}::test_accounts_that_are_taken_are_forgotten",),
    ),
    Sabotage(
        "who was contradicted is believed again at once",
        "P9",
        REMEMBERED,
        "            if believed != account.version:\n",
        "            if believed > account.version:\n",
        (f"{MEMORY}::test_two_writers_on_one_account_do_not_try_in_vain_for_ever[sqlite]",),
    ),
    Sabotage(
        "memory without a bound",
        "P34",
        REMEMBERED,
        "            if len(self._accounts) >= ACCOUNTS_MAX:\n",
        "            if len(self._accounts) < 0:\n",
        (f"{MEMORY}::test_memory_is_bounded",),
    ),
    *unguarded("version", "version"),
    *unguarded("last_transaction_id", "last"),
    *unguarded("frozen", "frozen", FROZEN),
    *unguarded("overdraft_limit", "overdraft_limit", OVERDRAWN),
    *unguarded("debt_max", "debt_max", INDEBTED),
    Sabotage(
        "rows of a guarded step not counted, PostgreSQL",
        "P10",
        STATEMENTS,
        '= {wanted[number + 1]}" for number',
        '<= {wanted[number + 1]}" for number',
        (f"{UNDONE}::test_a_write_that_finds_no_row_stops_all",),
    ),
    Sabotage(
        "rows of a guarded step not counted, SQLite",
        "P10",
        SQLITE_STORE,
        "rowcount != len(rows):",
        "rowcount > len(rows):",
        (f"{UNDONE}::test_a_write_that_finds_no_row_stops_all",),
    ),
    Sabotage(
        "rows that are held not counted",
        "P8",
        STATEMENTS,
        '"(SELECT count(*) FROM held) = {wanted[0]}"',
        '"(SELECT count(*) FROM held) <= {wanted[0]}"',
        (f"{UNDONE}::test_rows_that_are_only_held_are_compared_too",),
    ),
    Sabotage(
        "guarded steps wait for locks",
        "P8",
        STATEMENTS,
        ".with_for_update(of=table, nowait=True)",
        ".with_for_update(of=table)",
        (f"{GUARDED}::test_it_waits_for_nobodys_lock[postgresql]",),
    ),
    Sabotage(
        "a constraint met by a guarded step is a defect, PostgreSQL",
        "P12",
        POSTGRES,
        "except (asyncpg.DivisionByZeroError, asyncpg.IntegrityConstraintViolationError, asyncpg.LockNotAvailableError) as error:",
        "except (asyncpg.DivisionByZeroError, asyncpg.LockNotAvailableError) as error:",
        (f"{GUARDED}::test_a_constraint_that_is_met_stops_all[postgresql]",),
    ),
    Sabotage(
        "a constraint met by a guarded step is a defect, SQLite",
        "P12",
        SQLITE_STORE,
        "            raise StaleError(str(error)) from error\n",
        "            raise\n",
        (f"{GUARDED}::test_a_constraint_that_is_met_stops_all[sqlite]",),
    ),
    Sabotage(
        "guarded steps lower their session's durability",
        "P19",
        POSTGRES,
        "            await connection.fetch(sql, *arguments, *(len",
        '            await connection.execute("SET synchronous_commit = off")\n            await connection.fetch(sql, *arguments, *(len',
        (f"{UNDONE}::test_the_session_still_waits_for_the_disk[postgresql]",),
    ),
    Sabotage(
        "a guarded step that failed is not rolled back",
        "P10",
        SQLITE_STORE,
        "            except BaseException:\n                roll_back(raw)\n                raise\n",
        "            except BaseException:\n                raise\n",
        (f"{BELIEFS}[sqlite-version]",),
    ),
    Sabotage(
        "a transaction that failed is not rolled back",
        "P10",
        SQLITE_STORE,
        '                yield raw\n                raw.execute("COMMIT")\n            finally:\n                roll_back(raw)\n',
        '                yield raw\n                raw.execute("COMMIT")\n            finally:\n                pass\n',
        (f"{UNDONE}::test_a_commit_that_fails_is_told_and_leaves_nothing",),
    ),
    Sabotage(
        "a guarded step is answered before its commit",
        "P18",
        SQLITE_STORE,
        "        await self._call(self._writer, self._commit)\n",
        "        asyncio.ensure_future(self._call(self._writer, self._commit))\n",
        (f"{UNDONE}::test_a_commit_that_fails_is_told_and_leaves_nothing",),
    ),
    Sabotage(
        "a guarded step not shielded from the caller's cancellation",
        "P12",
        SQLITE_STORE,
        "return await asyncio.shield(self._keep(running))",
        "return await self._keep(running)",
        (f"{UNDONE}::test_callers_that_hang_up_stop_nothing_that_began[sqlite]",),
    ),
    Sabotage(
        "units share the writing connection",
        "P8",
        SQLITE_STORE,
        "        async with self._writing:\n            self._confirm_open()\n",
        "        if self._writing:\n            self._confirm_open()\n",
        (f"{UNDONE}::test_units_at_once_are_each_whole[sqlite]",),
    ),
    Sabotage(
        "the probe shares the writing connection",
        "P8",
        SQLITE_STORE,
        "        async with self._writing:\n            await self._call(self._writer, self._commit_nothing)\n",
        "        await self._call(self._writer, self._commit_nothing)\n",
        (f"{UNDONE}::test_a_probe_begins_once_nobody_writes",),
    ),
    Sabotage(
        "another program's lock is waited for on the event loop",
        "P32",
        SQLITE_STORE,
        "        if not self._begin(raw):\n            raise StaleError",
        "        if not self._begin_waiting(self._writer):\n            raise StaleError",
        (f"{GUARDED}::test_it_waits_for_nobodys_lock[sqlite]",),
    ),
    Sabotage(
        "rows beyond the first statement are the first again",
        "P10",
        "billing_service/storage/sqlite_statements.py",
        "for row in rows[start : start + count]",
        "for row in rows[:count]",
        (f"{GUARDED}::test_any_number_of_rows",),
    ),
    Sabotage(
        "values of repeated updates in the order of the columns, not of the placeholders",
        "P10",
        "billing_service/storage/sqlite_statements.py",
        "[compiled.arguments(row) for row in rows]",
        "rows",
        (f"{GUARDED}::test_it_is_one_transaction",),
    ),
    Sabotage(
        "a remembered lot forgets when it ends",
        "P8",
        REMEMBERED,
        "                lot.expire_time_us,",
        "                None,",
        ("ledger/test_memorised_values.py::test_an_account_is_recalled_as_it_was",),
    ),
    Sabotage(
        "a connection is kept while others wait for one",
        "P32",
        CONNECTIONS,
        "if self._kept is None and not self._waiting and",
        "if self._kept is None and",
        ("storage/test_postgres_connections.py::test_nobody_waits_for_the_pool_while_one_is_kept",),
    ),
    Sabotage(
        "plans are kept for ever",
        "P32",
        CONNECTIONS,
        "if until is not None and now <= until:",
        "if until is not None:",
        ("storage/test_postgres_connections.py::test_a_plan_that_was_made_for_a_tiny_table_does_not_outlive_an_import",),
    ),
    Sabotage(
        "whoever meets another sets the age of plans back",
        "P32",
        CONNECTIONS,
        "        if connection is None:\n            connection = await self._from_pool(timeout)",
        "        if connection is None:\n            connection = await self._from_pool(timeout)\n            self._plans_until.clear()",
        ("storage/test_postgres_connections.py::test_plans_grow_no_older_when_connections_come_and_go",),
    ),
)
