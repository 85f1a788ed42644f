"""Every way in which the answer is no."""

from datetime import datetime

from billing_client.errors.families import AccessDenied, AlreadyExists, InvalidRequest, NotFound, PreconditionFailed


class InvalidField(InvalidRequest):
    """A field is missing, malformed or out of range; see `violations`."""


class IdempotencyKeyReused(InvalidRequest):
    """The key was spent by a request that says something else."""

    @property
    def transaction_id(self) -> str:
        """Of a charge, the transaction by which another method charged the usage already; empty otherwise."""
        return self.metadata.get("transaction_id", "")


class UnknownPackage(InvalidRequest):
    """No active package of that code."""


class UnknownModel(InvalidRequest):
    """The rate card has no entry for that model of that provider."""


class PriceMissing(InvalidRequest):
    """The rate card has the model, and lacks a price that the usage needs: of a kind, a service tier or an
    attribute."""

    @property
    def missing(self) -> str:
        """What has no price, in the words of a card file: `output_tokens`, `service_tier flex`, `attribute
        region=us`."""
        return self.metadata.get("missing", "")


class SignatureRejected(InvalidRequest):
    """Stripe's signature does not fit the payload, or its time is too far away."""


class AccountNotFound(NotFound):
    """No such account."""


class PurchaseNotFound(NotFound):
    """No such purchase."""


class HoldNotFound(NotFound):
    """No such hold."""


class ReferralCodeNotFound(NotFound):
    """No account has that referral code."""


class TransactionNotFound(NotFound):
    """The account has no transaction of that id."""


class StripeEventNotFound(NotFound):
    """No such Stripe event in the inbox."""


class ApiKeyNotFound(NotFound):
    """No such API key."""


class RefundNotFound(NotFound):
    """No such refund."""


class RateCardNotFound(NotFound):
    """No such rate card."""


class StripeCustomerNotFound(NotFound):
    """Stripe has no such customer, or has it in the other mode."""


class AccountExists(AlreadyExists):
    """The account exists."""


class ReferralExists(AlreadyExists):
    """The account is already bound to a referrer."""


class StripeCustomerTaken(AlreadyExists):
    """The Stripe customer is or was another account's, or another deployment marked it."""


class RateCardExists(AlreadyExists):
    """A rate card has this version already, and a version never changes."""


class InsufficientCredits(PreconditionFailed):
    """Not enough credits. All amounts are in microcredits."""

    @property
    def available_microcredits(self) -> int:
        return self._amount("available_microcredits")

    @property
    def required_microcredits(self) -> int:
        return self._amount("required_microcredits")

    @property
    def shortfall_microcredits(self) -> int:
        return self._amount("shortfall_microcredits")

    @property
    def debt_max_microcredits(self) -> int | None:
        """What a deduction with ALLOW_DEBT may bring the debt to; None for every other call."""
        return self._amount("debt_max_microcredits") if "debt_max_microcredits" in self.metadata else None

    @property
    def affordable_output_tokens(self) -> int | None:
        """How many output tokens the usage could have, all other lines as they are; None where a plain amount was asked
        for, or output tokens cost nothing."""
        return self._amount("affordable_output_tokens") if "affordable_output_tokens" in self.metadata else None

    @property
    def package_code(self) -> str | None:
        """The cheapest package that covers what is short of a usage's price; None where there is none."""
        return self.metadata.get("package_code")


class AccountFrozen(PreconditionFailed):
    """An operator froze the account."""


class PurchaseNotRefundable(PreconditionFailed):
    """The purchase is not completed, or its money went back already."""


class CreditsAlreadySpent(PreconditionFailed):
    """The credits that this refund would take back are spent, or held."""

    @property
    def refundable_minor(self) -> int:
        """What can still be refunded, in the currency's smallest unit."""
        return self._amount("refundable_minor")

    @property
    def held_microcredits(self) -> int:
        """What open holds reserve of the purchase's credits: more may be refunded once they end."""
        return int(self.metadata.get("held_microcredits", 0))


class SelfReferral(PreconditionFailed):
    """An account can't refer itself, nor one that referred it."""


class ReferralTooLate(PreconditionFailed):
    """A referral must be applied before the account's first completed purchase."""


class HoldExpired(PreconditionFailed):
    """The hold's time is up, and nothing is reserved any more."""


class HoldClosed(PreconditionFailed):
    """The hold was captured or released, or captured late."""

    @property
    def state(self) -> str:
        """What it ended as: `CAPTURED`, `RELEASED` or `EXPIRED`."""
        return self.metadata["state"]


class TooManyHolds(PreconditionFailed):
    """The account has as many open holds as it may have."""

    @property
    def open_holds_max(self) -> int:
        return self._amount("open_holds_max")


class HoldOwned(PreconditionFailed):
    """The hold belongs to a session, which its owner alone captures, extends and releases."""


class SessionTakenOver(PreconditionFailed):
    """Another stream resumed the session. What was acknowledged stays, and the other stream closes it."""


class SpendLimitReached(PreconditionFailed):
    """A spend limit of the account or of a spender has no room."""

    @property
    def spender_id(self) -> str:
        """Whose limit it is; empty for the account itself."""
        return self.metadata.get("spender_id", "")

    @property
    def window(self) -> str:
        """DAY, MONTH or NONE."""
        return self.metadata["window"]

    @property
    def left_microcredits(self) -> int:
        return self._amount("left_microcredits")

    @property
    def reset_time(self) -> datetime | None:
        """When the window ends; None for a limit whose window never does."""
        text = self.metadata.get("reset_time")
        return datetime.fromisoformat(text) if text else None


class PurchaseNotCancelable(PreconditionFailed):
    """The purchase was paid, failed, expired or canceled already."""


class DeductionAlreadyReversed(PreconditionFailed):
    """More would be reversed than the deduction took."""

    @property
    def reversible_microcredits(self) -> int:
        return self._amount("reversible_microcredits")


class TransactionNotReversible(PreconditionFailed):
    """The transaction is not a deduction."""


class StripeCustomerDeleted(PreconditionFailed):
    """The customer was deleted at Stripe."""


class StripeRefused(PreconditionFailed):
    """Stripe said no, for good."""

    @property
    def stripe_code(self) -> str:
        return self.metadata["stripe_code"]


class BalanceLimitReached(PreconditionFailed):
    """The balance would pass the largest that an account may hold."""

    @property
    def balance_max_microcredits(self) -> int:
        return self._amount("balance_max_microcredits")


class ReversalTooLate(PreconditionFailed):
    """The deduction is older than this caller may reverse. One with the scope admin may."""

    @property
    def reversal_window_s(self) -> int:
        """How old a deduction may be, in seconds."""
        return self._amount("reversal_window_s")


class PositionExpired(PreconditionFailed):
    """Events after the position are kept no longer. Read the state of your accounts, then begin without a position."""


class ApiKeyInvalid(AccessDenied):
    """The API key is missing, malformed, unknown, expired or revoked."""


class ScopeMissing(AccessDenied):
    """The caller lacks the scope."""

    @property
    def scope(self) -> str:
        return self.metadata["scope"]


class NotYours(AccessDenied):
    """Another caller made the deduction. One with the scope admin may reverse it."""


class AccountNotAllowed(AccessDenied):
    """The API key is bound to accounts, and the call is about none of them. Nothing says whether what it names
    exists."""


class SpenderNotAllowed(AccessDenied):
    """The API key is bound to spenders, and so sets no limits."""


class TooManySpendLimits(PreconditionFailed):
    """The account has as many spend limits as it may have: remove one."""
