"""What the deployment's backend has not taken: listed, and tried once more."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from billing_service.commands.environment import Environment
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, once
from billing_service.storage.rows.dead_letters import Listed, list_deliveries, revive
from billing_service.storage.statements import Work

Undelivered = Listed
"""A delivery as operators see it."""


async def undelivered(environment: Environment, after: int, state: int, page: int) -> tuple[list[Undelivered], int]:
    """A page after a position, and the position of its last where there are more; 0: there are none. Raises
    Failure."""
    found = await environment.store.read(partial(list_deliveries, after, state, page + 1))
    return found[:page], found[page - 1].event.position if len(found) > page else 0


@dataclass(frozen=True, slots=True)
class ReplayDeliveries:
    """A valid request."""

    request: Request
    account_id: str
    """Empty: every account."""
    encode: Callable[[int], bytes]


async def replay_deliveries(environment: Environment, command: ReplayDeliveries) -> Answer:
    """Raises Failure."""

    def effect(unit: Unit) -> Work[bytes]:
        return command.encode((yield from revive(command.account_id, unit.now_us)))

    detail = {"account_id": command.account_id}
    return await environment.store.write(lambda: once(environment.sources, command.request, (), effect, detail=detail))
