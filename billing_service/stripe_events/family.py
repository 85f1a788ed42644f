"""What a family of events is: the types that are about one of Stripe's objects, and all that is done with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from billing_service.commands.environment import Environment
from billing_service.domain.deployment import Deployment
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.fields import ObjectInvalid, StripeObject
from billing_service.storage.statements import Work
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.ownership import Claim, Owner
from billing_service.stripe_events.result import Result
from billing_service.stripe_events.runs import Runs

Object = TypeVar("Object", bound=StripeObject)


class NoEffect(NamedTuple):
    """The event is of a handled type, and no rule needs it."""

    note: str


class Occasion(NamedTuple):
    """What an event adds to its object. An object that Stripe was asked for has none of it."""

    event_type: str = ""
    time_us: int | None = None
    """When Stripe made the event; None where it has no time."""


@dataclass(frozen=True, slots=True)
class Family(Generic[Object]):
    """The events about one kind of object."""

    kind: str
    """Stripe's name of the object."""
    types: tuple[str, ...]
    read: Callable[[Envelope], Object | NoEffect]
    """The event's object, with all that a rule needs. Raises ObjectInvalid."""
    owner: Callable[[Deployment, Claim], Work[Owner]]
    """Whose object it is."""
    handle: Callable[[Environment, Owner, Object, Occasion, Runs], Work[Result]]
    """Applies an object that is ours, with or without an event."""
    moves_money: Callable[[Object, Occasion], bool] = lambda _object, _occasion: True
    """Whether it says that money came or went."""
    apply: Callable[[Environment, Unit, Purchase, Object, Runs], Work[Result]] | None = None
    """Applies an object that waited until the purchase knew its payment. The caller writes the unit. None: nothing of
    it waits."""


def same_mode(envelope: Envelope, livemode: bool | None) -> bool:
    """The object's own mode, which is the event's. Objects of some old versions have none. Raises ObjectInvalid."""
    if livemode not in (None, envelope.livemode is True):
        raise ObjectInvalid("livemode of the event and of its object differ")
    return envelope.livemode is True
