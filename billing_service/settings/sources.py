"""Where settings come from."""

import os

from pydantic_settings import BaseSettings, DotEnvSettingsSource

from billing_service.settings.model import SettingsInvalid


def process_environment() -> dict[str, str]:
    """The process's environment over `.env` in the working directory; empty values count as absent. Raises SettingsInvalid."""
    try:
        from_file = DotEnvSettingsSource(BaseSettings, env_file=".env", case_sensitive=True).env_vars
    except UnicodeDecodeError:
        raise SettingsInvalid([".env: is not UTF-8"]) from None
    return {name: value for source in (from_file, os.environ) for name, value in source.items() if value and value.strip()}
