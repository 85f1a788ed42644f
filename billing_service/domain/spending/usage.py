"""What one request to one model used, checked before it is priced."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from billing_service.domain.catalogue.exact_decimals import scaled
from billing_service.domain.catalogue.usage_kinds import PROMPT_KINDS, Measure, UsageKind, measure
from billing_service.domain.refusals import Refusal, invalid_field

QUANTITY_MAX: Final = 10**12
LINES_MAX: Final = 100
NAME_CHARACTERS_MAX: Final = 256
"""Of a provider, a model, a service tier, and of an attribute's name and value."""
ATTRIBUTES_MAX: Final = 16
PROVIDER_COST_USD_MAX: Final = 1_000
PROVIDER_COST_DECIMALS: Final = 18
USAGE_EMPTY: Final = "USAGE_EMPTY: a usage needs a line with a quantity above 0, or the provider's own cost"


class Measurement(IntEnum):
    """How sure the quantities are. The numbers are the wire's."""

    MEASURED = 1
    """The provider counted them."""
    ESTIMATED = 2
    """The caller estimated them, because the provider sent no usage."""


class UsageLine(NamedTuple):
    """How much of one measure. SECONDS count in thousandths."""

    measure: Measure
    quantity: int


_MEASUREMENTS: Final = {int(measurement): measurement for measurement in Measurement}


@dataclass(slots=True)
class Usage:
    """One request to one model of one provider. Made by `usage_of`: lines are above 0, in the order of kinds, each
    measure once. Nobody changes it; see `pricing.Price`."""

    provider: str
    model: str
    lines: tuple[UsageLine, ...]
    service_tier: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """What else chooses a price (region, speed, …), sorted by name; none has an empty value."""
    provider_cost_e18: int | None = None
    """What the provider says that the request cost, in 1e-18 USD."""
    occur_time_us: int | None = None
    """When the request was made; chooses the price, and nothing else."""
    request_id: str = ""
    """The caller's or the provider's name of the request. Evidence: it chooses nothing, and is no key."""
    measurement: Measurement = Measurement.MEASURED

    @property
    def meaning(self) -> tuple[object, ...]:
        """What makes it the same usage again, as plain values."""
        lines = [[line.measure.kind, line.measure.variant, line.quantity] for line in self.lines]
        return (
            *(self.provider, self.model, self.service_tier, self.attributes, lines, self.request_id, self.measurement),
            None if self.provider_cost_e18 is None else str(self.provider_cost_e18),
            self.occur_time_us,
        )

    @property
    def prompt_tokens(self) -> int:
        """The size of the whole prompt, which chooses the prompt tier."""
        return sum(line.quantity for line in self.lines if line.measure.kind in PROMPT_KINDS)


def usage_of(
    *,
    provider: str,
    model: str,
    lines: Iterable[tuple[int, str, int]],
    service_tier: str = "",
    attributes: Mapping[str, str] | None = None,
    provider_cost_usd: str = "",
    occur_time_us: int | None = None,
    request_id: str = "",
    measurement: int = Measurement.MEASURED,
    field: str = "usage",
) -> Usage:
    """The usage that a caller names, each line as kind, variant and quantity. Lines of 0 are dropped, and so are empty
    attributes.

    Raises INVALID_FIELD, naming the field under `field`, for a provider or model that is missing or not printable, and
    for an unknown kind or variant. Likewise for a quantity outside 0 to 10^12, a measure that is there twice, and too
    many lines or attributes. Likewise for a provider's cost outside 0 to 1,000 USD (both excluded) or with more than 18
    decimals, and for a usage in which nothing was used, and for an unknown measurement.
    """
    if not provider or not model:
        raise invalid_field(f"{field}.{'model' if provider else 'provider'}", "is required")
    if not (_is_name(provider) and _is_name(model) and _is_name(service_tier) and _is_name(request_id)):
        names = (("provider", provider), ("model", model), ("service_tier", service_tier), ("request_id", request_id))
        raise next(_bad_name(f"{field}.{name}", value) for name, value in names if not _is_name(value))
    measured = _MEASUREMENTS.get(measurement)
    if measured is None:
        raise invalid_field(f"{field}.measurement", "is a value that this service does not know")
    kept = _lines(lines, f"{field}.lines")
    cost_e18 = _provider_cost(provider_cost_usd, f"{field}.provider_cost_usd") if provider_cost_usd else None
    if not kept and cost_e18 is None:
        raise invalid_field(f"{field}.lines", USAGE_EMPTY)
    return Usage(
        provider,
        model,
        kept,
        service_tier,
        _attributes(attributes, f"{field}.attributes") if attributes else (),
        cost_e18,
        occur_time_us,
        request_id,
        measured,
    )


