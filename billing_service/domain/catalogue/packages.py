"""What is for sale: packages of credits, and custom amounts of money.

List price: one credit for one US cent. A discount is derived against it, never stored.

Reading a catalogue from plain values collects every fault before it complains, and names the entry of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from billing_service.domain.catalogue.currencies import require_step
from billing_service.domain.ledger.amounts import AMOUNT_MAX, MICROCREDITS_PER_CREDIT, shown_credits
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.sales import unknown_package

CUSTOM_AMOUNT_NAME = "Credits"


@dataclass(frozen=True, slots=True)
class Package:
    """Credits at a fixed price. `price_minor` is in the currency's smallest unit."""

    code: str
    name: str
    description: str
    credits_microcredits: int
    price_minor: int
    currency: str
    active: bool
    display_order: int
    stripe_product_id: str | None = None
    stripe_price_id: str | None = None

    def discount_percent(self, custom: "CustomAmounts | None") -> int:
        """Whole per cent below the list price by which custom amounts are sold, rounded down; 0 at or above it, and
        where they are not."""
        if custom is None:
            return 0
        at_list_price = self.price_minor * custom.microcredits_per_minor
        return max(0, (self.credits_microcredits - at_list_price) * 100 // self.credits_microcredits)


@dataclass(frozen=True, slots=True)
class CustomAmounts:
    """How custom amounts are sold: smallest and largest, both allowed, and what one smallest unit of the currency
    buys."""

    min_minor: int = 100
    max_minor: int = 1_000_000
    microcredits_per_minor: int = MICROCREDITS_PER_CREDIT

    def __post_init__(self) -> None:
        if not 1 <= self.min_minor <= self.max_minor:
            raise ValueError(
                f"custom amount limits must satisfy 1 <= min <= max, got {self.min_minor} and {self.max_minor}"
            )
        if not 1 <= self.microcredits_per_minor <= AMOUNT_MAX // self.max_minor:
            raise ValueError(
                f"{self.microcredits_per_minor} microcredits a unit do not fit custom amounts up to {self.max_minor}"
            )


@dataclass(frozen=True, slots=True)
class PurchaseItem:
    """What one purchase sells, fixed for good when the purchase is made. `package_code` is empty for a custom
    amount."""

    package_code: str
    name: str
    description: str
    credits_microcredits: int
    amount_minor: int
    currency: str
    stripe_price_id: str | None


@dataclass(frozen=True, slots=True)
class Catalog:
    """The packages of one deployment, all in one currency, by code."""

    currency: str
    packages: Mapping[str, Package]

    @property
    def on_sale(self) -> tuple[Package, ...]:
        """Active packages by display order, then code."""
        return tuple(sorted((p for p in self.packages.values() if p.active), key=lambda p: (p.display_order, p.code)))

    def cheapest_covering(self, microcredits: int) -> Package | None:
        """The active package of the lowest price that holds as many credits; of equal ones the first on sale."""
        covering = [package for package in self.on_sale if package.credits_microcredits >= microcredits]
        return min(covering, key=lambda package: package.price_minor, default=None)

    def require_currency(self, requested: str) -> None:
        """Refuses with INVALID_FIELD every currency but the catalogue's; empty means the catalogue's."""
        if requested not in ("", self.currency):
            raise invalid_field("currency", f"must be {self.currency!r} or empty")

    def package_item(self, code: str) -> PurchaseItem:
        """The snapshot for a purchase of an active package. Refuses with UNKNOWN_PACKAGE."""
        package = self.packages.get(code)
        if package is None or not package.active:
            raise unknown_package(code)
        return PurchaseItem(
            package_code=package.code,
            name=package.name,
            description=package.description,
            credits_microcredits=package.credits_microcredits,
            amount_minor=package.price_minor,
            currency=package.currency,
            stripe_price_id=package.stripe_price_id,
        )

    def custom_item(self, amount_minor: int, custom: CustomAmounts | None) -> PurchaseItem:
        """The snapshot for a purchase of `amount_minor`, at list price.

        Refuses with INVALID_FIELD an amount outside the limits or off the currency's steps, and any amount without
        `custom`.
        """
        field = "custom_amount_minor"
        if custom is None:
            raise invalid_field(
                field, f"custom amounts are not sold in {self.currency!r}: the service has no amounts stated in it"
            )
        if not custom.min_minor <= amount_minor <= custom.max_minor:
            raise invalid_field(field, f"must be from {custom.min_minor} to {custom.max_minor}")
        require_step(field, amount_minor, self.currency)
        sold_microcredits = amount_minor * custom.microcredits_per_minor
        return PurchaseItem(
            package_code="",
            name=CUSTOM_AMOUNT_NAME,
            description=f"{shown_credits(sold_microcredits)} credits",
            credits_microcredits=sold_microcredits,
            amount_minor=amount_minor,
            currency=self.currency,
            stripe_price_id=None,
        )


def catalog_of(currency: str, packages: Mapping[str, Package]) -> Catalog:
    """A catalogue whose packages can't be changed behind its back."""
    return Catalog(currency=currency, packages=MappingProxyType(dict(packages)))
