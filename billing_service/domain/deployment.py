"""Whose ledger this is: the deployment's id, the marks on its objects at Stripe, and whether its money is real."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

MARK_FIELD: Final = "prepaid_billing_mark"
"""The metadata key that carries a mark at Stripe."""
MARK_KEY_BYTES: Final = 32
MARK_CHARACTERS: Final = 32
"""Hexadecimal digits of a mark: 128 bits."""
_LENGTH_BYTES: Final = 4


class Mode(StrEnum):
    """Whether the money is real."""

    SANDBOX = "sandbox"
    """A stand-in for Stripe."""
    TEST = "test"
    """Stripe's test keys, and Stripe's own sandboxes."""
    LIVE = "live"


CHECKOUT_PREFIXES: Final[Mapping[str, frozenset[Mode]]] = MappingProxyType(
    {"cs_test_": frozenset({Mode.SANDBOX, Mode.TEST}), "cs_live_": frozenset({Mode.LIVE})}
)
"""How Stripe begins the id of a checkout, and the modes in which it does. A ledger older than modes shows its own by
these."""


class MarkKind(StrEnum):
    """What is marked, and by which id of ours."""

    PURCHASE = "purchase"
    """A checkout, its payment and its charge; by the purchase's id."""
    REFUND = "refund"
    """By the refund's id."""
    CUSTOMER = "customer"
    """By the account's id."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One service with one ledger. Others may share its Stripe account, and even its account ids."""

    deployment_id: str
    mark_key: bytes = field(repr=False)
    """Random. Whoever has it can pass objects off as this deployment's."""
    mode: Mode
    """For ever: play money never becomes real money."""
    create_time_us: int
    """When its id was made. What was made earlier may carry no mark, or another deployment's."""

    def mark(self, kind: MarkKind, own_id: str) -> str:
        """What proves at Stripe that this deployment made an object: a keyed hash of its id, the kind and our own id of
        the object."""
        said = _encoded(self.deployment_id, kind, own_id)
        return hmac.new(self.mark_key, said, hashlib.sha256).hexdigest()[:MARK_CHARACTERS]

    def made(self, kind: MarkKind, own_id: str, mark: str) -> bool:
        """Whether `mark` is this deployment's for that object. Takes the same time wherever the two differ."""
        return hmac.compare_digest(self.mark(kind, own_id).encode(), mark.encode())


def _encoded(*parts: str) -> bytes:
    """Each part behind its length, so that no two lists of parts are the same bytes."""
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in map(str.encode, parts))
