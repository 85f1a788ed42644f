"""One ledger, and what may happen to it: every command that moves credits, run as the service runs it, without a
network."""

from itertools import count

from billing_service.commands.accounts.operate import GrantCredits, SetLimits, grant_credits, set_limits
from billing_service.commands.clawbacks.purchases import follow_money, purchase_accounts
from billing_service.commands.promotions.apply_referral import ApplyReferral, apply_referral
from billing_service.commands.sales.completion import apply_update
from billing_service.commands.sales.refund import RefundPurchase, refund_purchase
from billing_service.commands.sales.refund_update import RefundUpdate, apply_refund_update
from billing_service.commands.spending.correct_charges import CorrectCharges, correct_account
from billing_service.commands.spending.rerate_usage import PricedAgain, Window
from billing_service.commands.spending.reverse_deduction import ReverseDeduction, reverse
from billing_service.domain.catalogue.usage_kinds import UsageKind
from billing_service.domain.ledger.chain import SALT_BYTES
from billing_service.domain.ledger.lots import Category
from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.refusals import Refusal
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus, PurchaseUpdate
from billing_service.domain.sales.refunds import RefundStatus
from billing_service.domain.sales.reversals import RefundPolicy
from billing_service.domain.sales.terms import SaleTerms
from billing_service.domain.spending.deductions import DeductionMode, SpendingTerms
from billing_service.domain.spending.holds import Author, HoldMode, HoldTerms
from billing_service.domain.spending.price_records import PricedUsage
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis
from billing_service.domain.spending.rerating import ChargedUsage, standing_of
from billing_service.domain.spending.usage import usage_of
from billing_service.jobs.expiry import sweep_ended_holds, sweep_expired
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from billing_service.ledger.operations.deduct import Deduct
from billing_service.ledger.operations.holds import CaptureHold, ExtendHold, HoldCredits, ReleaseHold
from billing_service.ledger.unit import Caller, Request, begin
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.storage.rows.ledger import fetch_lots
from billing_service.storage.rows.ledger_statements import REWRITE_LOTS
from billing_service.storage.rows.purchases import PURCHASES, claim_reference, read_purchase, refunds_of
from tests.support.doubles import FakeClock
from tests.support.environments import environment_of

BONUS, MINIMUM_MINOR = 10, 10
POLICY = ReferralPolicy(bonus_microcredits=BONUS, minimum_purchase_minor=MINIMUM_MINOR, vesting_delay_us=5)
TERMS = SaleTerms(promotion_codes_allowed=False, stripe_price_id=None, referral=POLICY).encode()
SPENDING = SpendingTerms(debt_max=15, reversal_window_us=0, returned_lifetime_us=30)
OPERATOR = Caller("ops", "", "test", is_admin=True)
REFERRER, REFEREES = "ann", ("ben", "cem")
ACCOUNTS = (REFERRER, *REFEREES)
E18_PER_MICROCREDIT = 10**10


class Ids:
    """In the order in which they are made, whatever their prefix: ids of the two worlds sort alike."""

    def __init__(self):
        self._numbers = count(1)

    def __call__(self, prefix):
        return f"{prefix}_{next(self._numbers):08d}"

    def salt(self):
        return next(self._numbers).to_bytes(SALT_BYTES, "big")


class Stripe:
    """All that this world uses of Stripe: it answers each refund with what the test decided."""

    def __init__(self):
        self.status = "succeeded"
        self._numbers = count(1)

    async def create_refund(self, *, refund_id, purchase_id, amount_minor, **_others):
        if self.status == "refused":
            raise ProviderRefused("charge_disputed", "no")
        name = f"re_{next(self._numbers)}"
        return ProviderRefund(name, self.status, amount_minor, "usd", None, None, refund_id, purchase_id)

    async def list_refunds(self, _payment_intent_id):
        return []


AUTHOR = Author("ops")


