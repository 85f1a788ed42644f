"""What a program of the first schema writes to a ledger of this one. It goes on while this program is deployed, and
knows none of the columns that came since. Its rules are repeated here, as far as they differ: it owes what expired,
ends no lot, and restores bonuses into their lots."""

from dataclasses import replace

from billing_service.commands.clawbacks.purchases import money_gone
from billing_service.domain.ledger.chain import link
from billing_service.domain.ledger.ended_lots import back_into_lot
from billing_service.domain.ledger.entries import Entry, Place, TransactionKind
from billing_service.domain.ledger.granting import new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.promotions.referrals import ReferralState
from billing_service.domain.sales.refunds import Refund, RefundStatus
from billing_service.domain.sales.reversals import target_credits
from billing_service.domain.spending.reversals import DeductionToReverse
from billing_service.storage.rows.history import already_reversed, read_transaction, set_reversed
from billing_service.storage.rows.ledger import account_of, fetch_lots, lot_of, order_lots
from billing_service.storage.rows.ledger_statements import (
    LOCK_ACCOUNTS,
    READ_OPEN_LOTS,
)
from billing_service.storage.rows.purchases import (
    PURCHASES,
    REFERRALS,
    REFUNDS,
    read_purchase,
    read_referral,
    refunds_of,
)
from tests.money.older_rows import write_accounts
from tests.money.world import ACCOUNTS


