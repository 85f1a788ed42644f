"""What the model knows of a referral's bonuses: taken back whole of the buyer, as far as left of the referrer, and
restored."""

from functools import partial

from tests.simulation.model_account import ModelBonus, ModelLot, ModelTaken, expect

PROMOTIONAL = 1


def grant(account, line, *, bonus, vesting_us, lifetime_us):
    """The bonus of a referral, once for each side; or what was taken of it, back again."""
    known = account.bonuses.get(line.source_id)
    if known is None:
        due_us = line.now_us + vesting_us
        lot_id = account.fill(line, bonus, category=PROMOTIONAL, effective_us=due_us if vesting_us else 0)
        account.bonuses[line.source_id] = ModelBonus(account.lots[lot_id], due_us)
    elif known.good:
        _make_good(account, line, known, lifetime_us)
    else:
        expect(known.taken is not None, f"{line}: a second bonus for one purchase")
        _restore(account, line, known)
    account.settle(line.now_us)


def take(account, line):
    """Ends the bonus's lot. The buyer owes what was spent of it: from the purchase's credits, then as debt."""
    bonus = account.bonuses[line.source_id]
    expect(bonus.taken is None, f"{line}: the bonus is taken already")
    lot, bonus.taken = bonus.lot, ModelTaken(lot=bonus.lot.left)
    spent, lot.left, lot.ended_to = lot.amount - lot.left, 0, bonus
    lot.expires_us = min(lot.expires_us, line.now_us)
    if line.source_id in account.purchase_lots:
        bought = account.lots[account.purchase_lots[line.source_id]]
        bonus.taken.purchase = min(spent, bought.left)
        bought.left -= bonus.taken.purchase
        bonus.taken.debt = spent - bonus.taken.purchase
        account.debt += bonus.taken.debt
    account.settle(line.now_us)


def _restore(account, line, bonus):
    due_us = bonus.due_us if bonus.due_us > line.now_us else 0
    lot = ModelLot("", bonus.lot.amount, PROMOTIONAL, line.now_us, effective_us=due_us)
    bonus.lot.ended_to, bonus.lot, taken, bonus.taken = lot, lot, bonus.taken, None

    def joins(amount, _payers):
        lot.left += amount

    account.give_back_debt(taken.debt, line.source_id, line, joins)
    if taken.purchase:
        account.refill(account.lots[account.purchase_lots[line.source_id]], taken.purchase, line)
    lot.left += taken.lot
    if lot.left and not lot.lot_id:
        account.name(
            lot, next(place for _, place, _ in line.entries if place.startswith("lot_") and place not in account.lots)
        )


def _make_good(account, line, bonus, lifetime_us):
    good = bonus.good.pop(0)
    debt = min(good, bonus.taken.debt)
    bonus.taken.debt -= debt
    bonus.taken.purchase -= good - debt
    account.give_back_debt(debt, line.source_id, line, partial(account.fill_unknown, line, lifetime_us=lifetime_us))
    if good > debt:
        account.refill(account.lots[account.purchase_lots[line.source_id]], good - debt, line)
