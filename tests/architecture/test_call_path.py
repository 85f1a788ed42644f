"""How many files of the service one call runs through: what a reader must open to follow it."""

import sys
import threading
from pathlib import Path

import pytest

import billing_service
from tests.support.stack import CREDIT
from tests.support.webhooks_withheld import webhooks_withheld

PACKAGE = str(Path(billing_service.__file__).parent) + "/"
APART = ("sandbox/", "jobs/")
"""Stripe's double, and what runs by the clock: they share the process with the call, and are no part of it."""
ROUNDS = 3
DEDUCTION_FILES_MAX, REFUND_FILES_MAX = 30, 50
"""What they are today, so that they only fall. Of a deduction's files the edge has 8, the rules 4, the ledger 6,
storage 7. Of a refund's the edge has 8, its steps 7, the rules 9, the ledger 3, Stripe 5 (a
file for each capability, over its calls), storage 12: one counts what an older program wrote, before anything is
decided."""


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


async def test_the_files_of_a_deduction_and_of_a_refund(database):
    with Tracer() as tracer:
        async with webhooks_withheld(database.url) as product:
            purchase = await product.paid_checkout("acct", card="4242424242424242")
            for event in await product.events("checkout.session.completed"):
                assert await product.wire.deliver(event) == "PROCESSED"
            deducted = await tracer.rounds(
                lambda _: product.wire.do("DeductCredits", account_id="acct", amount_microcredits=CREDIT)
            )
            refunded = await tracer.rounds(
                lambda _: product.wire.do("Refund", purchase_id=purchase.purchase_id, amount_minor=10)
            )
    # For pytest -s.
    print(f"a deduction, {len(deducted)} files:", *deducted, f"a refund, {len(refunded)} files:", *refunded, sep="\n")  # noqa: T201
    assert "commands/sales/refund.py" in refunded
    assert "domain/spending/deductions.py" in deducted
    assert len(deducted) <= DEDUCTION_FILES_MAX, deducted
    assert len(refunded) <= REFUND_FILES_MAX, refunded