class OlderProgram:
    """Acts on a `world.World` as the older program would."""

    def __init__(self, world):
        self._world, self._environment = world, world.environment

    async def _write(self, account_ids, effect):
        def work():
            found = {row[0]: account_of(row) for row in (yield LOCK_ACCOUNTS(sorted(account_ids)))}
            for row in (yield READ_OPEN_LOTS(list(found))):
                found[row[0]].lots.append(_forgetful(lot_of(row[1:])))
            order_lots(found)
            yield from effect(found)
            yield from write_accounts([account for account in found.values() if account.transactions])

        await self._environment.store.write(work)

    def _post(self, account):
        return Posting(account, self._environment.clock_us())

    def _close(self, posting, kind, source_id=""):
        """In the chain's first format, which is the only one that it knows."""
        account = posting.account
        before = account.last_hash
        transaction = posting.close(self._environment.ids, kind, source_id=source_id)
        transaction.chain_format = 1
        transaction.hash = account.last_hash = link(before, transaction)

    async def sweep(self):
        """Books every lot that has expired."""

        def effect(found):
            for account in found.values():
                posting = self._post(account)
                for lot in account.lots:
                    if lot.remaining and lot.has_expired(posting.now_us):
                        posting.out_of_lot(lot, Place.EXPIRED, lot.remaining)
                if posting.entries:
                    self._close(posting, TransactionKind.EXPIRY)
            yield from ()

        await self._write(ACCOUNTS, effect)

    async def reverse(self, number, amount):
        """Undoes a deduction: what was debt is repaid, or in the first lot; the rest is where it came from."""
        account_id, transaction_id = self._world.deductions[number]

        def effect(found):
            account = found[account_id]
            original = yield from read_transaction(account_id, transaction_id)
            before = yield from already_reversed(account_id, transaction_id)
            deduction = DeductionToReverse(original, before)
            wanted = deduction.wanted(amount)
            yield from _fetch(account, [entry.source for entry in original.entries if entry.source.startswith("lot_")])
            posting = self._post(account)
            for place, back in deduction.standing().undo(wanted):
                if place == Place.DEBT:
                    repaid = min(back, account.debt)
                    if repaid:
                        posting.repay(Place.USAGE, repaid)
                    if back > repaid:
                        posting.into_new_lot(_new_lot(self._environment, back - repaid), Place.USAGE)
                else:
                    back_into_lot(posting, account.known_lot(place), Place.USAGE, back, self._environment.ids)
            posting.settle_debt()
            self._close(posting, TransactionKind.DEDUCTION_REVERSAL, transaction_id)
            yield from set_reversed(account_id, transaction_id, before + wanted)

        await self._write([account_id], effect)

    async def refund(self, number, amount_minor):
        """Begins a refund whose credits are set aside."""
        account_id, purchase_id = self._world.purchases[number]

        def effect(found):
            purchase = yield from read_purchase(account_id, purchase_id)
            if not 0 < amount_minor <= purchase.paid_minor - money_gone(purchase):
                return
            refund = Refund(
                account_id,
                self._environment.ids("ref"),
                purchase_id,
                amount_minor,
                "usd",
                RefundStatus.PENDING,
                0,
                True,
                0,
                0,
                self._environment.ids("re"),
                "",
                self._environment.clock_us(),
            )
            yield from REFUNDS.add(refund)
            refund.reversed, refund.debt = yield from self._follow_money(found, purchase, set_aside=True)
            refund.requires_settlement = refund.reversed > 0
            yield from REFUNDS.replace(refund)

        await self._write(await self._accounts(account_id), effect)

    async def move_refund(self, number, which, status):
        """Stripe says what became of a refund, of whichever program."""
        account_id, purchase_id = self._world.purchases[number]

        def effect(found):
            purchase = yield from read_purchase(account_id, purchase_id)
            made = [refund for refund in (yield from refunds_of(purchase)) if refund.stripe_refund_id]
            if not made:
                return
            refund, status_now = made[which % len(made)], RefundStatus(status)
            if status_now.rank > refund.status.rank:
                refund.status = status_now
            if refund.requires_settlement and refund.status is not RefundStatus.PENDING:
                posting = self._post(found[account_id])
                assert 0 < refund.reversed <= found[account_id].set_aside
                posting.set_aside(-refund.reversed)
                posting.entries.append(Entry(Place.SET_ASIDE, Place.REVERSED, refund.reversed))
                self._close(posting, TransactionKind.REFUND_SETTLEMENT, refund.refund_id)
                refund.requires_settlement = False
            yield from REFUNDS.replace(refund)
            yield from self._follow_money(found, purchase)

        await self._write(await self._accounts(account_id), effect)

    async def dispute(self, number, amount_minor):
        """So much of a purchase's money is out."""
        account_id, purchase_id = self._world.purchases[number]

        def effect(found):
            purchase = yield from read_purchase(account_id, purchase_id)
            purchase.disputed_minor = min(amount_minor, purchase.paid_minor)
            yield from self._follow_money(found, purchase)

        await self._write(await self._accounts(account_id), effect)

    async def _accounts(self, account_id):
        referral = await self._environment.store.read(lambda: read_referral(account_id))
        return [account_id, referral.referrer_account_id] if referral else [account_id]

    def _follow_money(self, found, purchase, *, set_aside=False):
        purchase.refunded_minor = sum(
            refund.amount_minor for refund in (yield from refunds_of(purchase)) if refund.status.counts
        )
        gone, account = money_gone(purchase), found[purchase.account_id]
        change = target_credits(purchase.credits, purchase.paid_minor, gone) - purchase.reversed
        (lot,) = yield from _fetch(account, [purchase.lot_id])
        owed = self._take(account, lot, change, purchase.purchase_id, set_aside=set_aside) if change > 0 else 0
        if change < 0:
            self._give_back(account, lot, -change, TransactionKind.PURCHASE_REINSTATEMENT, purchase.purchase_id)
        purchase.reversed += change
        yield from self._follow_bonus(found, purchase, all_gone=0 < purchase.paid_minor == gone)
        yield from PURCHASES.replace(purchase)
        return max(change, 0), owed

    def _take(self, account, lot, amount, source_id, *, set_aside):
        posting, destination = self._post(account), Place.SET_ASIDE if set_aside else Place.REVERSED
        from_lot = min(amount, lot.remaining)
        if from_lot:
            posting.out_of_lot(lot, destination, from_lot)
        if amount > from_lot:
            posting.borrow(destination, amount - from_lot)
        if set_aside:
            posting.set_aside(amount)
        posting.settle_debt()
        self._close(posting, TransactionKind.PURCHASE_REVERSAL, source_id)
        return amount - from_lot

    def _give_back(self, account, lot, amount, kind, source_id):
        posting, source = self._post(account), Place.BONUSES if kind is TransactionKind.GRANT else Place.REVERSED
        repaid = min(amount, account.debt)
        if repaid:
            posting.repay(source, repaid)
        if amount > repaid:
            back_into_lot(posting, lot, source, amount - repaid, self._environment.ids)
        posting.settle_debt()
        self._close(posting, kind, source_id)

    def _follow_bonus(self, found, purchase, *, all_gone):
        referral = yield from read_referral(purchase.account_id)
        if referral is None or referral.purchase_id != purchase.purchase_id:
            return
        rewarded = referral.state in (ReferralState.REWARDED, ReferralState.QUALIFIED)
        if all_gone == (referral.state is ReferralState.REVERSED) or not (
            rewarded or referral.state is ReferralState.REVERSED
        ):
            return
        referral.referee_taken = yield from self._move_bonus(
            found[referral.account_id],
            referral.referee_lot_id,
            referral.referee_taken,
            purchase.purchase_id,
            all_gone=all_gone,
        )
        referral.referrer_taken = yield from self._move_bonus(
            found[referral.referrer_account_id],
            referral.referrer_lot_id,
            referral.referrer_taken,
            purchase.purchase_id,
            all_gone=all_gone,
        )
        referral.state = ReferralState.REVERSED if all_gone else ReferralState.REWARDED
        yield from REFERRALS.replace(referral)

    def _move_bonus(self, account, lot_id, was_taken, purchase_id, *, all_gone):
        if not lot_id:
            return 0
        (lot,) = yield from _fetch(account, [lot_id])
        if all_gone:
            left = lot.remaining
            if left:
                posting = self._post(account)
                posting.out_of_lot(lot, Place.BONUSES, left)
                self._close(posting, TransactionKind.BONUS_REVERSAL, purchase_id)
            return left
        if was_taken:
            self._give_back(account, lot, was_taken, TransactionKind.GRANT, purchase_id)
        return 0


def _forgetful(lot):
    """The lot without what the program does not know. Records are kept whole: it neither uses nor changes their newer
    columns."""
    return replace(lot, expired=0, ended_to="")


def _new_lot(environment, amount):
    return new_lot(amount, Category.PROMOTIONAL, now_us=environment.clock_us(), ids=environment.ids)


def _fetch(account, lot_ids):
    yield from fetch_lots(account, lot_ids)
    account.lots = [_forgetful(lot) if lot.ended_to or lot.expired else lot for lot in account.lots]
    return [account.known_lot(lot_id) for lot_id in lot_ids]
