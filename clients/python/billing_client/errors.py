"""What a call raises: one class per meaning.

    BillingError                      every error of a call
    ├── Refusal                       the answer is no and nothing moved; the same key may succeed once the cause is gone
    │   ├── InvalidRequest            InvalidField · IdempotencyKeyReused · UnknownPackage · UnknownModel · SignatureRejected
    │   ├── NotFound                  AccountNotFound · PurchaseNotFound · HoldNotFound · ReferralCodeNotFound ·
    │   │                             TransactionNotFound · StripeEventNotFound · ApiKeyNotFound · RefundNotFound
    │   ├── AlreadyExists             AccountExists · ReferralExists
    │   ├── PreconditionFailed        InsufficientCredits · AccountFrozen · PurchaseNotRefundable · CreditsAlreadySpent ·
    │   │                             SelfReferral · ReferralTooLate · HoldExpired · HoldClosed · SpendLimitReached ·
    │   │                             PurchaseNotCancelable · DeductionAlreadyReversed · TransactionNotReversible ·
    │   │                             StripeRefused · BalanceLimitReached
    │   └── AccessDenied              ApiKeyInvalid · ScopeMissing
    └── Failure                       no answer: call again later, a write with the same idempotency key
        ├── Overloaded                the service turned the last attempt away
        ├── DeadlineTooShort          the service did not begin: too little time was left
        ├── ServiceUnreachable        no connection came about, and nothing was sent
        └── OutcomeUnknown            a write may have had its effect, or not; the same key finds out, and never does it twice
            └── StorageUnavailable · StripeUnavailable · Conflict · ShuttingDown · OutcomeOmitted · ServiceDefect

`OutcomeUnknown` itself stands for every answer that is not the service's own (its `reason` is empty): the deadline that passed, the
connection that broke, what a proxy says. It also stands for an attempt that was turned away (its `reason` says why) after an earlier one
that may have had its effect. A read that ends in it had no answer, no more. Wrong arguments (a float for credits, a time without its zone) are TypeError and
ValueError, raised before anything is sent.
"""

from collections.abc import Mapping

import grpc


class BillingError(Exception):
    """A call that did not succeed. The original grpc.RpcError is its `__cause__`."""

    def __init__(
        self,
        message: str,
        *,
        status: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        rpc: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: tuple[tuple[str, str], ...] = (),
        retry_after_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """The service's words, for people."""
        self.status = status
        """The gRPC status."""
        self.rpc = rpc
        """Name of the RPC, such as `DeductCredits`."""
        self.reason = reason
        """Name from the enum `Reason` without its prefix; empty when the answer was not the service's own."""
        self.metadata = dict(metadata or {})
        """The dynamic values of the message, as text."""
        self.violations = violations
        """(field, description) of each bad field."""
        self.retry_after_s = retry_after_s
        """How long the service asks to wait, in seconds; None when it does not say."""
        self.idempotency_key = idempotency_key
        """The key that was sent; None for a read. Call again with it."""

    def __str__(self) -> str:
        return f"{self.rpc}: {self.reason or self.status.name}: {self.message}"

    def _amount(self, name: str) -> int:
        """A number that the contract promises with this reason; KeyError or ValueError when the service breaks that promise."""
        return int(self.metadata[name])


class Refusal(BillingError):  # noqa: N818 - the domain's word
    """The answer is no and nothing moved."""


class Failure(BillingError):  # noqa: N818 - the domain's word
    """There is no answer. Call again later; a write with the same idempotency key."""


class OutcomeUnknown(Failure):
    """A write may have had its effect, or not. Call again with `idempotency_key`: it answers with the effect, and never has two."""


class InvalidRequest(Refusal):
    """The request itself is wrong; it will be as wrong next time."""


class NotFound(Refusal):
    """What the request names does not exist."""


class AlreadyExists(Refusal):
    """What the request would make exists."""


class PreconditionFailed(Refusal):
    """The request is fine, but the state of things does not allow it now."""


class AccessDenied(Refusal):
    """The caller may not do this."""


class InvalidField(InvalidRequest):
    """A field is missing, malformed or out of range; see `violations`."""


class IdempotencyKeyReused(InvalidRequest):
    """The key was spent by a request that says something else."""


class UnknownPackage(InvalidRequest):
    """No active package of that code."""


class UnknownModel(InvalidRequest):
    """The rate card has no price for that model."""


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


class AccountExists(AlreadyExists):
    """The account exists."""


class ReferralExists(AlreadyExists):
    """The account is already bound to a referrer."""


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


class AccountFrozen(PreconditionFailed):
    """An operator froze the account."""


class PurchaseNotRefundable(PreconditionFailed):
    """The purchase is not completed, or its money went back already."""


class CreditsAlreadySpent(PreconditionFailed):
    """The credits that this refund would take back are spent."""

    @property
    def refundable_minor(self) -> int:
        """What can still be refunded, in the currency's smallest unit."""
        return self._amount("refundable_minor")


class SelfReferral(PreconditionFailed):
    """An account can't refer itself, nor one that referred it."""


class ReferralTooLate(PreconditionFailed):
    """A referral must be applied before the account's first completed purchase."""


class HoldExpired(PreconditionFailed):
    """The hold ran out."""


class HoldClosed(PreconditionFailed):
    """The hold was captured or released."""


class SpendLimitReached(PreconditionFailed):
    """The account's spend limit for the window is reached."""


class PurchaseNotCancelable(PreconditionFailed):
    """The purchase was paid, failed, expired or canceled already."""


class DeductionAlreadyReversed(PreconditionFailed):
    """More would be reversed than the deduction took."""

    @property
    def reversible_microcredits(self) -> int:
        return self._amount("reversible_microcredits")


class TransactionNotReversible(PreconditionFailed):
    """The transaction is not a deduction."""


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


class ApiKeyInvalid(AccessDenied):
    """The API key is missing, malformed, unknown, expired or revoked."""


class ScopeMissing(AccessDenied):
    """The caller lacks the scope."""

    @property
    def scope(self) -> str:
        return self.metadata["scope"]


class Overloaded(Failure):
    """The service turned the last attempt away; see `retry_after_s`."""


class DeadlineTooShort(Failure):
    """The service did not begin: too little time was left."""


class ServiceUnreachable(Failure):
    """No connection to the service came about, so nothing of the call was sent: a write had no effect, and its key is free."""


class StorageUnavailable(OutcomeUnknown):
    """The service's database can't be reached, is read-only or full."""


class StripeUnavailable(OutcomeUnknown):
    """Stripe can't be reached or is slow. The same key resumes what was begun."""


class Conflict(OutcomeUnknown):
    """Other writers were in the way for too long."""


class ShuttingDown(OutcomeUnknown):
    """The service is shutting down; another process answers."""


class OutcomeOmitted(OutcomeUnknown):
    """The answer of a batch had no room for this outcome; send the deduction alone, or in a smaller batch."""


class ServiceDefect(OutcomeUnknown):
    """A defect of the service; its logs carry the correlation id too."""

    @property
    def correlation_id(self) -> str:
        return self.metadata["correlation_id"]
