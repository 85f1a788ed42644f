"""The one row that says whose ledger this is."""

from sqlalchemy import bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.deployment import CHECKOUT_PREFIXES, Deployment, Mode
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import accounts, deployment
from billing_service.storage.schema import purchase_references as references
from billing_service.storage.statements import Work, reading, writing

_ONLY = deployment.c.position == literal_column("1")
READ = reading(
    "read deployment",
    select(deployment.c.deployment_id, deployment.c.mark_key, deployment.c.mode, deployment.c.create_time_us).where(
        _ONLY
    ),
)
CLAIM = writing(
    "claim deployment",
    insert(deployment)
    .values(
        position=bindparam("position"),
        deployment_id=bindparam("deployment_id"),
        mark_key=bindparam("mark_key"),
        mode=bindparam("mode"),
        create_time_us=bindparam("create_time_us"),
    )
    .on_conflict_do_nothing(),
    "position",
    "deployment_id",
    "mark_key",
    "mode",
    "create_time_us",
)
RENEW = writing(
    "renew deployment",
    update(deployment)
    .where(_ONLY)
    .values(
        deployment_id=bindparam("deployment_id"),
        mark_key=bindparam("mark_key"),
        create_time_us=bindparam("create_time_us"),
    ),
    "deployment_id",
    "mark_key",
    "create_time_us",
)
FIND_REFERENCE = reading(
    "find purchase reference between",
    select(references.c.reference)
    .where(references.c.reference >= bindparam("first"), references.c.reference < bindparam("beyond"))
    .limit(literal_column("1")),
    "first",
    "beyond",
)
ANY_ACCOUNT = reading(
    "any account",
    select(accounts.c.account_id).where(accounts.c.account_id > literal_column("''")).limit(literal_column("1")),
)


def read_deployment() -> Work[Deployment | None]:
    rows = yield READ()
    if not rows:
        return None
    deployment_id, mark_key, mode, create_time_us = rows[0]
    return Deployment(deployment_id, bytes(mark_key), Mode(mode), create_time_us)


def claim_deployment(new: Deployment) -> Work[None]:
    """Makes the row where there is none. Of several processes that start at once, the others wait for the first."""
    yield CLAIM(1, new.deployment_id, new.mark_key, new.mode.value, new.create_time_us)


def renew_row(new: Deployment) -> Work[None]:
    """Gives the row another id and key; its mode stays."""
    expect((yield RENEW(new.deployment_id, new.mark_key, new.create_time_us)), 1, "renew deployment")


def modes_of_checkouts() -> Work[frozenset[Mode]]:
    """The modes that the ledger's checkouts leave possible."""
    possible = frozenset(Mode)
    for prefix, modes in CHECKOUT_PREFIXES.items():
        if (yield FIND_REFERENCE(prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1))):
            possible &= modes
    return possible


def has_accounts() -> Work[bool]:
    return bool((yield ANY_ACCOUNT()))
