"""Sabotages of idempotency, of group commit and of the hash chain's making."""

from tests.mutants.sabotage import Sabotage

POSTING = "billing_service.ledger.posting"
WRITER = "billing_service.ledger.writer"
GATHERING = "billing_service.ledger.gathering"
KEYS = "billing_service.ledger.keys"
CHAIN = "billing_service.domain.ledger.chain"
UNIT = "billing_service.ledger.unit"
STEP = "billing_service.ledger.provider_step"
GROUP_COMMIT = "ledger/test_group_commit.py"
FAULTS = "ledger/test_group_commit_faults.py"
REPEATED = "end_to_end/test_repeated_requests.py"
ONE_EFFECT = f"{REPEATED}::test_twenty_calls_with_one_key_have_one_effect"

LEDGER = (
    Sabotage(
        "a deduction's key is not stored",
        "P12",
        f"{POSTING}:post_batch",
        "write_if_unchanged(moved, beside=[INSERT_KEYS.many(keys)] if keys else [])",
        "write_if_unchanged(moved)",
        (f"{GROUP_COMMIT}::test_a_replay_is_the_original_for_ever[sqlite]",),
    ),
    Sabotage(
        "a deduction's key is stored in a transaction of its own",
        "P12",
        f"{POSTING}:post_batch",
        "others = yield from write_if_unchanged(moved, beside=[INSERT_KEYS.many(keys)] if keys else [])",
        (
            "from sqlalchemy import text\n"
            "\n"
            "from billing_service.storage.statements import writing\n"
            "\n"
            "yield from write_accounts(moved)\n"
            'yield writing("end", text("COMMIT"))()\n'
            'yield writing("begin", text("BEGIN"))()\n'
            "yield INSERT_KEYS.many(keys)\n"
            "others = ()"
        ),
        ("storage/test_database_alone.py::test_an_effect_whose_key_can_not_be_kept_does_not_happen[sqlite]",),
    ),
    Sabotage(
        "a command's key is not stored",
        "P12",
        f"{UNIT}:record",
        "yield from record_key(unit, request.key, reply, resource_id)",
        "",
        (f"{ONE_EFFECT}[sqlite-GrantCredits]",),
    ),
    Sabotage(
        "a command's key is looked up before the lock",
        "P12",
        f"{UNIT}:once",
        (
            "unit = yield from begin(sources, account_ids, make_missing=make_missing)\nearlier = yield from "
            "earlier_answer(request.key)"
        ),
        (
            "earlier = yield from earlier_answer(request.key)\nunit = yield from begin(sources, account_ids, "
            "make_missing=make_missing)"
        ),
        (f"{ONE_EFFECT}[postgresql-GrantCredits]",),
    ),
    Sabotage(
        "the key of no account is looked up without a lock",
        "P12",
        f"{UNIT}:once",
        ("if not request.key.account_id:\n    yield from lock_keys()"),
        "",
        (f"{ONE_EFFECT}[postgresql-CreateApiKey]",),
    ),
    Sabotage(
        "the secret of an answer is kept",
        "P42",
        f"{UNIT}:once",
        "reply if isinstance(reply, SecretReply) else (reply, reply)",
        "(reply.sent, reply.sent) if isinstance(reply, SecretReply) else (reply, reply)",
        (f"{REPEATED}::test_the_original_reply_for_ever_and_no_other_use[sqlite]",),
    ),
    Sabotage(
        "a failure that Stripe keeps is asked for again",
        "P4",
        f"{STEP}:_asked",
        "await next_attempt(begun.intent)\nraise",
        "raise",
        ("end_to_end/test_stripe_is_down.py",),
    ),
    Sabotage(
        "what Stripe made in spite of a failure is made again",
        "P4",
        f"{STEP}:_asked",
        "made = await find_made(begun.intent)",
        "made = None",
        ("ledger/test_provider_step.py",),
    ),
    Sabotage(
        "a refund that Stripe refused keeps its key",
        "P15",
        f"{STEP}:give_up_intent",
        "yield from free_key(request.key.id)",
        "",
        ("end_to_end/test_refunds_and_stripe.py::test_stripe_refuses_and_nothing_has_changed[sqlite]",),
    ),
    Sabotage(
        "a frozen account is told before a key that was used",
        "P15",
        f"{POSTING}:_Batch._post",
        "answer = key.replay(stored)",
        "self._accounts[operation.account_id].frozen and operation.decide("
        "self._accounts[operation.account_id], self._now_us, self._ids, self._terms)\nanswer = key.replay(stored)",
        ("end_to_end/test_precedence.py",),
    ),
    Sabotage(
        "a key's other request is answered",
        "P14",
        f"{KEYS}:IdempotencyKey.check",
        "stored.fingerprint != self.fingerprint",
        "len(stored.fingerprint) != len(self.fingerprint)",
        ("ledger/test_keys.py::test_a_key_of_another_request_is_refused",),
    ),
    Sabotage(
        "the fingerprint ignores the amount",
        "P14",
        "billing_service.api.servicers.deductions:deduction_of.key",
        "usage.meaning if usage else amount",
        "0",
        (f"{REPEATED}::test_the_original_reply_for_ever_and_no_other_use[sqlite]",),
    ),
    Sabotage(
        "keys are shared by callers and methods",
        "P16",
        f"{KEYS}:IdempotencyKey.id",
        "self.scope",
        '""',
        (f"{GROUP_COMMIT}::test_keys_belong_to_account_caller_and_method[sqlite]",),
    ),
    Sabotage(
        "a replay is not called one",
        "P13",
        f"{KEYS}:IdempotencyKey.replay",
        "True",
        "False",
        (f"{GROUP_COMMIT}::test_a_replay_is_the_original_for_ever[sqlite]",),
    ),
    Sabotage(
        "a replay is decided anew",
        "P13",
        f"{UNIT}:once",
        "return earlier",
        (
            "decided = effect(unit)\n"
            "again = (yield from decided) if isinstance(decided, Generator) else decided\n"
            "return Answer(again if isinstance(again, bytes) else again.kept, replayed=True)"
        ),
        (f"{REPEATED}::test_the_original_reply_for_ever_and_no_other_use[sqlite]",),
    ),
    Sabotage(
        "a batch's own keys are not seen within it",
        "P12",
        f"{POSTING}:_Batch._post",
        'self._spent[key.id] = StoredKey(key.fingerprint, reply, "")',
        "",
        (f"{GROUP_COMMIT}::test_each_in_a_batch_gets_its_own_answer_in_order[sqlite]",),
    ),
    Sabotage(
        "one refusal refuses the whole batch",
        "P11",
        f"{POSTING}:_Batch.post",
        "return refusal",
        "raise AssertionError from refusal",
        (f"{GROUP_COMMIT}::test_each_in_a_batch_gets_its_own_answer_in_order[sqlite]",),
    ),
    Sabotage(
        "a split batch loses an answer",
        "P32",
        f"{WRITER}:LedgerWriter._post_group",
        "zip(group, outcomes, strict=True)",
        "zip(group[1:], outcomes[1:], strict=True)",
        (f"{FAULTS}::test_a_conflict_that_lasts_is_told_and_the_key_stays_free[sqlite]",),
    ),
    Sabotage(
        "a split batch confuses its answers",
        "P11",
        f"{WRITER}:LedgerWriter._post_group",
        "outcomes",
        "outcomes[::-1]",
        (f"{FAULTS}::test_a_refusal_in_a_batch_that_is_split_stays_its_own[sqlite]",),
    ),
    Sabotage(
        "a failed batch is never split",
        "P11",
        f"{WRITER}:LedgerWriter._together",
        ("if len(operations) == 1:\n    return [error]"),
        ("if operations:\n    return [error] * len(operations)"),
        (f"{FAULTS}::test_a_culprit_is_found_and_its_neighbours_are_posted[sqlite-0]",),
    ),
    Sabotage(
        "a stuck account stays in everybody's batch",
        "P9",
        f"{WRITER}:LedgerWriter._post_group",
        "self._monotonic() + ISOLATION_S",
        "self._monotonic()",
        (f"{FAULTS}::test_an_account_that_another_program_keeps_locked_holds_up_nobody_else[postgresql]",),
    ),
    Sabotage(
        "what comes later overtakes an account by itself",
        "P12",
        f"{WRITER}:LedgerWriter._apart_from_isolated.isolated_ids",
        "self._isolated_until.keys() | self._isolated.keys()",
        "self._isolated_until.keys()",
        (f"{FAULTS}::test_what_comes_later_never_overtakes_what_is_posted_by_itself[sqlite]",),
    ),
    Sabotage(
        "an account by itself tells its callers each other's answers",
        "P12",
        f"{WRITER}:LedgerWriter._post_group",
        "outcomes",
        "outcomes[::-1]",
        ("simulation/test_simulation.py::test_no_seed_contradicts_the_model[8]",),
    ),
    Sabotage(
        "an unknown commit is tried again as new",
        "P12",
        f"{WRITER}:LedgerWriter._together",
        ("if failure.reason is not Reason.CONFLICT:\n    return [failure] * len(operations)"),
        "log.info('again', cause=failure.reason)",
        (f"{FAULTS}::test_an_unreachable_database_is_told_at_once_and_the_key_finds_out[sqlite-before]",),
    ),
    Sabotage(
        "the gatherer drops the last of a batch",
        "P32",
        f"{GATHERING}:Gatherer._serve.batch",
        "self._waiting[: self._batch_max]",
        "self._waiting[: self._batch_max][:3]",
        ("ledger/test_gathering.py::test_no_batch_is_larger_than_its_bound_and_order_is_kept",),
    ),
    Sabotage(
        "a cancellation from inside ends the gatherer",
        "P32",
        f"{GATHERING}:interrupted_inside",
        "asyncio.current_task().cancelling()",
        "asyncio.current_task() is not None",
        ("crash/test_cancellation_storm.py::test_a_cancellation_from_inside_answers_the_batch_and_spares_the_next",),
    ),
    Sabotage(
        "closing answers nobody who waits",
        "P37",
        f"{GATHERING}:Gatherer._serve",
        "not self._waiting",
        "not self._waiting or self._closing",
        (f"{GROUP_COMMIT}::test_closing_answers_all_that_waits[sqlite]",),
    ),
    Sabotage(
        "the chain ignores descriptions",
        "P40",
        f"{CHAIN}:texts_digest",
        "f'{len(t.description)}:{t.description};{len(t.metadata)}:{t.metadata};'",
        "f'{len(t.metadata)}:{t.metadata};'",
        ("domain/test_chain.py::test_any_change_changes_the_hash",),
    ),
    Sabotage(
        "the chain ignores why a charge is what it is",
        "P40",
        f"{CHAIN}:canonical",
        "sha256(t.price_record).hexdigest() if t.price_record else ''",
        "''",
        ("domain/test_chain.py::test_any_change_of_what_format_2_adds_changes_the_hash",),
    ),
    Sabotage(
        "texts are hashed without their salt",
        "P40",
        f"{CHAIN}:texts_digest",
        "t.salt + texts.encode()",
        "texts.encode()",
        ("domain/test_chain.py::test_vectors",),
    ),
    Sabotage(
        "a digest of erased texts stands for texts that are there",
        "P40",
        f"{CHAIN}:texts_digest",
        "not (t.salt or t.description or t.metadata)",
        "t.erased_digest or not (t.salt or t.description or t.metadata)",
        ("domain/test_chain.py::test_a_digest_beside_texts_stands_for_nothing",),
    ),
    Sabotage(
        "the chain ignores what came before",
        "P40",
        f"{CHAIN}:link",
        "previous_hash",
        "GENESIS",
        ("domain/test_chain.py::test_the_hash_before_is_part_of_it",),
    ),
)
