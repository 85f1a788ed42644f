"""The way to Stripe, and the secrets of both directions."""

from typing import Self

from billing_client.setting_rules import distinct_secrets
from pydantic import SecretStr

from billing_service.domain.deployment import Mode
from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.proxies import proxy_to
from billing_service.settings.values import Origin, StripeSecretKey, StripeWebhookSecret, is_live_key, is_stripes_own


class StripeSettings(SettingsGroup):
    stripe_secret_key: StripeSecretKey | None = setting(
        "STRIPE_SECRET_KEY", None, "Stripe's secret or restricted key; its prefix decides between test and live mode"
    )
    stripe_api_key: StripeSecretKey | None = setting(
        "STRIPE_API_KEY", None, "Another name of `STRIPE_SECRET_KEY`, for deployments that use it"
    )
    stripe_webhook_secret: StripeWebhookSecret | None = setting(
        "STRIPE_WEBHOOK_SECRET",
        None,
        "Signing secret of the webhook endpoint; several, separated by commas, while one is being rotated",
    )
    stripe_webhook_secret_credits: StripeWebhookSecret | None = setting(
        "STRIPE_WEBHOOK_SECRET_CREDITS", None, "More signing secrets, for deployments that use this name"
    )
    stripe_api_base: Origin = setting(
        "STRIPE_API_BASE", "https://api.stripe.com", "Where Stripe's API is; the sandbox's address without Stripe"
    )
    stripe_timeout_s: float = setting(
        "STRIPE_TIMEOUT_S", 10.0, "Time for one request to Stripe; a call may need two", gt=0, le=60
    )
    https_proxy: SecretStr | None = setting(
        "HTTPS_PROXY",
        None,
        "Forward proxy to Stripe, `http://user:password@host:port`; also under its names `https_proxy` and `ALL_PROXY`",
    )
    no_proxy: str = setting(
        "NO_PROXY", "", "Hosts that are reached directly, separated by commas; loopback addresses always are"
    )

    @property
    def stripe_livemode(self) -> bool:
        return self.stripe_secret_key is not None and is_live_key(self.stripe_secret_key.get_secret_value())

    @property
    def mode(self) -> Mode | None:
        """Whether the money is real, which a database remembers from its first start on. None: the settings name no
        Stripe."""
        if not is_stripes_own(self.stripe_api_base):
            return Mode.SANDBOX
        if self.stripe_secret_key is None:
            return None
        return Mode.LIVE if self.stripe_livemode else Mode.TEST

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """The secrets of both names, each once: for the verifier alone."""
        given = [
            each.get_secret_value() for each in (self.stripe_webhook_secret, self.stripe_webhook_secret_credits) if each
        ]
        return distinct_secrets(given)

    @property
    def stripe_proxy(self) -> str | None:
        """The forward proxy on the way to Stripe, with its password; None: a direct connection."""
        return proxy_to(self.stripe_api_base, self.https_proxy, self.no_proxy)

    def with_one_stripe_key(self) -> Self:
        """The key under its first name, whichever it was given under."""
        return self.model_copy(update={"stripe_secret_key": self.stripe_secret_key or self.stripe_api_key})
