"""What a call raises: one class per meaning.

    BillingError                  every error of a call
    ├── Refusal                   the answer is no and nothing moved; the same key may succeed once the cause is gone
    │   ├── InvalidRequest        InvalidField · IdempotencyKeyReused · UnknownPackage · UnknownModel · PriceMissing ·
    │   │                         SignatureRejected
    │   ├── NotFound              AccountNotFound · PurchaseNotFound · HoldNotFound · ReferralCodeNotFound ·
    │   │                         TransactionNotFound · StripeEventNotFound · ApiKeyNotFound · RefundNotFound ·
    │   │                         RateCardNotFound · StripeCustomerNotFound
    │   ├── AlreadyExists         AccountExists · ReferralExists · RateCardExists · StripeCustomerTaken
    │   ├── PreconditionFailed    InsufficientCredits · AccountFrozen · PurchaseNotRefundable · CreditsAlreadySpent ·
    │   │                         SelfReferral · ReferralTooLate · HoldExpired · HoldClosed · HoldOwned ·
    │   │                         SessionTakenOver · TooManyHolds · TooManySpendLimits · SpendLimitReached ·
    │   │                         PurchaseNotCancelable · DeductionAlreadyReversed · TransactionNotReversible ·
    │   │                         StripeRefused · BalanceLimitReached · ReversalTooLate · PositionExpired ·
    │   │                         StripeCustomerDeleted
    │   └── AccessDenied          ApiKeyInvalid · ScopeMissing · NotYours · AccountNotAllowed ·
    │                             SpenderNotAllowed
    └── Failure                   no answer: call again later, a write with the same idempotency key
        ├── Overloaded            the service turned the last attempt away
        ├── DeadlineTooShort      the service did not begin: too little time was left
        ├── ServiceUnreachable    no connection came about, and nothing was sent
        └── OutcomeUnknown        a write may have had its effect, or not; the same key finds out, and never does it
            │                     twice
            └── StorageUnavailable · StripeUnavailable (of which StripeKeyRefused) · Conflict · ShuttingDown ·
                OutcomeOmitted · ServiceDefect

`OutcomeUnknown` itself is raised for every answer that is not the service's own: a deadline that passed, a connection
that broke, an answer of a proxy. Its `reason` is then empty. It is also raised for an attempt that was turned away
after an earlier one that may have had its effect. Its `reason` then says why. A read that ends in it had no answer, no
more. Wrong arguments (a float for credits, a time without its zone) are TypeError and ValueError, raised before
anything is sent.
"""

from billing_client.errors.failures import *  # noqa: F403 - each module defines error classes alone
from billing_client.errors.families import *  # noqa: F403 - same
from billing_client.errors.refusals import *  # noqa: F403 - same
