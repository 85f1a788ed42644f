"""Every way in which there is no answer."""

from billing_client.errors.families import Failure, OutcomeUnknown


class Overloaded(Failure):
    """The service turned the last attempt away; see `retry_after_s`."""


class DeadlineTooShort(Failure):
    """The service did not begin: too little time was left."""


class ServiceUnreachable(Failure):
    """No connection to the service came about, so nothing of this call was sent, and it had no effect.

    An earlier call with the same key may have had one: whoever repeats an unknown outcome still does not know.
    """


class StorageUnavailable(OutcomeUnknown):
    """The service's database can't be reached, is read-only or full."""


class StripeUnavailable(OutcomeUnknown):
    """Stripe can't be reached or is slow. The same key resumes what was begun."""


class StripeKeyRefused(StripeUnavailable):
    """Stripe refuses the service's own API key. Its operator must mend it; the same key resumes what was begun then."""


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
