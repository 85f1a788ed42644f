"""Usages that happened and have no price. They are charged all the same, as an estimate, and somebody is told."""

from collections.abc import Mapping
from typing import Final

from billing_service.domain.ledger.holds import SessionEnd
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.price_records import (
    PriceDamagedError,
    UnpricedUsage,
    decode_record,
    encode_unpriced,
)
from billing_service.domain.spending.usage import Usage

UNPRICED: Final = frozenset({Reason.UNKNOWN_MODEL, Reason.PRICE_MISSING})
"""Refusals that a usage which happened is charged in spite of."""
MODEL: Final = "model"
"""What a card lacks that has no such model of such a provider."""


def unpriced_by(usage: Usage, refusal: Refusal) -> UnpricedUsage:
    """The usage, and what a refusal of UNPRICED says that the card lacks."""
    said = refusal.metadata.get("missing", MODEL)
    measures = tuple(line.measure.word for line in usage.lines)
    named = said.split(", ")
    missing = (said,) if any(word not in measures for word in named) else tuple(named)
    return UnpricedUsage(usage, refusal.metadata["rate_card_version"], missing)


def unpriced_detail(unpriced: UnpricedUsage) -> Mapping[str, str]:
    """What the event UNPRICED_USAGE says besides the amount."""
    usage, version, missing = unpriced
    named = {"provider": usage.provider, "model": usage.model}
    return {**named, "missing": ", ".join(missing), "rate_card_version": version}


def session_end(held: int, acknowledged: int, record: bytes) -> SessionEnd:
    """What the end of a session's hold of `held` microcredits charges: what was `acknowledged`, by the record that the
    session keeps. Where no acknowledged usage had a price, that is all of the hold: such a usage is not free."""
    try:
        kept = decode_record(record) if record else None
    except PriceDamagedError:
        kept = None
    if kept is None or kept.amount < acknowledged:  # a program that keeps no records has written since
        return SessionEnd(acknowledged, acknowledged)
    if kept.unpriced is None:
        return SessionEnd(acknowledged, acknowledged, record)
    charged = acknowledged or held
    detail = unpriced_detail(kept.unpriced)
    return SessionEnd(acknowledged, charged, encode_unpriced(kept.unpriced, charged), detail)
