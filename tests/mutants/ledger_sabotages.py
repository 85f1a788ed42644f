"""Sabotages of idempotency, of group commit and of the hash chain's making."""

from sabotage import Sabotage

POSTING = "billing_service/ledger/posting.py"
WRITER = "billing_service/ledger/writer.py"
GATHERING = "billing_service/ledger/gathering.py"
KEYS = "billing_service/ledger/keys.py"
UNIT = "billing_service/commands/unit.py"
GROUP_COMMIT = "ledger/test_group_commit.py"
FAULTS = "ledger/test_group_commit_faults.py"
REPEATED = "end_to_end/test_repeated_requests.py"
ONE_EFFECT = f"{REPEATED}::test_twenty_calls_with_one_key_have_one_effect"

LEDGER = (
    Sabotage(
        "a deduction's key is not stored",
        "P12",
        POSTING,
        "write_believed(moved, beside=[INSERT_KEYS.many(batch.keys)])",
        "write_believed(moved)",
        (f"{GROUP_COMMIT}::test_a_replay_is_the_original_for_ever[sqlite]",),
    ),
    Sabotage(
        "a deduction's key is stored in a transaction of its own",
        "P12",
        POSTING,
        "        yield from write_believed(moved, beside=[INSERT_KEYS.many(batch.keys)])\n",
        "        from sqlalchemy import text\n\n        from billing_service.storage.statements import writing\n\n"
        "        yield from write_accounts(moved)\n"
        '        yield writing("end", text("COMMIT"))()\n        yield writing("begin", text("BEGIN"))()\n'
        "        yield INSERT_KEYS.many(batch.keys)\n",
        ("storage/test_database_alone.py::test_an_effect_whose_key_can_not_be_kept_does_not_happen[sqlite]",),
    ),
    Sabotage(
        "a command's key is not stored",
        "P12",
        UNIT,
        "    yield from spend_key(unit, request.key, reply)\n",
        "",
        (f"{ONE_EFFECT}[sqlite-GrantCredits]",),
    ),
    Sabotage(
        "a command's key is looked up before the lock",
        "P12",
        UNIT,
        "    unit = yield from begin(environment, account_ids, make_missing=make_missing)\n    stored = yield from spent_key(request.key)\n",
        "    stored = yield from spent_key(request.key)\n    unit = yield from begin(environment, account_ids, make_missing=make_missing)\n",
        (f"{ONE_EFFECT}[postgresql-GrantCredits]",),
    ),
    Sabotage(
        "a key's other request is answered",
        "P14",
        KEYS,
        "if stored.fingerprint != self.fingerprint:",
        "if len(stored.fingerprint) != len(self.fingerprint):",
        ("ledger/test_keys.py::test_a_key_of_another_request_is_refused",),
    ),
    Sabotage(
        "the fingerprint ignores the amount",
        "P14",
        "billing_service/api/deductions.py",
        "fingerprint(account_id, amount, mode.value, description, metadata)",
        "fingerprint(account_id, mode.value, description, metadata)",
        (f"{REPEATED}::test_the_original_reply_for_ever_and_no_other_use[sqlite]",),
    ),
    Sabotage(
        "keys are shared by callers and methods",
        "P16",
        KEYS,
        "return (self.account_id, self.value, self.scope)",
        'return (self.account_id, self.value, "")',
        (f"{GROUP_COMMIT}::test_keys_belong_to_account_caller_and_method[sqlite]",),
    ),
    Sabotage(
        "a replay is not called one",
        "P13",
        POSTING,
        "return Answer(reply, replayed=True)",
        "return Answer(reply, replayed=False)",
        (f"{GROUP_COMMIT}::test_a_replay_is_the_original_for_ever[sqlite]",),
    ),
    Sabotage(
        "a replay is decided anew",
        "P13",
        UNIT,
        "        return Answer(stored.reply, replayed=True)\n    reply = yield from effect(unit)\n",
        "        return Answer((yield from effect(unit)), replayed=True)\n    reply = yield from effect(unit)\n",
        (f"{REPEATED}::test_the_original_reply_for_ever_and_no_other_use[sqlite]",),
    ),
    Sabotage(
        "a batch's own keys are not seen within it",
        "P12",
        POSTING,
        '        self._spent[key.id] = StoredKey(key.fingerprint, reply, "")\n',
        "",
        (f"{GROUP_COMMIT}::test_each_in_a_batch_gets_its_own_answer_in_order[sqlite]",),
    ),
    Sabotage(
        "one refusal refuses the whole batch",
        "P11",
        POSTING,
        "        except Refusal as refusal:\n            return refusal\n",
        "        except Refusal as refusal:\n            raise AssertionError from refusal\n",
        (f"{GROUP_COMMIT}::test_each_in_a_batch_gets_its_own_answer_in_order[sqlite]",),
    ),
    Sabotage(
        "a split batch loses an answer",
        "P32",
        WRITER,
        "for (_, reply), outcome in zip(group, outcomes, strict=True):",
        "for (_, reply), outcome in zip(group[1:], outcomes[1:], strict=True):",
        (f"{FAULTS}::test_a_conflict_that_lasts_is_told_and_the_key_stays_free[sqlite]",),
    ),
    Sabotage(
        "a split batch confuses its answers",
        "P11",
        WRITER,
        "for (_, reply), outcome in zip(group, outcomes, strict=True):",
        "for (_, reply), outcome in zip(group, outcomes[::-1], strict=True):",
        (f"{FAULTS}::test_a_refusal_in_a_batch_that_is_split_stays_its_own[sqlite]",),
    ),
    Sabotage(
        "a failed batch is never split",
        "P11",
        WRITER,
        "            if len(operations) == 1:\n                return [error]\n",
        "            if operations:\n                return [error] * len(operations)\n",
        (f"{FAULTS}::test_a_culprit_is_found_and_its_neighbours_are_posted[sqlite-0]",),
    ),
    Sabotage(
        "a stuck account stays in everybody's batch",
        "P9",
        WRITER,
        "                self._apart_until[account_id] = self._monotonic() + APART_S\n",
        "                self._apart_until[account_id] = self._monotonic()\n",
        (f"{FAULTS}::test_an_account_that_another_program_keeps_locked_holds_up_nobody_else[postgresql]",),
    ),
    Sabotage(
        "what comes later overtakes an account by itself",
        "P12",
        WRITER,
        "apart_ids = self._apart_until.keys() | self._apart.keys()",
        "apart_ids = self._apart_until.keys()",
        ("simulation/test_simulation.py::test_a_seed_that_failed_once[500219]",),
    ),
    Sabotage(
        "an account by itself tells its callers each other's answers",
        "P12",
        WRITER,
        "zip(group, outcomes, strict=True)",
        "zip(group, outcomes[::-1], strict=True)",
        ("simulation/test_simulation.py::test_no_seed_contradicts_the_model[8]",),
    ),
    Sabotage(
        "an unknown commit is tried again as new",
        "P12",
        WRITER,
        "            if failure.reason is not Reason.CONFLICT:\n                return [failure] * len(operations)\n",
        "            log.info('again', cause=failure.reason)\n",
        (f"{FAULTS}::test_an_unreachable_database_is_told_at_once_and_the_key_finds_out[sqlite-before]",),
    ),
    Sabotage(
        "the gatherer drops the last of a batch",
        "P32",
        GATHERING,
        "for pair in self._waiting[: self._batch_max] if",
        "for pair in self._waiting[: self._batch_max][:3] if",
        ("ledger/test_gathering.py::test_no_batch_is_larger_than_its_bound_and_order_is_kept",),
    ),
    Sabotage(
        "a cancellation from inside ends the gatherer",
        "P32",
        GATHERING,
        "if asyncio.current_task().cancelling():",
        "if asyncio.current_task() is not None:",
        ("crash/test_cancellation_storm.py::test_a_cancellation_from_inside_answers_the_batch_and_spares_the_next",),
    ),
    Sabotage(
        "closing answers nobody who waits",
        "P37",
        GATHERING,
        "            if not self._waiting:\n                if self._closing:\n",
        "            if not self._waiting or self._closing:\n                if self._closing:\n",
        (f"{GROUP_COMMIT}::test_closing_answers_all_that_waits[sqlite]",),
    ),
    Sabotage(
        "the chain ignores descriptions",
        "P40",
        "billing_service/domain/chain.py",
        "{len(t.description)}:{t.description};",
        "",
        ("domain/test_chain.py::test_any_change_changes_the_hash",),
    ),
    Sabotage(
        "the chain ignores what came before",
        "P40",
        "billing_service/domain/chain.py",
        "sha256(previous_hash + canonical(transaction).encode())",
        "sha256(GENESIS + canonical(transaction).encode())",
        ("domain/test_chain.py::test_the_hash_before_is_part_of_it",),
    ),
)
