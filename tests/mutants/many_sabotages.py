"""Sabotages of batches and streams of deductions, in the service and in the client."""

from sabotage import Sabotage

MANY_DEDUCTIONS = "billing_service/api/many_deductions.py"
STREAMING = "billing_service/api/streaming.py"
CLIENT_STREAM = "clients/python/billing_client/asynchronous/deduction_stream.py"
BATCHES = "end_to_end/test_batches_of_deductions.py"
STREAMS = "end_to_end/test_streams_of_deductions.py"
EDGE = "api/test_streaming.py"
CLIENT = "clients/test_client_streams.py"
WORLDS = "simulation/test_simulation.py::test_no_seed_contradicts_the_model[0]"
WORLDS_OF_STREAMS = "simulation/test_simulation.py::test_no_seed_contradicts_the_model[1]"
SEED = "simulation/test_simulation.py::test_a_seed_that_failed_once"

MANY = (
    Sabotage(
        "keys of a batch are not those of the unary call",
        "P12",
        MANY_DEDUCTIONS,
        "deduction_of(request, call.caller))",
        'deduction_of(request, f"{call.caller}/many"))',
        (f"{STREAMS}::test_a_deduction_is_the_same_by_whichever_rpc_it_is_repeated",),
    ),
    Sabotage(
        "one refused deduction refuses its batch",
        "P15",
        MANY_DEDUCTIONS,
        "            return error\n",
        "            raise error\n",
        (f"{BATCHES}::test_what_is_wrong_with_one_is_told_as_if_it_had_come_alone_and_touches_no_neighbour",),
    ),
    Sabotage(
        "a batch stops at its first refusal",
        "P15",
        MANY_DEDUCTIONS,
        "            begun = [self._begin(deduction, call) for deduction in request.deductions]\n            await _all_done(begun)\n",
        "            begun: list[Begun] = []\n            for deduction in request.deductions:\n"
        "                begun.append(self._begin(deduction, call))\n                await _all_done(begun)\n"
        "                if isinstance(begun[-1], Exception) or begun[-1].exception():\n"
        "                    begun += [begun[-1]] * (count - len(begun))\n                    break\n",
        (WORLDS,),
    ),
    Sabotage(
        "a batch tells its first two each other's outcome",
        "P12",
        MANY_DEDUCTIONS,
        "in zip(begun, request.deductions, strict=True)]",
        "in zip((*begun[1::-1], *begun[2:]), request.deductions, strict=True)]",
        (WORLDS,),
    ),
    Sabotage(
        "a batch is begun from its end",
        "P12",
        MANY_DEDUCTIONS,
        "for deduction in request.deductions]",
        "for deduction in reversed(request.deductions)][::-1]",
        (WORLDS,),
    ),
    Sabotage(
        "a batch that is called off goes on",
        "P12",
        MANY_DEDUCTIONS,
        "if not future.cancel() and not future.cancelled():",
        "if future.done() and not future.cancelled():",
        (f"{STREAMS}::test_a_batch_that_is_called_off_takes_back_what_has_not_begun_and_no_more",),
    ),
    Sabotage(
        "a batch of any length",
        "P35",
        MANY_DEDUCTIONS,
        "if not 0 < count <= DEDUCTIONS_MAX:",
        "if not 0 < count:",
        (f"{BATCHES}::test_an_empty_batch_and_one_too_long_are_refused_whole",),
    ),
    Sabotage(
        "a batch weighs as one call",
        "P34",
        MANY_DEDUCTIONS,
        "weight_of(count) - 1  #",
        "0  #",
        (f"{BATCHES}::test_a_batch_does_not_evade_the_bound_on_calls_in_flight",),
    ),
    Sabotage(
        "an answer larger than may be sent",
        "P35",
        MANY_DEDUCTIONS,
        "        if needed > room:\n",
        "        if needed > room + 2**32:\n",
        (f"{BATCHES}::test_outcomes_that_do_not_fit_are_left_out_by_name_and_found_out_alone",),
    ),
    Sabotage(
        "an answer of a stream before it is durable",
        "P18",
        STREAMING,
        "                await self._done(begun, read_at)\n",
        "                begun.cancel()\n",
        (f"{STREAMS}::test_streams_on_one_hot_account_each_in_its_order_and_never_overspent",),
    ),
    Sabotage(
        "a stream reads whatever is sent",
        "P34",
        STREAMING,
        "if len(unanswered) >= UNANSWERED_MAX:",
        "if len(unanswered) < 0:",
        (f"{EDGE}::test_more_than_may_wait_is_not_read_and_comes_later",),
    ),
    Sabotage(
        "requests on a stream weigh nothing",
        "P34",
        STREAMING,
        "            if more > 0:\n",
        "            if more < 0:\n",
        (f"{EDGE}::test_a_stream_weighs_what_it_has_unanswered_and_overload_is_told_to_the_one_it_hits",),
    ),
    Sabotage(
        "requests on a stream may take for ever",
        "P32",
        STREAMING,
        "read_at + self._call.edge.overdue.limit_s, begun",
        "read_at + 3_600, begun",
        (f"{EDGE}::test_a_request_has_the_time_of_a_call_and_its_stream_goes_on",),
    ),
    Sabotage(
        "a caller that reads no answers keeps its place",
        "P32",
        STREAMING,
        "            overdue.watch(self._task, monotonic())  #",
        "            overdue.forget(self._task)  #",
        (f"{EDGE}::test_a_caller_that_reads_no_answers_loses_its_place",),
    ),
    Sabotage(
        "a stream outlives its key",
        "P39",
        STREAMING,
        "if now >= self._identity_due:",
        "if now < 0:",
        (f"{EDGE}::test_a_revoked_key_ends_its_stream_once_what_was_read_is_answered",),
    ),
    Sabotage(
        "a drained stream reads on",
        "P37",
        STREAMING,
        "if raw is grpc.aio.EOF or self._end is not None:",
        "if raw is grpc.aio.EOF:",
        (f"{EDGE}::test_a_drain_answers_what_was_read_and_ends_streams_with_what_to_do",),
    ),
    Sabotage(
        "a stream whose caller is being looked up misses the drain",
        "P37",
        STREAMING,
        "if self._admission.streams_ended:  #",
        "if False:  #",
        (f"{SEED}[127]",),
    ),
    Sabotage(
        "answers of a stream come as they are done",
        "P8",
        STREAMING,
        "            read_at, begun, request = unanswered[0]\n",
        "            done = [isinstance(each, Exception) or each.done() for _, each, _ in unanswered]\n"
        "            unanswered.rotate(-done.index(True) if any(done) else 0)\n"
        "            read_at, begun, request = unanswered[0]\n",
        (WORLDS_OF_STREAMS,),
    ),
    Sabotage(
        "what a broken stream leaves weighs for ever",
        "P34",
        STREAMING,
        "            pending -= 1\n            self._lighten(pending)\n",
        "            pending -= 1\n",
        (WORLDS_OF_STREAMS,),
    ),
    Sabotage(
        "a caller that vanishes takes back what it sent",
        "P12",
        STREAMING,
        "            begun.add_done_callback(done)\n",
        "            begun.add_done_callback(done)\n            begun.cancel()\n",
        (f"{EDGE}::test_a_caller_that_vanishes_takes_nothing_back_and_leaves_nothing",),
    ),
    Sabotage(
        "the client forgets what a broken stream left",
        "P38",
        CLIENT_STREAM,
        "        self._unsent = deque(self._outstanding)\n",
        "        self._unsent = deque(each for each in self._outstanding if not each.is_sent)\n",
        (f"{CLIENT}::test_what_a_broken_stream_left_unanswered_is_sent_again_in_order_with_the_same_keys",),
    ),
    Sabotage(
        "the client calls refused what may have happened",
        "P38",
        "clients/python/billing_client/deductions.py",
        "    if isinstance(known, Refusal) and not is_uncertain:\n",
        "    if isinstance(known, Refusal):\n",
        (f"{CLIENT}::test_what_may_have_happened_on_a_broken_stream_is_unknown_when_the_next_one_is_refused",),
    ),
    Sabotage(
        "the client forgets in a batch what may have happened in an earlier round",
        "P38",
        "clients/python/billing_client/deductions.py",
        "        self._uncertain |= {position for position, failure in failures.items() if isinstance(failure, OutcomeUnknown)}\n",
        "",
        ("clients/test_client_repeats.py::test_what_turned_the_last_attempt_away_says_nothing_of_an_earlier_one",),
    ),
    Sabotage(
        "the client forgets on a stream what may have happened in an earlier attempt",
        "P38",
        CLIENT_STREAM,
        "        sent.is_uncertain |= isinstance(failure, OutcomeUnknown)\n",
        "",
        ("clients/test_client_repeats.py::test_what_turned_the_last_attempt_away_says_nothing_of_an_earlier_one",),
    ),
    Sabotage(
        "the client sends the whole batch again for one deduction",
        "P38",
        "clients/python/billing_client/deductions.py",
        "        self._open = list(failures)\n",
        "",
        ("clients/test_client_repeats.py::test_it_is_asked_for_again_alone_with_its_key",),
    ),
)
