"""The families of events that have an effect here. All that depends on types is drawn from this list: dispatch, metric
labels, docs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from billing_service.stripe_events.families import checkout_session as checkout
from billing_service.stripe_events.families import customer, payment_intent
from billing_service.stripe_events.family import Family
from billing_service.stripe_events.waiting import WAITING

FAMILIES: Final[tuple[Family[Any], ...]] = (checkout.FAMILY, payment_intent.FAMILY, *WAITING, customer.FAMILY)
BY_TYPE: Final[Mapping[str, Family[Any]]] = MappingProxyType(
    {each: family for family in FAMILIES for each in family.types}
)
"""Events of other types are kept and acknowledged."""
