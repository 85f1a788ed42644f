"""The service's settings: `load_settings` reads, checks and returns them.

values <- groups <- model <- contradictions <- loading: nothing imports what is to its right.
"""

from billing_service.settings.loading import load_settings
from billing_service.settings.model import Settings, SettingsInvalid

__all__ = ["Settings", "SettingsInvalid", "load_settings"]
