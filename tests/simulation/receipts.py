"""At the end of a world: its receipts add up to what the ledger says was used, and nobody used more than was paid for
and kept, given, or owed."""

import asyncio

from prepaid.billing.v1 import receipts_pb2

from tests.simulation.model import DEDUCTION
from tests.simulation.model_account import expect
from tests.simulation.quiet import finish
from tests.support.books import read_books


async def check_receipts(world):
    """Of every charge."""
    for account_id, account in world.model.accounts.items():
        charges = [line for line in account.history if line.kind == DEDUCTION]
        asked = [
            world.process.begin(
                "get_receipt", receipts_pb2.GetReceiptRequest(account_id=account_id, transaction_id=line.transaction_id)
            )
            for line in charges
        ]
        receipts = [told.receipt for told in await finish(world, asyncio.gather(*asked))]
        for line, receipt in zip(charges, receipts, strict=True):
            _check(account, line, receipt)
        told = sum(receipt.charged_microcredits - receipt.reversed_microcredits for receipt in receipts)
        used = sum(line.moved(into="usage") - line.moved(out_of="usage") for line in account.history)
        expect(told == used, f"{account_id}: receipts come to {told}, the ledger says {used}")
        world.counts["receipt"] += len(receipts)
        world.counts["late capture"] += sum(hold.late for hold in account.holds.values())
        ended = {line.description for line in charges if line.source_id} & {each.key for each in account.holds.values()}
        world.counts["charge of an end"] += len(ended)


def _check(account, line, receipt):
    spent = sum(amount for _, amount in account.spent[line.transaction_id])
    back = account.reversed.get(line.transaction_id, 0)
    found = (receipt.charged_microcredits, receipt.reversed_microcredits, receipt.price.rate_card_version)
    expect(found == (spent, back, line.card), f"{line}: its receipt says {found}, it charged {spent}, {back} came back")
    asked = receipt.charged_microcredits + receipt.uncollected_microcredits
    expect(receipt.amount_microcredits == asked, f"{line}: its receipt does not add up: {receipt}")
    expect(not line.card or receipt.price.amount_microcredits == asked, f"{line}: its price is another: {receipt}")


def check_money(world):
    """Of every account: what it used, has, and let expire is what it is entitled to."""
    for account_id, books in read_books(world.process.store._path).items():
        account = world.model.accounts[account_id]
        adjusted = sum(line.moved(out_of="adjustments") - line.moved(into="adjustments") for line in account.history)
        entitled = books.kept + books.granted + books.bonuses + books.debt + adjusted
        has = books.used + books.left + books.expired
        expect(not books.problems, f"{account_id}: {books.problems}")
        expect(has == entitled, f"{account_id}: entitled to {entitled}, and {has} are used, there or expired: {books}")
