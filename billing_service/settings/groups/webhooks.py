"""Where business events are delivered to, and how they are signed."""

from billing_client.setting_rules import split_secrets
from pydantic import SecretStr

from billing_service.feed.signing import secret_key
from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.proxies import proxy_to
from billing_service.settings.values import EventSecrets, Origin


class WebhookSettings(SettingsGroup):
    webhook_url: Origin | None = setting(
        "BILLING_WEBHOOK_URL", None, "Address of your backend that business events are sent to; none when absent"
    )
    webhook_secrets: EventSecrets | None = setting(
        "BILLING_WEBHOOK_SECRETS",
        None,
        "Secrets that sign them, `whsec_` and base64; several, separated by commas, while one is being rotated",
    )
    webhook_timeout_s: float = setting(
        "BILLING_WEBHOOK_TIMEOUT_S", 10.0, "Time for one request to that address", gt=0, le=30
    )

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """What the secrets sign with."""
        given: SecretStr | None = self.webhook_secrets
        return tuple(secret_key(secret) for secret in split_secrets(given.get_secret_value())) if given else ()

    def webhook_proxy_by(self, proxy: SecretStr | None, exemptions: str) -> str | None:
        """What requests go through, as those to Stripe do."""
        return proxy_to(self.webhook_url, proxy, exemptions) if self.webhook_url else None
