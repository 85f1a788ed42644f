"""Known issues that a person looked at, and that are no danger here for some time."""

import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from supply_chain.locked import canonical

WAIVERS = Path(__file__).with_name("waivers.toml")
LIFETIME_MAX = timedelta(days=90)
_FIELDS = {"issue": str, "package": str, "since": date, "until": date, "reason": str}


class WaiverInvalidError(ValueError):
    """A waiver that says too little, or would last too long."""


class Waiver(NamedTuple):
    """One known issue of one package."""

    issue: str
    package: str
    since: date
    until: date
    reason: str

    def waives(self, package: str, names: set[str], today: date) -> bool:
        return (
            canonical(self.package) == canonical(package) and self.issue in names and self.since <= today <= self.until
        )


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    """Raises WaiverInvalidError."""
    with path.open("rb") as file:
        content = tomllib.load(file)
    if content.keys() - {"waiver"}:
        raise WaiverInvalidError(f"{path.name}: only [[waiver]] is known")
    return [_waiver(entry) for entry in content.get("waiver", [])]


def _waiver(entry: dict[str, Any]) -> Waiver:
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(entry.get(name), kind) or entry[name] == ""]
    if wrong or entry.keys() - _FIELDS:
        raise WaiverInvalidError(f"waiver {entry.get('issue')}: has {', '.join(_FIELDS)}, and nothing else")
    waiver = Waiver(**entry)
    if not timedelta(0) < waiver.until - waiver.since <= LIFETIME_MAX:
        raise WaiverInvalidError(f"waiver {waiver.issue}: lasts up to {LIFETIME_MAX.days} days")
    return waiver
