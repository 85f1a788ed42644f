"""What is sold, and where customers go after paying."""

from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.values import Currency, ExistingFile, Origin, UrlPath


class CheckoutSettings(SettingsGroup):
    frontend_url: Origin = setting(
        "FRONTEND_URL",
        "http://127.0.0.1:8080",
        "Where customers return to after checkout; the gateway has a page for those without",
    )
    checkout_success_path: UrlPath = setting(
        "BILLING_CHECKOUT_SUCCESS_PATH", "/billing/success?session_id={CHECKOUT_SESSION_ID}", "Path after payment"
    )
    checkout_cancel_path: UrlPath = setting(
        "BILLING_CHECKOUT_CANCEL_PATH", "/billing/cancel", "Path after calling it off"
    )
    catalog_file: ExistingFile | None = setting(
        "BILLING_CATALOG_FILE", None, "Packages for sale and their currency; the built-in catalogue when absent"
    )
    amounts_currency: Currency = setting(
        "BILLING_AMOUNTS_CURRENCY",
        "usd",
        "Currency of the amounts below; custom amounts and referrals are off where the catalogue's differs",
    )
    custom_amount_min_minor: int | None = setting(
        "BILLING_CUSTOM_AMOUNT_MIN_MINOR",
        None,
        "Smallest custom purchase, in the currency's smallest unit; in usd 100 when absent",
        ge=1,
    )
    custom_amount_max_minor: int | None = setting(
        "BILLING_CUSTOM_AMOUNT_MAX_MINOR",
        None,
        "Largest custom purchase; in usd 1,000,000 when absent",
        ge=1,
        le=99_999_999,
    )
    custom_amount_rate: int | None = setting(
        "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR",
        None,
        "What one smallest unit buys; in usd 1,000,000 when absent",
        ge=1,
        le=10**9,
    )
    allow_promotion_codes: bool = setting(
        "BILLING_ALLOW_PROMOTION_CODES",
        False,
        "Let customers enter Stripe's promotion codes; the credits are those of the full price",
    )

    @property
    def success_url(self) -> str:
        return self.frontend_url + self.checkout_success_path

    @property
    def cancel_url(self) -> str:
        return self.frontend_url + self.checkout_cancel_path
