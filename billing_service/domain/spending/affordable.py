"""What helps a caller whose account is short of a priced usage: a shorter answer, or a package of credits."""

from billing_service.domain.catalogue.packages import Catalog
from billing_service.domain.catalogue.usage_kinds import THOUSANDTHS, UsageKind
from billing_service.domain.spending.deductions import Short
from billing_service.domain.spending.price_records import decode_record
from billing_service.domain.spending.pricing import Price, cost_max_e21


def affordable_output_tokens(price: Price, budget: int) -> int | None:
    """How many output tokens the usage could have for `budget` microcredits, all other lines as they are; rounded down,
    and 0 where those alone cost more. None where output tokens cost nothing or are not used."""
    output = next((line for line in price.lines if line.measure.kind is UsageKind.OUTPUT_TOKENS), None)
    if output is None or not output.unit_price_e18:
        return None
    others_e21 = price.cost_e21 - output.cost_e21
    return max(cost_max_e21(budget, price.markup_ppm) - others_e21, 0) // (output.unit_price_e18 * THOUSANDTHS)


def advice_on(price_record: bytes, catalog: Catalog | None, short: Short) -> dict[str, str | int]:
    """The advice for a priced usage, from its record: only who is short needs the price again."""
    priced = decode_record(price_record).priced
    assert priced is not None, "the record is of a usage"
    return advice(priced.price, catalog, short)


def advice(price: Price, catalog: Catalog | None, short: Short) -> dict[str, str | int]:
    """Metadata of INSUFFICIENT_CREDITS: `affordable_output_tokens`, and `package_code` of the cheapest package that
    covers what is needed. Each only where there is one."""
    found: dict[str, str | int] = {}
    tokens = affordable_output_tokens(price, short.affordable)
    if tokens is not None:
        found["affordable_output_tokens"] = tokens
    package = catalog.cheapest_covering(short.needed) if catalog else None
    if package is not None:
        found["package_code"] = package.code
    return found
