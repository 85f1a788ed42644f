"""Sabotages of batches and streams of deductions, in the service and in the client."""

from tests.mutants.sabotage import Sabotage

MANY_DEDUCTIONS = "billing_service.api.servicers.many_deductions"
STREAMING = "billing_service.api.streams.streaming"
CLIENT_STREAM = "billing_client.asynchronous.deduction_stream"
BATCHES = "end_to_end/test_batches_of_deductions.py"
STREAMS = "end_to_end/test_streams_of_deductions.py"
EDGE = "api/test_streaming.py"
CLIENT = "clients/test_client_streams.py"
WORLDS = "simulation/test_simulation.py::test_no_seed_contradicts_the_model[0]"
WORLDS_OF_STREAMS = "simulation/test_simulation.py::test_no_seed_contradicts_the_model[1]"

MANY = (
    Sabotage(
        "keys of a batch are not those of the unary call",
        "P12",
        "billing_service.api.servicers.deductions:deduction_of",
        'f"{caller}/DeductCredits"',
        'f"{caller}/{call.method}"',
        (f"{STREAMS}::test_a_deduction_is_the_same_by_whichever_rpc_it_is_repeated",),
    ),
    Sabotage(
        "one refused deduction refuses its batch",
        "P15",
        f"{MANY_DEDUCTIONS}:ManyDeductions._begin",
        "return error",
        "raise error",
        (f"{BATCHES}::test_what_is_wrong_with_one_is_told_as_if_it_had_come_alone_and_touches_no_neighbour",),
    ),
    Sabotage(
        "a batch stops at its first refusal",
        "P15",
        f"{MANY_DEDUCTIONS}:ManyDeductions._begin_all",
        "begun.append(one.answer if isinstance(one, Late) else one)",
        (
            "begun.append(one.answer if isinstance(one, Late) else one)\n"
            "await _all_done(begun)\n"
            "if isinstance(begun[-1], Exception) or begun[-1].exception():\n"
            "    begun += [begun[-1]] * (len(deductions) - len(begun))\n"
            "    break"
        ),
        (WORLDS,),
    ),
    Sabotage(
        "a batch tells its first two each other's outcome",
        "P12",
        f"{MANY_DEDUCTIONS}:ManyDeductions.batch_deduct_credits",
        "zip(begun, asked, strict=True)",
        "zip((*begun[1::-1], *begun[2:]), asked, strict=True)",
        (WORLDS,),
    ),
    Sabotage(
        "a batch is begun from its end",
        "P12",
        f"{MANY_DEDUCTIONS}:ManyDeductions._begin_all",
        "asked",
        "list(reversed(asked))",
        (WORLDS,),
    ),
    Sabotage(
        "a batch that is called off goes on",
        "P12",
        f"{MANY_DEDUCTIONS}:_take_back",
        "not each.cancel()",
        "each.done()",
        (f"{STREAMS}::test_a_batch_that_is_called_off_takes_back_what_has_not_begun_and_no_more",),
    ),
    Sabotage(
        "a batch of any length",
        "P35",
        f"{MANY_DEDUCTIONS}:ManyDeductions.batch_deduct_credits",
        "0 < count <= DEDUCTIONS_MAX",
        "0 < count",
        (f"{BATCHES}::test_an_empty_batch_and_one_too_long_are_refused_whole",),
    ),
    Sabotage(
        "a batch weighs as one call",
        "P34",
        f"{MANY_DEDUCTIONS}:ManyDeductions.batch_deduct_credits",
        "weight_of(count) - 1",
        "0",
        (f"{BATCHES}::test_a_batch_does_not_evade_the_bound_on_calls_in_flight",),
    ),
    Sabotage(
        "an answer larger than may be sent",
        "P35",
        f"{MANY_DEDUCTIONS}:_answer",
        "room",
        "room + 2**32",
        (f"{BATCHES}::test_outcomes_that_do_not_fit_are_left_out_by_name_and_found_out_alone",),
    ),
    Sabotage(
        "an answer of a stream before it is durable",
        "P18",
        f"{STREAMING}:_Stream._write",
        "await self._done(begun, read_at)",
        "begun.cancel()",
        (f"{STREAMS}::test_streams_on_one_hot_account_each_in_its_order_and_never_overspent",),
    ),
    Sabotage(
        "a stream reads whatever is sent",
        "P34",
        f"{STREAMING}:_Stream._read",
        "len(unanswered) >= UNANSWERED_MAX",
        "len(unanswered) < 0",
        (f"{EDGE}::test_more_than_may_wait_is_not_read_and_comes_later",),
    ),
    Sabotage(
        "requests on a stream weigh nothing",
        "P34",
        f"{STREAMING}:_Stream._take",
        "more > 0",
        "more < 0",
        (f"{EDGE}::test_a_stream_weighs_what_it_has_unanswered_and_overload_is_told_to_the_one_it_hits",),
    ),
    Sabotage(
        "requests on a stream may take for ever",
        "P32",
        f"{STREAMING}:_Stream._done.timer",
        "self._call.edge.overdue.limit_s",
        "3_600",
        (f"{EDGE}::test_a_request_has_the_time_of_a_call_and_its_stream_goes_on",),
    ),
    Sabotage(
        "a caller that reads no answers keeps its place",
        "P32",
        f"{STREAMING}:_Stream._write",
        "overdue.watch(self._task, monotonic())",
        "overdue.forget(self._task)",
        (f"{EDGE}::test_a_caller_that_reads_no_answers_loses_its_place",),
    ),
    Sabotage(
        "a stream outlives its key",
        "P39",
        f"{STREAMING}:_Stream._read",
        "now >= self._identity_due",
        "now < 0",
        ("api/test_stream_endings.py::test_a_revoked_key_ends_its_stream_once_what_was_read_is_answered",),
    ),
    Sabotage(
        "a drained stream reads on",
        "P37",
        f"{STREAMING}:_Stream._read",
        "raw is grpc.aio.EOF or self._end is not None",
        "raw is grpc.aio.EOF",
        ("api/test_stream_endings.py::test_a_drain_answers_what_was_read_and_ends_streams_with_what_to_do",),
    ),
    Sabotage(
        "a stream whose caller is being looked up misses the drain",
        "P37",
        f"{STREAMING}:_Stream.run",
        "self._admission.streams_ended",
        "False",
        ("api/test_stream_endings.py::test_a_stream_whose_caller_is_looked_up_as_streams_are_ended_ends_with_them",),
    ),
    Sabotage(
        "answers of a stream come as they are done",
        "P8",
        f"{STREAMING}:_Stream._write",
        (
            "if not unanswered:\n"
            "    if not self._reading or self._end is not None:\n"
            "        return\n"
            "    self._waiting_writer = asyncio.get_running_loop().create_future()\n"
            "    await self._waiting_writer\n"
            "    continue"
        ),
        (
            "if not unanswered:\n"
            "    if not self._reading or self._end is not None:\n"
            "        return\n"
            "    self._waiting_writer = asyncio.get_running_loop().create_future()\n"
            "    await self._waiting_writer\n"
            "    continue\n"
            "done = [isinstance(each, Exception) or each.done() for _, each, _ in unanswered]\n"
            "unanswered.rotate(-done.index(True) if any(done) else 0)"
        ),
        (WORLDS_OF_STREAMS,),
    ),
    Sabotage(
        "what a broken stream leaves weighs for ever",
        "P34",
        f"{STREAMING}:_Stream._leave.done",
        "self._lighten(pending)",
        "",
        (WORLDS_OF_STREAMS,),
    ),
    Sabotage(
        "a caller that vanishes takes back what it sent",
        "P12",
        f"{STREAMING}:_Stream._leave",
        "begun.add_done_callback(done)",
        ("begun.add_done_callback(done)\nbegun.cancel()"),
        (f"{EDGE}::test_a_caller_that_vanishes_takes_nothing_back_and_leaves_nothing",),
    ),
    Sabotage(
        "the client forgets what a broken stream left",
        "P38",
        f"{CLIENT_STREAM}:DeductionStream._converse",
        "deque(self._outstanding)",
        "deque(each for each in self._outstanding if not each.is_sent)",
        (f"{CLIENT}::test_what_a_broken_stream_left_unanswered_is_sent_again_in_order_with_the_same_keys",),
    ),
    Sabotage(
        "the client calls refused what may have happened",
        "P38",
        "billing_client.deductions:unanswered",
        "isinstance(known, Refusal) and not is_uncertain",
        "isinstance(known, Refusal)",
        (f"{CLIENT}::test_what_may_have_happened_on_a_broken_stream_is_unknown_when_the_next_one_is_refused",),
    ),
    Sabotage(
        "the client forgets in a batch what may have happened in an earlier round",
        "P38",
        "billing_client.deductions:BatchRounds._take",
        (
            "self._uncertain |= {position for position, failure in failures.items() if isinstance(failure, "
            "OutcomeUnknown)}"
        ),
        "",
        ("clients/test_client_repeats.py::test_what_turned_the_last_attempt_away_says_nothing_of_an_earlier_one",),
    ),
    Sabotage(
        "the client forgets on a stream what may have happened in an earlier attempt",
        "P38",
        f"{CLIENT_STREAM}:DeductionStream._rests",
        "sent.is_uncertain |= isinstance(failure, OutcomeUnknown)",
        "",
        ("clients/test_client_repeats.py::test_what_turned_the_last_attempt_away_says_nothing_of_an_earlier_one",),
    ),
    Sabotage(
        "the client sends the whole batch again for one deduction",
        "P38",
        "billing_client.deductions:BatchRounds._take",
        "self._open = list(failures)",
        "",
        ("clients/test_client_repeats.py::test_it_is_asked_for_again_alone_with_its_key",),
    ),
)
