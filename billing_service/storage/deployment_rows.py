"""The one row that says whose ledger this is."""

from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.deployment import Deployment, Mode
from billing_service.storage.schema import deployment
from billing_service.storage.statements import Work, reading, writing

_ONLY = deployment.c.position == literal_column("1")
READ = reading(
    "read deployment",
    select(deployment.c.deployment_id, deployment.c.mark_key, deployment.c.mode, deployment.c.create_time_us).where(_ONLY),
)
CLAIM = writing(
    "claim deployment",
    insert(deployment)
    .values(
        position=literal_column("1"),
        deployment_id=bindparam("deployment_id"),
        mark_key=bindparam("mark_key"),
        mode=bindparam("mode"),
        create_time_us=bindparam("create_time_us"),
    )
    .on_conflict_do_nothing(),
    "deployment_id",
    "mark_key",
    "mode",
    "create_time_us",
)


def read_deployment() -> Work[Deployment | None]:
    rows = yield READ()
    if not rows:
        return None
    deployment_id, mark_key, mode, create_time_us = rows[0]
    return Deployment(deployment_id, bytes(mark_key), Mode(mode), create_time_us)


def claim_deployment(new: Deployment) -> Work[bool]:
    """Makes the row; False when there is one. Of several processes that start at once, the others wait for the first."""
    made = yield CLAIM(new.deployment_id, new.mark_key, new.mode.value, new.create_time_us)
    return bool(made)
