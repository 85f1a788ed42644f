"""Where settings come from."""

import os

from pydantic_settings import BaseSettings, DotEnvSettingsSource


def process_environment() -> dict[str, str]:
    """The process's environment over `.env` in the working directory; empty values count as absent. Raises
    UnicodeDecodeError."""
    from_file = DotEnvSettingsSource(BaseSettings, env_file=".env", case_sensitive=True).env_vars
    return {
        name: value for source in (from_file, os.environ) for name, value in source.items() if value and value.strip()
    }