def _lines(lines: Iterable[tuple[int, str, int]], field: str) -> tuple[UsageLine, ...]:
    given = tuple(lines)
    order = _order_of(tuple([line[:2] for line in given])) if len(given) <= LINES_MAX else None
    if order is None:
        return _checked_lines(given, field)
    kept = []
    for counted, number in order:
        quantity = given[number][2]
        if type(quantity) is not int or not 0 <= quantity <= QUANTITY_MAX:
            return _checked_lines(given, field)
        if quantity:
            kept.append(UsageLine(counted, quantity))
    return tuple(kept)


@lru_cache(maxsize=1_024)
def _order_of(named: tuple[tuple[int, str], ...]) -> tuple[tuple[Measure, int], ...] | None:
    """The measures of lines in their order, each with the number of its line; None where something is wrong with them.
    Calls name the same few measures again and again."""
    try:
        found = {measure(UsageKind(kind), variant): number for number, (kind, variant) in enumerate(named)}
    except ValueError:
        return None
    return tuple(sorted(found.items())) if len(found) == len(named) else None


def _checked_lines(lines: Iterable[tuple[int, str, int]], field: str) -> tuple[UsageLine, ...]:
    """The same, line by line. Refuses the first that is wrong."""
    found: dict[Measure, int] = {}
    for number, (kind, variant, quantity) in enumerate(lines):
        if number >= LINES_MAX:
            raise invalid_field(field, f"has more than {LINES_MAX} lines")
        counted = _measure(kind, variant, field, number)
        if type(quantity) is not int or not 0 <= quantity <= QUANTITY_MAX:
            raise invalid_field(f"{field}[{number}].quantity", f"must be a whole number from 0 to {QUANTITY_MAX}")
        if counted in found:
            raise invalid_field(
                f"{field}[{number}].kind", f"{counted.word} is there twice; lines are disjoint, so add them up"
            )
        found[counted] = quantity
    return tuple(UsageLine(counted, found[counted]) for counted in sorted(found) if found[counted])


def _measure(kind: int, variant: str, field: str, number: int) -> Measure:
    try:
        return measure(UsageKind(kind), variant)
    except ValueError as error:
        if kind not in _KIND_NUMBERS:
            raise invalid_field(f"{field}[{number}].kind", f"{kind} is no kind of usage") from None
        raise invalid_field(f"{field}[{number}].variant", str(error)) from None


_KIND_NUMBERS: Final = frozenset(int(kind) for kind in UsageKind)


def _attributes(attributes: Mapping[str, str], field: str) -> tuple[tuple[str, str], ...]:
    if len(attributes) > ATTRIBUTES_MAX:
        raise invalid_field(field, f"has more than {ATTRIBUTES_MAX} attributes")
    for name, value in attributes.items():
        if not name:
            raise invalid_field(field, "has an attribute without a name")
        for place, text in ((field, name), (f"{field}.{name}", value)):
            if not _is_name(text):
                raise _bad_name(place, text)
    return tuple(sorted((name, value) for name, value in attributes.items() if value))


def _provider_cost(text: str, field: str) -> int:
    try:
        cost_e18 = scaled(text, PROVIDER_COST_DECIMALS)
    except ValueError as error:
        raise invalid_field(field, str(error)) from None
    if not 0 < cost_e18 <= PROVIDER_COST_USD_MAX * 10**PROVIDER_COST_DECIMALS:
        raise invalid_field(field, f"must be above 0 and at most {PROVIDER_COST_USD_MAX}")
    return cost_e18


def _is_name(value: str) -> bool:
    return not value or (value.isprintable() and len(value) <= NAME_CHARACTERS_MAX)


def _bad_name(field: str, value: str) -> Refusal:
    if len(value) > NAME_CHARACTERS_MAX:
        return invalid_field(field, f"has {len(value)} characters; at most {NAME_CHARACTERS_MAX} are allowed")
    return invalid_field(field, "has a character that is not printable")
