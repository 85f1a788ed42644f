"""Who may call, and the secrets that prove it."""

import hashlib
import hmac
import secrets
from typing import Literal, Self

from pydantic import SecretStr

from billing_service.domain.access.api_keys import Scope
from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.values import StrongSecret, TlsCallers


class AccessSettings(SettingsGroup):
    auth: Literal["keys", "off"] = setting(
        "BILLING_AUTH", "keys", "`keys`: API keys or certificates; `off`: everybody may do everything, on loopback only"
    )
    tls_callers: TlsCallers = setting(
        "BILLING_TLS_CALLERS", "", "What certificates may do: `name=read+deduct,other=webhook`"
    )
    api_key_pepper: StrongSecret | None = setting(
        "BILLING_API_KEY_PEPPER",
        None,
        "Server-side secret for hashing API keys (HMAC-SHA-256), at least 32 characters, identical in every process",
    )
    page_token_secret: StrongSecret | None = setting(
        "BILLING_PAGE_TOKEN_SECRET",
        None,
        "Signs page tokens, 32 characters or more; derived from the pepper when absent",
    )

    @property
    def certificate_callers(self) -> dict[str, frozenset[Scope]]:
        """Scopes by the name in a client certificate."""
        pairs = (entry.split("=") for entry in self.tls_callers.split(",") if entry)
        return {name: frozenset(map(Scope, scopes.split("+"))) for name, scopes in pairs}

    @property
    def page_token_key(self) -> bytes:
        """Signs page tokens: the secret of its own, else one derived from the pepper."""
        assert self.page_token_secret is not None, "load_settings fills it in"
        return self.page_token_secret.get_secret_value().encode()

    def with_page_token_secret(self) -> Self:
        """Filled in where absent: from the pepper, else a random one, which one process with one file may use until it
        restarts."""
        if self.page_token_secret is not None:
            return self
        secret = secrets.token_hex(32) if self.api_key_pepper is None else derive_page_token_secret(self.api_key_pepper)
        return self.model_copy(update={"page_token_secret": SecretStr(secret)})


def derive_page_token_secret(pepper: SecretStr) -> str:
    return hmac.new(pepper.get_secret_value().encode(), b"page tokens", hashlib.sha256).hexdigest()
