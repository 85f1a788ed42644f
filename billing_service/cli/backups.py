"""`billing backup`, `restore`."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_service.cli.connection import AsJson, quiet_logs
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, plain, say, show_fields, show_json
from billing_service.cli.failures import explained
from billing_service.domain.deployment import Mode

if TYPE_CHECKING:
    from billing_service.integrity.differences import Report
    from billing_service.integrity.manifest import Manifest


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The new backup; FILE.manifest.json is written with it.")
    ],
    check: Annotated[
        bool, typer.Option("--verify", help="Restore an existing backup into a temporary place, and prove it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the SQLite database, also while the service runs, and prove the copy."""
    from billing_service.cli.progress import shown_progress
    from billing_service.integrity.backup import back_up
    from billing_service.integrity.manifest import BackupInvalidError
    from billing_service.integrity.restore import verify_backup

    quiet_logs()
    report = None
    with explained(), shown_progress("backup") as progress:
        try:
            if check:
                manifest, report = asyncio.run(verify_backup(file, progress))
            else:
                manifest = back_up(
                    _sqlite_file(f'pg_dump --format=custom --file={plain(file)} "$DATABASE_URL"'), file, progress
                )
        except BackupInvalidError as invalid:
            fail(*(f"✗ {problem}" for problem in invalid.problems))
    if as_json:
        show_json(_as_json(file, manifest, report))
        return
    _show(file, manifest)
    say(
        f"✓ restored into a temporary place, and {_proven(report)}"
        if report is not None
        else "✓ complete; `billing backup --verify` proves it, `billing restore` puts it in place"
    )


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A backup; FILE.manifest.json must be in the same folder.")
    ],
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="What the backup is of, where the settings are of another mode or name no Stripe.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove a backup, then put it where DATABASE_URL says. Nothing may be there yet, and nothing half-made is left
    there.

    Play money is no real money: the mode of the backup must be that of the settings, or be said.
    """
    from billing_service.cli.progress import shown_progress
    from billing_service.integrity.manifest import BackupInvalidError
    from billing_service.integrity.restore import ModeUnfitError, restore_backup
    from billing_service.settings import load_settings

    quiet_logs()
    with explained(), shown_progress("restore") as progress:
        target = _sqlite_file(f'pg_restore --exit-on-error --single-transaction --dbname="$DATABASE_URL" {plain(file)}')
        asked = mode or load_settings(purpose="operate").mode
        try:
            manifest, report = asyncio.run(restore_backup(file, target, asked, progress))
        except ModeUnfitError as unfit:
            ways = " or ".join(f"`--mode {possible}`" for possible in sorted(unfit.possible))
            hint = (
                f"; say {ways} to have it there all the same: no service of another mode starts on it" if ways else ""
            )
            fail(*(f"✗ {problem}" for problem in unfit.problems), f"{plain(target)}: nothing was restored{hint}")
        except BackupInvalidError as invalid:
            fail(*(f"✗ {problem}" for problem in invalid.problems), f"{plain(target)}: nothing was restored")
    if as_json:
        show_json({**_as_json(file, manifest, report), "restored_to": str(target)})
        return
    _show(file, manifest)
    say(f"✓ {_proven(report)}")
    _say_restored(target, manifest)


def _say_restored(target: Path, manifest: "Manifest") -> None:
    say(
        f"✓ restored to {target}; `billing verify --offline --heads` names what is newer than the backup, where "
        f"heads are kept elsewhere"
    )
    if manifest.contents.mode:
        say(
            f"  it is deployment {manifest.contents.deployment_id}, as the original; where that lives on, "
            "run `billing deployment renew` before the first start"
        )
    else:
        say("  it has no mode yet: the first service that starts on it decides, for ever")


def _sqlite_file(own_tool: str) -> Path:
    """The file of DATABASE_URL; PostgreSQL has tools of its own."""
    from billing_service.settings import load_settings
    from billing_service.storage.database_url import SqliteFile

    database = load_settings(purpose="operate").database
    if not isinstance(database, SqliteFile):
        fail(
            f"DATABASE_URL: is PostgreSQL, whose own tool does this, while it runs: {own_tool}", code=EXIT_MISCONFIGURED
        )
    return database.path


def _proven(report: "Report") -> str:
    return (
        f"its ledger proves every balance: {report.accounts:,} accounts, {report.transactions:,} transactions, "
        f"{report.entries:,} entries"
    )


def _as_json(file: Path, manifest: "Manifest", report: "Report | None") -> dict[str, object]:
    """What the manifest says and, where the ledger was proven, what was read for it."""
    found: dict[str, object] = {"file": str(file), **asdict(manifest)}
    if report is not None:
        found["proven"] = {"accounts": report.accounts, "transactions": report.transactions, "entries": report.entries}
    return found


def _show(file: Path, manifest: "Manifest") -> None:
    counted = manifest.contents.counts
    show_fields(
        f"Backup {file}",
        [
            ("made", manifest.create_time),
            ("migration", manifest.contents.migration),
            ("mode", manifest.contents.mode or "none yet"),
            ("deployment", manifest.contents.deployment_id),
            ("size", f"{manifest.file_bytes:,} bytes"),
            ("SHA-256", manifest.sha256),
            ("heads", manifest.contents.heads),
            ("accounts", f"{counted['accounts']:,}"),
            ("transactions", f"{counted['transactions']:,}"),
            ("entries", f"{counted['entries']:,}"),
        ],
    )
