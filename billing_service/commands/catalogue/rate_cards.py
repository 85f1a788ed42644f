"""Versions of the rate card: created, listed, read. The first is the card that comes with the service."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import orjson

from billing_service.clock import ClockUs
from billing_service.commands.environment import Environment
from billing_service.domain.access.audit import AuditRecord
from billing_service.domain.catalogue.rate_card_packing import packed
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_card_versions import (
    CardVersion,
    StoredCard,
    in_force_time_us,
    version_in_force,
)
from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.ledger.account import Ids
from billing_service.domain.refusals.catalogue import rate_card_exists, rate_card_not_found
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, once
from billing_service.storage.rows.access import AUDIT, lock_keys
from billing_service.storage.rows.rate_cards import (
    RATE_CARDS,
    last_position,
    list_cards,
    read_card,
    versions_since,
)
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

SERVICE = "service"
"""Who created the first card, and from where."""


@dataclass(frozen=True, slots=True)
class CreateRateCard:
    """A valid request."""

    request: Request
    card: RateCard
    card_file: bytes
    """Compressed by gzip."""
    encode: Callable[[StoredCard], bytes]


async def create_rate_card(environment: Environment, command: CreateRateCard) -> Answer:
    """Raises RATE_CARD_EXISTS."""
    card = command.card

    def effect(unit: Unit) -> Work[bytes]:
        if (yield from read_card(card.version)) is not None:
            raise rate_card_exists(card.version)
        position = (yield from last_position()) + 1
        row = _row(
            card, command.card_file, position, unit.now_us, in_force_time_us(card.effective_time_us, unit.now_us)
        )
        yield from RATE_CARDS.add(row)
        return command.encode(row)

    detail = {"version": card.version, "source": _source(card), "entry_count": len(card.entries)}
    return await environment.store.write(lambda: once(environment.sources, command.request, (), effect, detail=detail))


async def ensure_rate_card(store: Store, clock_us: ClockUs, ids: Ids, built_in: Callable[[], RateCard]) -> None:
    """Stores the built-in card where there is none yet, so that usage has prices from the first start on. Safe for
    processes that start at once. It is in force from its own effective time: nothing was priced before."""
    if await store.read(last_position) > 0:
        return
    card, card_file = built_in(), _file_of(built_in)

    def work() -> Work[None]:
        yield from lock_keys()
        if (yield from last_position()) > 0:
            return
        now_us = clock_us()
        yield from RATE_CARDS.add(_row(card, card_file, 1, now_us, card.effective_time_us))
        detail = orjson.dumps(
            {"version": card.version, "source": _source(card), "entry_count": len(card.entries)}
        ).decode()
        yield from AUDIT.add(AuditRecord(ids("aud"), now_us, SERVICE, SERVICE, "CreateRateCardVersion", "", detail))

    await store.write(work)


@cache
def _file_of(built_in: Callable[[], RateCard]) -> bytes:
    """Packing takes 80 ms, once a process: a program's tests start the service often."""
    return packed(card_text(built_in()))


def _row(card: RateCard, card_file: bytes, position: int, now_us: int, in_force_us: int) -> StoredCard:
    return StoredCard(
        version=card.version,
        position=position,
        effective_time_us=card.effective_time_us,
        in_force_time_us=in_force_us,
        create_time_us=now_us,
        source=_source(card),
        markup_ppm=card.markup_ppm,
        entry_count=len(card.entries),
        card_file=card_file,
    )


def _source(card: RateCard) -> str:
    return f"{card.source.name} {card.source.version}".strip()


def _version_in_force(environment: Environment) -> Work[CardVersion | None]:
    now_us = environment.clock_us()
    return version_in_force((yield from versions_since(now_us)), now_us)


class CardPage(NamedTuple):
    """A page of all cards, without their files, newest first."""

    cards: list[StoredCard]
    last: int
    """The position that the next page goes on from; 0 at the end."""
    version_in_force: str


async def rate_card_page(environment: Environment, before: int | None, page: int) -> CardPage:
    """The cards created before that position, or the newest."""

    def work() -> Work[CardPage]:
        found = yield from list_cards(before, page + 1)
        current = yield from _version_in_force(environment)
        return CardPage(
            found[:page], found[page - 1].position if len(found) > page else 0, current.version if current else ""
        )

    return await environment.store.read(work)


async def rate_card(environment: Environment, version: str) -> StoredCard:
    """One card with its file; the one in force now where `version` is empty. Raises RATE_CARD_NOT_FOUND."""

    def work() -> Work[StoredCard]:
        wanted = version
        if not wanted:
            current = yield from _version_in_force(environment)
            wanted = current.version if current else ""
        row = yield from read_card(wanted)
        if row is None:
            raise rate_card_not_found(wanted)
        return row

    return await environment.store.read(work)
