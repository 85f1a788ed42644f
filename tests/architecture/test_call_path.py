"""How many files of the service a call runs through: what a reader must open to follow it.

Changing calls go through one edge, one write path and one store, whose files a reader learns once. What a call costs
its reader on top are the files that no call of another kind enters: at most 15. The sum of both has a bound as well, so
that it grows only where somebody decides it. The sum can't be small: no file has more than 300 lines, and each wall
between edge, rules, ledger and storage is one more file.
"""

import sys
import threading
from pathlib import Path

import pytest

import billing_service
from tests.support.metered import Metered, tokens
from tests.support.stack import CREDIT
from tests.support.webhooks_withheld import webhooks_withheld

PACKAGE = str(Path(billing_service.__file__).parent) + "/"
APART = ("sandbox/", "jobs/", "feed/", "storage/rows/feed.py")
"""Stripe's double, and what runs by the clock: they share the process with the call, and are no part of it."""
ROUNDS = 3
KINDS = {"priced deduction": "deduction", "capture": "hold"}
"""Calls of one kind with another."""
OWN_FILES_MAX = 15
FILES_MAX = {
    "deduction": 33,
    "priced deduction": 41,
    "hold": 36,
    "capture": 40,
    "session tick": 25,
    "grant": 33,
    "reversal": 41,
    "purchase": 44,
    "refund": 52,
}
"""Two or three more than they are. A larger figure needs a reason in the commit that brings it."""


class Tracer:
    """Notes the files of the service whose functions are entered, on any thread that began after the tracer."""

    def __init__(self):
        self.files = set()

    def __enter__(self):
        self._before = sys.getprofile()
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_):
        sys.setprofile(self._before)
        threading.setprofile(None)

    def _note(self, frame, event, _argument):
        if event == "call" and (path := frame.f_code.co_filename).startswith(PACKAGE):
            self.files.add(path.removeprefix(PACKAGE))

    async def rounds(self, call):
        """The files that every one of some like calls enters."""
        seen = []
        for number in range(ROUNDS):
            self.files = set()
            await call(number)
            seen.append({path for path in self.files if not path.startswith(APART)})
        return sorted(set.intersection(*seen))


@pytest.fixture(params=["sqlite"])
def store_name(request):
    return request.param


async def walked(product, tracer):
    """(files of one call of each kind, by its name)."""
    wire, holds = product.wire, []
    purchase = await product.paid_checkout("acct", card="4242424242424242")
    for event in await product.events("checkout.session.completed"):
        assert await wire.deliver(event) == "PROCESSED"
    session = Metered(wire)
    await session.open("acct", estimate=tokens(1_000, 500))

    async def hold(_):
        made = await wire.do("HoldCredits", account_id="acct", amount_microcredits=2, ttl="600s")
        holds.append(made.hold.hold_id)

    def capture(number):
        return wire.do("CaptureHold", account_id="acct", hold_id=holds[number], amount_microcredits=1)

    async def reverse(_):
        spent = await wire.do("DeductCredits", account_id="acct", amount_microcredits=CREDIT)
        tracer.files = set()
        await wire.do("ReverseDeduction", account_id="acct", transaction_id=spent.transaction_id)

    calls = {
        "deduction": lambda _: wire.do("DeductCredits", account_id="acct", amount_microcredits=CREDIT),
        "priced deduction": lambda _: wire.do("DeductCredits", account_id="acct", usage=tokens(10, 10)),
        "hold": hold,
        "capture": capture,
        "session tick": lambda number: session.tick(number + 1, tokens(10, 10 + number)),
        "grant": lambda _: wire.do("GrantCredits", account_id="acct", amount_microcredits=1, reason="gift"),
        "reversal": reverse,
        "purchase": lambda _: wire.do("CreatePurchase", account_id="acct", package_code="starter"),
        "refund": lambda _: wire.do("Refund", purchase_id=purchase.purchase_id, amount_minor=10),
    }
    files = {name: await tracer.rounds(call) for name, call in calls.items()}
    await session.close(usage=tokens(10, 20))
    return files


def own(files):
    """Of each call, the files that no call of another kind enters."""
    return {
        name: sorted(
            set(entered)
            - set().union(
                *(others for other, others in files.items() if KINDS.get(other, other) != KINDS.get(name, name))
            )
        )
        for name, entered in files.items()
    }


async def test_the_files_of_a_call(database):
    with Tracer() as tracer:
        async with webhooks_withheld(database.url) as product:
            files = await walked(product, tracer)
    alone = own(files)
    for name, entered in files.items():  # for pytest -s
        print(f"{name}: {len(entered)} files, {len(alone[name])} of its own:")  # noqa: T201
        print(*(f"{'*' if path in alone[name] else ' '} {path}" for path in entered), sep="\n")  # noqa: T201
    assert "commands/sales/refund.py" in alone["refund"]
    assert "domain/spending/deductions.py" in alone["deduction"]
    assert {name: paths for name, paths in alone.items() if len(paths) > OWN_FILES_MAX} == {}
    assert files.keys() == FILES_MAX.keys()
    assert {name: entered for name, entered in files.items() if len(entered) > FILES_MAX[name]} == {}
