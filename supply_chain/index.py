"""What package indexes say of files, in their JSON (PEP 700): names, hashes, sizes, times of upload."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

PATIENCE_S = 30
_JSON = "application/vnd.pypi.simple.v1+json"


class File(NamedTuple):
    """One file of a release."""

    name: str
    uploaded: datetime
    size_bytes: int


Files = dict[str, File]
"""By hash, `sha256:…`."""


@cache
def files_of(package: str) -> Files | None:
    """All files of a package, from the first of pip's indexes that lists them; None where none does."""
    for index in indexes():
        # Indexes() has web addresses alone.
        request = Request(f"{index.rstrip('/')}/{package}/", headers={"Accept": _JSON})  # noqa: S310
        try:
            with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - same
                files = json.load(answer)["files"]
            return {f"sha256:{file['hashes']['sha256']}": _file(file) for file in files}
        except (URLError, TimeoutError, ValueError, KeyError, TypeError):
            continue
    return None


def _file(told: dict[str, str]) -> File:
    return File(told["filename"], datetime.fromisoformat(told["upload-time"]), int(told["size"]))


@cache
def indexes() -> Sequence[str]:
    """As pip is configured; its own default without."""
    from pip._internal.models.index import PyPI

    configured = [_configured("index-url") or PyPI.simple_url, *(_configured("extra-index-url") or "").split()]
    return [address for address in configured if address.startswith(("https://", "http://"))]


def _configured(name: str) -> str | None:
    given = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    if given:
        return given
    asked = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "pip", "config", "get", f"global.{name}"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None
