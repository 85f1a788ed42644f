"""Past states of an account: undone from its state now, from a snapshot, and replayed from its first entry, they are
the same."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.entries import Entry, Place, Transaction, TransactionKind, held_place
from billing_service.domain.ledger.past import PastState, Rewind, SnapshotMaker, past_state

LOTS = ("lot_a", "lot_b")
PLACES = (*LOTS, *map(held_place, LOTS), Place.DEBT, Place.SALES, Place.USAGE)
ENTRY = st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES), st.integers(1, 9)).filter(lambda e: e[0] != e[1])
CHAIN = st.lists(st.tuples(st.lists(ENTRY, max_size=3), st.integers(-6, 6)), max_size=30)
"""Entries of each transaction, and how far its time lies from the one before: a clock may be set back."""


def chain_of(drawn):
    time_us, chain = 100, []
    for number, (entries, apart) in enumerate(drawn, 1):
        time_us += apart
        moved = [Entry(*entry) for entry in entries]
        chain.append(
            Transaction(f"t{number}", "a", number, "", TransactionKind.ADJUSTMENT, 0, 0, time_us, entries=moved)
        )
    return chain


def replayed(chain):
    """The state after these transactions, from nothing."""
    places = Counter()
    for transaction in chain:
        for source, destination, amount in transaction.entries:
            places[source] -= amount
            places[destination] += amount
    held = sum(places[held_place(lot)] for lot in LOTS)
    return past_state(len(chain), -places[Place.DEBT], held, {lot: places[lot] for lot in LOTS})


def latest(chain):
    """The latest time of these transactions."""
    return max((each.create_time_us for each in chain), default=0)


def happened_by(chain, time_us):
    """The transactions before the first that was made later."""
    until = next((n for n, each in enumerate(chain) if each.create_time_us > time_us), len(chain))
    return chain[:until]


@given(CHAIN)
def test_the_state_at_a_time_is_that_of_a_replay(drawn):
    chain = chain_of(drawn)
    for time_us in {each.create_time_us + apart for each in chain for apart in (-1, 0)}:
        rewind = Rewind(replayed(chain), time_us)
        for transaction in reversed(chain):
            rewind.step(transaction)
        assert rewind.end() == replayed(happened_by(chain, time_us))


@given(CHAIN, st.integers(1, 4))
def test_each_snapshot_is_the_state_of_a_replay(drawn, every):
    chain = chain_of(drawn)
    for done in range(0, len(chain) + 1, every):
        maker = SnapshotMaker(replayed(chain), every)
        for transaction in reversed(chain[done:]):
            maker.step(transaction)
        made = maker.end(latest(chain[:done]))
        assert [state.version for state, _, _ in made] == list(range(done + every, len(chain) + 1, every))
        for state, transaction_id, reached_us in made:
            assert state == replayed(chain[: state.version])
            assert transaction_id == f"t{state.version}"
            assert reached_us == latest(chain[: state.version])


def test_a_hold_that_ended_counts_although_its_end_was_booked_later():
    end = Transaction(
        "t1",
        "a",
        1,
        "",
        TransactionKind.HOLD_RELEASE,
        0,
        0,
        200,
        entries=[Entry(held_place("lot_a"), "lot_a", 5)],
        effective_time_us=150,
    )
    for time_us, remaining, held in ((149, {}, 5), (150, {"lot_a": 5}, 0), (200, {"lot_a": 5}, 0)):
        rewind = Rewind(PastState(1, 0, 0, {"lot_a": 5}), time_us)
        rewind.step(end)
        state = rewind.end()
        assert (state.remaining, state.held, state.version) == (remaining, held, int(time_us >= 200))
