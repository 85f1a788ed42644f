"""What a group of settings is made of.

Names of our own begin with BILLING_; the others are those that Stripe's and databases' users know. Units come last in
each name.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class SettingsGroup(BaseModel):
    """Settings that one part of the service reads. Secrets show as asterisks wherever they are printed."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def setting(name: str, default: Any, description: str, **constraints: Any) -> Any:
    """A field that the environment's variable `name` fills."""
    return Field(default, validation_alias=name, description=description, **constraints)
