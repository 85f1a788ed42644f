"""Which deployment's ledger this is: said by the database, from its first start on."""

from collections.abc import Callable

import structlog

from billing_service.clock import ClockUs
from billing_service.domain.account import Ids
from billing_service.domain.deployment import MARK_KEY_BYTES, Deployment, Mode
from billing_service.storage.deployment_rows import claim_deployment, read_deployment
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)


def new_deployment(mode: Mode, clock_us: ClockUs, ids: Ids, chance: Callable[[int], bytes]) -> Deployment:
    return Deployment(ids("dep"), chance(MARK_KEY_BYTES), mode, clock_us())


async def ensure_deployment(store: Store, new: Deployment) -> Deployment:
    """The database's deployment: `new` where it has none yet. Safe for processes that start at once."""

    def work() -> Work[tuple[Deployment, bool]]:
        made = yield from claim_deployment(new)
        found = yield from read_deployment()
        assert found is not None
        return found, made

    deployment, made = await store.write(work)
    if made:
        log.info("deployment_made", deployment_id=deployment.deployment_id, mode=deployment.mode.value)
    return deployment
