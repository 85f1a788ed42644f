"""Sessions: refusals first, then each decision by a table, then whole sessions against a model."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.usage_kinds import UsageKind, measure
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.outcome_policies import (
    Charge,
    GenerationOutcome,
    Measurement,
    OutcomePolicies,
    parse_policies,
)
from billing_service.domain.spending.price_records import (
    decode_record,
)
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis
from billing_service.domain.spending.sessions import (
    SEQUENCE_MAX,
    Room,
    Session,
    StopReason,
    acknowledge,
    closing,
    growth,
    is_news,
    late_charge,
    least_usage,
    left,
    missing_for_close,
    prolongation,
    take_tick,
    tell_low,
    tell_stop,
)
from billing_service.domain.spending.usage import usage_of

K, Ended = UsageKind, GenerationOutcome
S = 1_000_000
END = 24 * 3_600 * S
GRACE = 600 * S


def used(*lines, **more):
    return usage_of(**{"provider": "p", "model": "m", "lines": lines or [(K.OUTPUT_TOKENS, "", 1)]} | more)


def priced(amount):
    """A price of so many microcredits."""
    line = PricedLine(measure(K.OUTPUT_TOKENS), amount, 10**10)
    return Price("v", "m", "", 0, (line,) if amount else (), None, 0, TimeBasis.RECEIVED)


def session(**more):
    return Session(**{
        "session_id": "hold_1", "account_id": "a", "rate_card_version": "v", "slice": 100, "held": 100,
        "open_time_us": 0, "expire_time_us": GRACE, "end_time_us": END,
    } | more)  # fmt: skip


@pytest.mark.parametrize("sequence", [0, -1, SEQUENCE_MAX + 1])
def test_a_sequence_out_of_range_is_refused(sequence):
    with pytest.raises(Refusal) as refused:
        is_news(session(), sequence)
    assert (refused.value.reason, refused.value.metadata["field"]) == (Reason.INVALID_FIELD, "tick.sequence")


@pytest.mark.parametrize("outcome", [Ended.COMPLETE, Ended.CUT, Ended.EMPTY])
def test_a_charge_without_any_usage_is_refused(outcome):
    with pytest.raises(Refusal, match="USAGE_EMPTY"):
        closing(session(), None, outcome, OutcomePolicies())


@pytest.mark.parametrize(("last", "sequence", "news"), [(0, 1, True), (4, 5, True), (4, 4, False), (4, 3, False)])
def test_a_tick_is_news_once(last, sequence, news):
    assert is_news(session(sequence=last), sequence) is news


@pytest.mark.parametrize(("charged", "amount", "then"), [(0, 7, 7), (7, 5, 7), (0, 0, 0), (7, 900, 900)])
def test_a_tick_replaces_the_usage_and_what_is_charged_never_falls(charged, amount, then):
    before = take_tick(session(sequence=1), 2, used(), priced(charged))
    fewer = used((K.INPUT_TOKENS, "", 3), model="m-2", service_tier="flex")
    after = take_tick(before, 9, fewer, priced(amount))
    assert (after.sequence, after.usage, after.charged) == (9, fewer, then)
    assert before.sequence == 2, "a tick that is not durable has no effect"
    kept = decode_record(after.price_record)
    assert (kept.amount, kept.priced.usage.model) == (then, "m-2" if amount >= charged else "m")


@pytest.mark.parametrize(
    ("held", "charged", "room", "is_left", "grows"),
    [
        (100, 0, Room(0), 100, 0),
        (100, 40, Room(30), 90, 0),
        (100, 50, Room(30), 80, 0),
        (100, 51, Room(30), 79, 30),
        (100, 51, Room(500), 549, 51),
        (100, 100, Room(500), 500, 100),
        (100, 250, Room(500), 350, 250),
        (100, 250, Room(120), 0, 120),
        (100, 250, Room(0), 0, 0),
        (100, 60, Room(500, frozen=True), 40, 0),
    ],
)
def test_a_hold_grows_before_it_is_used_up(held, charged, room, is_left, grows):
    asked = session(held=held, charged=charged, sequence=3)
    assert left(asked, room) == is_left
    assert growth(asked, room) == grows
    assert acknowledge(asked, room) == (3, charged, is_left)
    assert growth(replace(asked, stopped=StopReason.ACCOUNT_FROZEN), room) == 0, "what is stopped does not grow"


@pytest.mark.parametrize(
    ("charged", "room", "now_us", "told"),
    [
        (99, Room(0), 0, None),
        (100, Room(0), 0, StopReason.CREDITS_EXHAUSTED),
        (101, Room(0), 0, StopReason.CREDITS_EXHAUSTED),
        (101, Room(1), 0, StopReason.CREDITS_EXHAUSTED),
        (101, Room(2), 0, None),
        (0, Room(5, frozen=True), 0, StopReason.ACCOUNT_FROZEN),
        (0, Room(0), END - 60 * S - 1, None),
        (0, Room(0), END - 60 * S, StopReason.TIME_UP),
    ],
)
def test_an_owner_is_stopped_once(charged, room, now_us, told):
    asked = session(charged=charged)
    assert tell_stop(asked, room, now_us) is told
    assert told is None or tell_stop(asked, room, now_us) is None


def test_what_costs_nothing_goes_on_without_credits():
    assert tell_stop(session(held=0), Room(0), 0) is None


def test_an_owner_is_told_of_the_last_slice_once_until_there_is_more():
    asked = session(held=100, charged=0)
    assert not tell_low(asked, Room(0))
    asked = take_tick(asked, 1, used(), priced(1))
    assert tell_low(asked, Room(0))
    assert not tell_low(asked, Room(0))
    assert not tell_low(asked, Room(1))
    assert tell_low(asked, Room(0)), "there was a slice again, and now there is none"


@pytest.mark.parametrize(
    ("expires_us", "now_us", "lives_us"),
    [
        (GRACE, 0, 0),
        (GRACE, GRACE // 2 - 1, 0),
        (GRACE, GRACE // 2, GRACE),
        (GRACE, GRACE - 1, GRACE),
        (END - 1, END - GRACE // 2, GRACE // 2),
        (END, END - GRACE // 2, 0),
        (END, END, 0),
    ],
)
def test_a_living_session_s_hold_is_prolonged_to_its_end_at_most(expires_us, now_us, lives_us):
    assert prolongation(session(expire_time_us=expires_us), GRACE, now_us) == lives_us


@pytest.mark.parametrize(
    ("lines", "least"),
    [
        ([(K.INPUT_TOKENS, "", 70), (K.OUTPUT_TOKENS, "", 400)], {"input_tokens": 70, "output_tokens": 1}),
        ([(K.REASONING_TOKENS, "", 9), (K.OUTPUT_TOKENS, "", 400)], {"output_tokens": 1}),
        ([(K.REASONING_TOKENS, "", 9)], {"reasoning_tokens": 1}),
        ([(K.INPUT_TOKENS, "", 70)], {"input_tokens": 70}),
        ([(K.SECONDS, "in", 70), (K.REQUESTS, "", 1), (K.UNITS, "pages", 3)], {"seconds:in": 70, "requests": 1}),
        ([(K.IMAGES, "", 3)], None),
    ],
)
def test_a_call_costs_at_least_its_input_and_a_token(lines, least):
    found = least_usage(used(*lines))
    assert (found and {line.measure.word: line.quantity for line in found.lines}) == least


READ = (K.INPUT_TOKENS, "", 70)
WHOLE = used(READ, (K.OUTPUT_TOKENS, "", 30))
TICKED = used(READ, (K.OUTPUT_TOKENS, "", 20))
EXPECTED = used(READ, (K.OUTPUT_TOKENS, "", 99))


@pytest.mark.parametrize("outcome", list(Ended))
@pytest.mark.parametrize(("named", "ticked"), [(WHOLE, TICKED), (None, TICKED), (None, None)])
def test_a_close_charges_by_the_policy_of_its_outcome(outcome, named, ticked):
    found = closing(session(usage=ticked, estimate=EXPECTED), named, outcome, OutcomePolicies())
    known = named or ticked or EXPECTED
    charge = OutcomePolicies().charge_of("p", "m", outcome)
    assert found.charge is charge
    wanted = {Charge.RELEASE: None, Charge.INPUT: used(READ), Charge.STREAMED: known}[charge]
    assert found.usage == (wanted and replace(wanted, measurement=found.measurement))
    assert (found.measurement is Measurement.ESTIMATED) is (
        named is None
        or outcome in {Ended.TIMED_OUT, Ended.CUT, Ended.ENDED_EARLY, Ended.CANCELED, Ended.COMPLETE_WITHOUT_USAGE}
    )


def test_a_release_needs_no_usage_and_an_entry_for_all_models_holds_without_one():
    nothing = closing(session(), None, Ended.REFUSED, OutcomePolicies())
    assert (nothing.usage, nothing.charge) == (None, Charge.RELEASE)
    free = closing(session(), None, Ended.CUT, parse_policies("*/* cut release"))
    assert (free.usage, free.charge) == (None, Charge.RELEASE)


def test_a_policy_of_the_model_holds():
    policies = parse_policies("p/m* cut charge_input")
    assert closing(session(), WHOLE, Ended.CUT, policies).usage == used(READ, measurement=Measurement.ESTIMATED)
    other = replace(WHOLE, model="n", measurement=Measurement.ESTIMATED)
    assert closing(session(), other, Ended.CUT, policies).usage == other


@pytest.mark.parametrize(
    ("amount", "room", "grows"),
    [(100, Room(9), 0), (105, Room(9), 5), (150, Room(9), 9), (150, Room(9, frozen=True), 0), (0, Room(9), 0)],
)
def test_a_close_asks_for_what_its_hold_lacks(amount, room, grows):
    assert missing_for_close(session(), amount, room) == grows


@pytest.mark.parametrize(("amount", "captured", "moves"), [(70, 50, 20), (50, 70, -20), (70, 70, 0), (0, 70, -70)])
def test_a_late_close_is_absolute(amount, captured, moves):
    assert late_charge(amount, captured) == moves


@dataclass
class Purse:
    """An account with one session, another spender, and what was captured of it."""

    funds: int
    state: Session
    told: list[StopReason] = field(default_factory=list)

    @property
    def room(self):
        return Room(self.funds)

    def grow(self):
        more = growth(self.state, self.room)
        assert more <= self.funds
        self.funds -= more
        self.state.held += more

    def tick(self, sequence, amount):
        if is_news(self.state, sequence):
            self.state = take_tick(self.state, sequence, used(), priced(amount))
            self.grow()
            stop = tell_stop(self.state, self.room, 0)
            if stop is not None:
                self.told.append(stop)

    def close(self, amount):
        """What is collected and what is not; the rest of the hold comes back."""
        more = missing_for_close(self.state, amount, self.room)
        self.funds -= more
        self.state.held += more
        collected = min(amount, self.state.held)
        self.funds += self.state.held - collected
        return collected, amount - collected


TICKS = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 400), st.integers(0, 60)), max_size=20
)  # sequence, price of the whole usage, what others then take


@given(st.integers(0, 600), st.integers(1, 150), TICKS, st.one_of(st.none(), st.integers(0, 700)))
def test_nothing_is_lost_and_nothing_is_taken_twice(funds, step, ticks, final):
    opening = min(step, funds)
    purse = Purse(funds - opening, session(slice=step, held=opening))
    last, highest, others = 0, 0, 0
    for sequence, amount, taken in ticks:
        stopped_before = bool(purse.told)
        purse.tick(sequence, amount)
        if sequence > last:
            last, highest = sequence, max(highest, amount)
            reachable = purse.state.held + (0 if stopped_before else purse.funds)
            if not stopped_before:
                assert bool(purse.told) is (highest > 0 and highest >= reachable)
        assert (purse.state.sequence, purse.state.charged) == (last, highest)
        assert purse.told or purse.state.held >= min(highest, purse.state.held + purse.funds), (
            "covered while it may go on"
        )
        spent = min(taken, purse.funds)
        purse.funds -= spent
        others += spent
    assert len(purse.told) <= 1
    owed = highest if final is None else final
    collected, uncollected = purse.close(owed)
    assert collected + uncollected == owed
    assert collected == min(owed, funds - others), "all that was there, and never more"
    assert purse.funds == funds - others - collected
