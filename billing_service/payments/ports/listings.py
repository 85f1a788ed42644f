"""What the payment provider has, to be compared with the ledger."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class Listed(NamedTuple):
    """One page of a list, the newest first. Objects are as the provider sent them: `payments.objects` reads them."""

    objects: Sequence[Mapping[str, Any]]
    next_after: str
    """Where the next page begins; empty on the last."""


class Listings(Protocol):
    """Lists objects and events, and reads single ones. Pages have at most 100; `after` is empty for the first one.
    Raises ProviderBusy where too much was asked."""

    async def list_created(self, kind: str, since_us: int, until_us: int, after: str) -> Listed:
        """Objects of a kind (the provider's word for it) that were made from `since_us` on and before `until_us`, both
        cut to whole seconds. A checkout comes with its payment inside."""
        ...

    async def list_of_payment(self, kind: str, payment_intent_id: str) -> Listed:
        """The newest 100 objects of a kind that are about a payment."""
        ...

    async def list_undelivered_events(self, types: Sequence[str], since_us: int, until_us: int, after: str) -> Listed:
        """Events of at most 20 types that some endpoint has not taken, which includes those on their way. The provider
        forgets events after 30 days, and words them in another version of its API than deliveries."""
        ...

    async def get_object(self, kind: str, object_id: str) -> Mapping[str, Any]:
        """One object as it is now; a checkout with its payment inside. Refused as `resource_missing` where there is
        none."""
        ...
