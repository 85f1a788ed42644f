"""`python -m supply_chain audit | cooldown | wheels | lock [--upgrade …] | sbom FILE`.

Exit codes of the first three: 0 clean, 1 not, 3 could not look.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from supply_chain.audit import audit
from supply_chain.cooldown import check_ages
from supply_chain.locked import ROOT
from supply_chain.locking import lock
from supply_chain.sbom import write_sbom
from supply_chain.wheels import check_wheels

EXIT_USAGE = 2


def main(arguments: list[str]) -> int:
    match arguments:
        case ["audit"]:
            return audit(datetime.now(UTC).date(), _say)
        case ["cooldown"]:
            return check_ages(_say)
        case ["wheels"]:
            return check_wheels(_say)
        case ["lock", *options]:
            lock(options)
        case ["sbom", file]:
            write_sbom(ROOT / ".venv" / "bin" / "python", Path(file))
        case _:
            _say(__doc__ or "")
            return EXIT_USAGE
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
