"""Who had differences repaired."""

from billing_service.commands.environment import Environment
from billing_service.ledger.unit import Caller, audit, begin
from billing_service.storage.statements import Work


async def note_repair(environment: Environment, caller: Caller, detail: dict[str, str | int]) -> None:
    """Leaves an audit record of a comparison that repairs, before it begins. Raises Failure."""

    def work() -> Work[None]:
        unit = yield from begin(environment.sources, [])
        yield from audit(unit, caller, "", detail)

    await environment.store.write(work)
