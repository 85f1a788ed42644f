"""Where the ledger is kept."""

from typing import Literal

from pydantic import SecretStr

from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.values import DatabaseUrl
from billing_service.storage.database_url import Database, SqliteFile, parse_database_url


class DatabaseSettings(SettingsGroup):
    database_url: DatabaseUrl = setting(
        "DATABASE_URL",
        SecretStr("sqlite:///var/billing.db"),
        "`sqlite:///file` or `postgresql://user:password@host/database`, with libpq's options",
    )
    migrate_on_start: bool = setting("BILLING_MIGRATE_ON_START", False, "Apply missing migrations before serving")

    @property
    def database(self) -> Database:
        """What DATABASE_URL says, with its password: for whoever connects."""
        return parse_database_url(self.database_url.get_secret_value())

    @property
    def database_kind(self) -> Literal["sqlite", "postgresql"]:
        return "sqlite" if isinstance(self.database, SqliteFile) else "postgresql"