class World:
    """A ledger of three accounts: one referred the two others."""

    def __init__(self, store):
        self.clock, self.stripe, self._keys = FakeClock(), Stripe(), count(1)
        self.deductions, self.purchases, self.holds = [], [], []
        """(account, transaction id), (account, purchase id) and (account, hold id), in the order in which they were
        made."""
        ids, codes = Ids(), count()
        self.environment = environment_of(
            store,
            self.clock,
            ids,
            refunds=self.stripe,
            referrals=POLICY,
            spending=SPENDING,
            random_bytes=lambda size: next(codes).to_bytes(size, "big"),
        )

    async def begin(self):
        for account_id in ACCOUNTS:
            await self.grant(account_id, 1, None)
        for referee in REFEREES:
            command = ApplyReferral(self._request(referee, "ApplyReferral"), referee, "AAAAAAAA", lambda _: b"")
            await apply_referral(self.environment, command)

    async def close(self):
        await self.environment.writer.close()
        await self.environment.balances.close()

    def _request(self, account_id, method):
        key = IdempotencyKey(account_id, f"k{next(self._keys)}", f"ops/{method}", fingerprint(method))
        return Request(key, OPERATOR)

    async def do(self, action, *arguments):
        """Runs one of the methods below; a refusal is an answer, too."""
        try:
            return await getattr(self, action)(*arguments)
        except Refusal as refusal:
            return refusal.reason

    async def shown(self):
        return [(await self.environment.balances.balance(account_id))._replace(version=0) for account_id in ACCOUNTS]

    async def grant(self, account_id, amount, lasts_us):
        ends = None if lasts_us is None else self.clock() + lasts_us
        request = self._request(account_id, "GrantCredits")
        command = GrantCredits(
            request, account_id, amount, Category.PROMOTIONAL, ends, None, 50, "gift", lambda *_: b""
        )
        await grant_credits(self.environment, command)

    async def deduct(self, account_id, amount, mode):
        key = self._request(account_id, "DeductCredits").key
        made = []

        def encode(deducted, _shown):
            made.append(deducted.transaction_id)
            return b""

        await self.environment.writer.submit(
            Deduct(account_id, amount, DeductionMode(mode), key, "ops", "", "", encode)
        )
        self.deductions.append((account_id, made[-1]))

    async def hold(self, account_id, amount, lasts_us, expiry_capture):
        key, made = self._request(account_id, "HoldCredits").key, []
        asked = HoldTerms(amount, HoldMode.UP_TO_AVAILABLE, 1, lasts_us, expiry_capture)
        encode = lambda changed, _shown: made.append(changed.hold.hold_id) or b""  # noqa: E731
        await self.environment.writer.submit(HoldCredits(account_id, asked, key, AUTHOR, encode))
        self.holds.append((account_id, made[-1]))

    async def capture(self, number, amount, over_hold, final):
        account_id, hold_id = self.holds[number]
        key, made = self._request(account_id, "CaptureHold").key, []
        encode = lambda captured, _shown: made.append(captured) or b""  # noqa: E731
        operation = CaptureHold(account_id, hold_id, amount, final, over_hold, key, AUTHOR, encode)
        await self.environment.writer.submit(operation)
        if made[-1].amount:
            self.deductions.append((account_id, made[-1].transaction_id))

    async def release(self, number):
        account_id, hold_id = self.holds[number]
        key = self._request(account_id, "ReleaseHold").key
        await self.environment.writer.submit(ReleaseHold(account_id, hold_id, key, AUTHOR, lambda *_: b""))

    async def extend(self, number, more, lasts_us):
        account_id, hold_id = self.holds[number]
        key = self._request(account_id, "ExtendHold").key
        operation = ExtendHold(account_id, hold_id, more, lasts_us, key, AUTHOR, lambda *_: b"")
        await self.environment.writer.submit(operation)

    async def book_holds(self):
        """A reader does not make good what a bonus lot that was taken back sends on; whoever books does."""
        await sweep_ended_holds(self.environment)

    async def reverse(self, number, amount):
        account_id, transaction_id = self.deductions[number]
        request = self._request(account_id, "ReverseDeduction")
        command = ReverseDeduction(request, account_id, transaction_id, amount, "", lambda *_: b"")
        await reverse(self.environment, command)

    async def rerate(self, number, microcredits):
        """A new card says what the usage of a deduction costs."""
        account_id, transaction_id = self.deductions[number]
        request = self._request(account_id, "ReRate")
        usage = usage_of(provider="p", model="m", lines=[(UsageKind.INPUT_TOKENS, "", 1)])
        line = PricedLine(usage.lines[0].measure, 1, microcredits * E18_PER_MICROCREDIT)
        price = Price(f"card-{next(self._keys)}", "m", "", 0, (line,), None, 0, TimeBasis.RECEIVED)
        charged = ChargedUsage(account_id, transaction_id, 0, PricedUsage(usage, price), standing_of(0, 0, 0))
        window = Window("", price.rate_card_version, 0, 1)
        command = CorrectCharges(request, lambda _: request, window, "", 1, "why", lambda _: b"", lambda _: b"")
        await correct_account(self.environment, command, account_id, [PricedAgain(charged, price)])

    async def buy(self, account_id, sold, paid_minor, net_minor, lasts_us):
        purchase_id = self.environment.ids("pur")
        row = Purchase(
            account_id,
            purchase_id,
            "",
            "",
            "",
            sold,
            net_minor or 1,
            "usd",
            PurchaseStatus.PENDING,
            0,
            "",
            "",
            f"pi_{purchase_id}",
            0,
            0,
            0,
            0,
            "",
            "",
            "",
            "",
            self.clock(),
            0,
            None,
            terms=TERMS,
        )

        def pay():
            unit = yield from begin(self.environment.sources, (yield from purchase_accounts(account_id)))
            yield from PURCHASES.add(row)
            yield from claim_reference(purchase_id, account_id, purchase_id)
            yield from apply_update(
                self.environment, unit, row, PurchaseUpdate.PAID, paid_minor=paid_minor, net_paid_minor=net_minor
            )
            yield from unit.write()
            if lasts_us is not None:
                yield from fetch_lots(unit.account(account_id), [row.lot_id])
                lot = unit.account(account_id).known_lot(row.lot_id)
                ends_us = self.clock() + lasts_us
                yield REWRITE_LOTS.many(
                    [(account_id, lot.lot_id, lot.remaining, 1 if lot.remaining else 0, ends_us, 0, "", 0)]
                )

        await self.environment.store.write(pay)
        self.purchases.append((account_id, purchase_id))

    async def refund(self, number, policy, amount_minor, status):
        account_id, purchase_id = self.purchases[number]
        self.stripe.status = status
        request = self._request(account_id, "Refund")
        command = RefundPurchase(lambda _: request, purchase_id, amount_minor, RefundPolicy(policy), "", lambda *_: b"")
        await refund_purchase(self.environment, command)

    async def move_refund(self, number, which, status):
        """Stripe says what became of a refund of a purchase."""
        account_id, purchase_id = self.purchases[number]

        def move():
            unit = yield from begin(self.environment.sources, (yield from purchase_accounts(account_id)))
            purchase = yield from read_purchase(account_id, purchase_id)
            refunds = [each for each in (yield from refunds_of(purchase)) if each.stripe_refund_id]
            if refunds:
                refund = refunds[which % len(refunds)]
                update = RefundUpdate(
                    refund.stripe_refund_id,
                    refund.refund_id,
                    refund.amount_minor,
                    "usd",
                    RefundStatus(status),
                    is_ours=True,
                )
                yield from apply_refund_update(self.environment, unit, purchase, update)
                yield from unit.write()

        await self.environment.store.write(move)

    async def dispute(self, number, amount_minor):
        """So much of a purchase's money is out; 0: the dispute was won."""
        account_id, purchase_id = self.purchases[number]

        def follow():
            unit = yield from begin(self.environment.sources, (yield from purchase_accounts(account_id)))
            purchase = yield from read_purchase(account_id, purchase_id)
            purchase.disputed_minor = min(amount_minor, purchase.paid_minor)
            yield from follow_money(self.environment, unit, purchase)
            yield from unit.write()

        await self.environment.store.write(follow)

    async def freeze(self, account_id, frozen):
        command = SetLimits(
            self._request(account_id, "FreezeAccount"), account_id, frozen, None, None, "", lambda _: b""
        )
        await set_limits(self.environment, command)

    async def sweep(self):
        await sweep_expired(self.environment)
