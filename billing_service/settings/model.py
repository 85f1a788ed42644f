"""Every setting of the service. Each group has a file; a part of the service may ask for its group alone."""

from typing import Final

from billing_service.domain.catalogue.stated_amounts import StatedAmounts
from billing_service.settings.groups.access import AccessSettings
from billing_service.settings.groups.checkout import CheckoutSettings
from billing_service.settings.groups.database import DatabaseSettings
from billing_service.settings.groups.jobs import JobSettings
from billing_service.settings.groups.observation import ObservationSettings
from billing_service.settings.groups.referrals import ReferralSettings
from billing_service.settings.groups.server import ServerSettings
from billing_service.settings.groups.setting import SettingsGroup
from billing_service.settings.groups.spending import SpendingSettings
from billing_service.settings.groups.stripe import StripeSettings
from billing_service.settings.groups.webhooks import WebhookSettings


class SettingsInvalid(Exception):  # noqa: N818 - what it is, not what went wrong inside
    """The settings can't be used. `problems` has one line each: the setting's name and what is wrong, never its
    value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(
    DatabaseSettings,
    ServerSettings,
    AccessSettings,
    StripeSettings,
    CheckoutSettings,
    ReferralSettings,
    SpendingSettings,
    JobSettings,
    WebhookSettings,
    ObservationSettings,
):
    """All groups in one value, checked one by one and against each other."""

    @property
    def stated_amounts(self) -> StatedAmounts:
        """What the settings say of amounts of money, in their currency."""
        custom = (self.custom_amount_min_minor, self.custom_amount_max_minor, self.custom_amount_rate)
        return StatedAmounts(self.amounts_currency, *custom, self.referral_purchase_min_minor)


GROUPS: Final[tuple[type[SettingsGroup], ...]] = Settings.__bases__
"""In the order in which people read them."""


def known_names() -> list[str]:
    """The names of all settings, in the order of the table."""
    return [str(field.validation_alias) for group in GROUPS for field in group.model_fields.values()]
