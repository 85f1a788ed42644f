"""Which deployment's ledger this is, and whether its money is real. The database says both, from its first start on."""

from collections.abc import Callable, Iterable

import orjson
import structlog

from billing_service.clock import ClockUs
from billing_service.commands.access.api_keys import OFFLINE
from billing_service.domain.access.audit import AuditRecord
from billing_service.domain.deployment import MARK_KEY_BYTES, Deployment, Mode
from billing_service.domain.ledger.account import Ids
from billing_service.storage.rows.access import AUDIT
from billing_service.storage.rows.deployment import (
    claim_deployment,
    has_accounts,
    modes_of_checkouts,
    read_deployment,
    renew_row,
)
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)

SIGNS = {
    Mode.SANDBOX: "STRIPE_API_BASE is a stand-in's address",
    Mode.TEST: "STRIPE_SECRET_KEY is a test key",
    Mode.LIVE: "STRIPE_SECRET_KEY is a live key",
}
"""By what the settings say their mode."""


class OtherModeError(Exception):
    """The database's money and the settings' are not of one kind. The message says what to do."""


class NoDeploymentError(Exception):
    """No service has started on the database yet."""


def new_deployment(mode: Mode, clock_us: ClockUs, ids: Ids, random_bytes: Callable[[int], bytes]) -> Deployment:
    return Deployment(ids("dep"), random_bytes(MARK_KEY_BYTES), mode, clock_us())


async def ensure_deployment(store: Store, new: Deployment) -> Deployment:
    """The database's deployment: `new` where it has none yet. Safe for processes that start at once. Raises
    OtherModeError."""
    found = await store.read(read_deployment)
    if found is None:
        claimed: tuple[Deployment, bool] = await store.write(lambda: _claim(new))
        found, had_accounts = claimed
        if found.deployment_id == new.deployment_id:
            _log_first_start(new, had_accounts)
    if found.mode is not new.mode:
        raise OtherModeError(_other_mode(f"the database is of mode {found.mode}, for ever", new.mode, [found.mode]))
    return found


def _claim(new: Deployment) -> Work[tuple[Deployment, bool]]:
    """Makes the row, unless another process did; answers it, and whether the ledger had accounts before."""
    possible = yield from modes_of_checkouts()
    if new.mode not in possible:
        raise OtherModeError(
            _other_mode("the database is older than modes, and its checkouts are of another one", new.mode, possible)
        )
    had_accounts = yield from has_accounts()
    yield from claim_deployment(new)
    found = yield from read_deployment()
    assert found is not None
    return found, had_accounts


def _log_first_start(made: Deployment, had_accounts: bool) -> None:
    said = {"deployment_id": made.deployment_id, "mode": made.mode.value}
    if had_accounts:
        log.warning(
            "ledger_takes_its_mode_for_ever",
            note="it is older than modes, and this is its first start with one",
            **said,
        )
    else:
        log.info("deployment_made", **said)


def _other_mode(fault: str, asked: Mode, possible: Iterable[Mode]) -> str:
    ways = " or ".join(f"start it with settings of mode {mode}, where {SIGNS[mode]}" for mode in sorted(possible))
    return (
        f"DATABASE_URL: {fault}, and the settings are of mode {asked}: {SIGNS[asked]}. "
        f"Play money and real money never share a ledger: {ways or 'restore a backup'}; or name another database"
    )


async def renew_deployment(
    store: Store, clock_us: ClockUs, ids: Ids, random_bytes: Callable[[int], bytes]
) -> tuple[Deployment, Deployment]:
    """Gives a ledger that was restored for another deployment an id and a key of its own; answers the old one and the
    new.

    No service may run on the database: one that does goes on with the old id. Raises NoDeploymentError.
    """

    def work() -> Work[tuple[Deployment, Deployment]]:
        old = yield from read_deployment()
        if old is None:
            raise NoDeploymentError(
                "no service has started on this database yet: its first start gives it an id of its own"
            )
        new = new_deployment(old.mode, clock_us, ids, random_bytes)
        yield from renew_row(new)
        detail = orjson.dumps({"old": old.deployment_id, "new": new.deployment_id}).decode()
        yield from AUDIT.add(
            AuditRecord(ids("aud"), new.create_time_us, OFFLINE, OFFLINE, "RenewDeployment", "", detail)
        )
        return old, new

    return await store.write(work)
