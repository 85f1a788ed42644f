"""The heads of all chains, exported: a chain alone does not show that its newest part was cut off, or that all of it
was written again from some point. A head that was kept elsewhere does.

    one line for each account, in order of ids: {"account_id": …, "version": …, "hash": …}
    last line: {"accounts": …, "sha256": …}, the digest of all lines before it, which is also logged
"""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import orjson

from billing_service.storage.rows.verification import next_heads
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

HEADS_A_SNAPSHOT = 1_000


class Head(NamedTuple):
    """An account's newest transaction at the time of the export."""

    version: int
    hash: str
    """Hexadecimal."""


class HeadsInvalidError(ValueError):
    """The file is no export of heads, or not the one that was made."""


class Exported(NamedTuple):
    """What was written."""

    accounts: int
    digest: str


async def export_heads(store: Store, path: Path) -> Exported:
    """Writes the heads of all accounts that have a transaction; the file appears whole or not at all."""
    partial_path = path.with_name(path.name + ".partial")
    digest, accounts, after = sha256(), 0, ""
    try:
        with partial_path.open("wb") as file:
            while True:
                rows = await store.read(partial(_read, after))
                for account_id, version, last_hash in rows:
                    if version:
                        accounts += 1
                        line = head_line(account_id, version, last_hash)
                        digest.update(line)
                        file.write(line)
                if len(rows) < HEADS_A_SNAPSHOT:
                    break
                after = rows[-1][0]
            file.write(orjson.dumps({"accounts": accounts, "sha256": digest.hexdigest()}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial_path.rename(path)
    finally:
        partial_path.unlink(missing_ok=True)
    return Exported(accounts, digest.hexdigest())


def head_line(account_id: str, version: int, last_hash: bytes) -> bytes:
    return orjson.dumps({"account_id": account_id, "version": version, "hash": last_hash.hex()}) + b"\n"


def _read(after: str) -> Work[list[tuple[str, int, bytes]]]:
    return (yield from next_heads(after, HEADS_A_SNAPSHOT))


def read_heads(path: Path) -> Mapping[str, Head]:
    """The heads of an export. Raises HeadsInvalidError when the file is not whole or was changed, OSError when it can't
    be read."""
    heads: dict[str, Head] = {}
    digest, ended = sha256(), False
    for line in _lines(path):
        if ended:
            raise HeadsInvalidError("lines follow the last one")
        try:
            value = orjson.loads(line)
            if "sha256" in value:
                ended = True
                if (value["accounts"], value["sha256"]) != (len(heads), digest.hexdigest()):
                    raise HeadsInvalidError("the digest is another")
            else:
                digest.update(line)
                heads[value["account_id"]] = Head(int(value["version"]), str(value["hash"]))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise HeadsInvalidError("a line is not one of an export") from error
    if not ended:
        raise HeadsInvalidError("the last line is missing")
    return heads


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file
