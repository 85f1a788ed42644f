"""The gateway's settings from the environment and `.env`. Weak or contradictory ones raise pydantic's ValidationError,
without their values."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from billing_client.addresses import is_local
from billing_client.options import ADDRESS_DEFAULT, ClientOptions
from billing_client.setting_rules import (
    GATEWAY_NAMES,
    check_webhook_secrets,
    distinct_secrets,
    hint,
    meant_name,
    split_secrets,
    unread_names,
    weakness,
)
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from webhook_gateway.config import PATHS_DEFAULT, GatewayConfig

ENV_FILE = Path(".env")
PREFIX = "GATEWAY_"


def _fit_webhook_secrets(value: SecretStr) -> SecretStr:
    check_webhook_secrets(split_secrets(value.get_secret_value()))
    return value


def _no_placeholder(value: SecretStr) -> SecretStr:
    weak = weakness(value.get_secret_value())
    if weak:
        raise ValueError(weak)
    return value


WebhookSecrets = Annotated[SecretStr, AfterValidator(_fit_webhook_secrets)]
ApiKey = Annotated[SecretStr, AfterValidator(_no_placeholder)]


class GatewaySettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    stripe_webhook_secret: WebhookSecrets | None = None
    """One or, while one is being rotated, several separated by commas."""
    stripe_webhook_secret_credits: WebhookSecrets | None = None
    """More of them, under the name that existing deployments use."""
    billing_address: str = ADDRESS_DEFAULT
    billing_api_key: ApiKey | None = None
    billing_ca_file: Path | None = None
    billing_certificate_file: Path | None = None
    billing_private_key_file: Path | None = None
    billing_plaintext: bool = False
    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=0, le=65535)
    gateway_paths: str = ""
    """More paths of webhooks, separated by commas."""
    gateway_receive_timeout_s: float = Field(default=10.0, ge=0.1, le=60)
    gateway_forward_timeout_s: float = Field(default=5.0, ge=0.1, le=30)
    gateway_connections_max: int = Field(default=1000, ge=1, le=100_000)
    gateway_connections_per_peer_max: int = Field(default=500, ge=1, le=100_000)
    gateway_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    gateway_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in given_names():
            if name.startswith(PREFIX) and name not in GATEWAY_NAMES:
                meant = meant_name(name, GATEWAY_NAMES)
                raise ValueError(f"{name}: there is no such setting" + (f"; did you mean {meant}?" if meant else ""))
        if not self.webhook_secrets:
            raise ValueError("STRIPE_WEBHOOK_SECRET: is required")
        if (
            self.billing_api_key is None
            and self.billing_certificate_file is None
            and not is_local(self.billing_address)
        ):
            raise ValueError("BILLING_API_KEY: needed, since BILLING_ADDRESS is another machine")
        if self.gateway_metrics_port is not None and self.gateway_metrics_port == self.gateway_port:
            raise ValueError("GATEWAY_METRICS_PORT: is GATEWAY_PORT already")
        self.config()
        for name in ("billing_ca_file", "billing_certificate_file", "billing_private_key_file"):
            file: Path | None = getattr(self, name)
            if file is not None and not file.is_file():
                raise ValueError(f"{name.upper()}: there is no such file")
        return self

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets of both names, each once."""
        given = [
            each.get_secret_value() for each in (self.stripe_webhook_secret, self.stripe_webhook_secret_credits) if each
        ]
        return distinct_secrets(given)

    def config(self) -> GatewayConfig:
        """ValueError names the setting."""
        api_key = self.billing_api_key.get_secret_value() if self.billing_api_key else None
        try:
            return GatewayConfig(
                secrets=self.webhook_secrets,
                billing=ClientOptions(
                    address=self.billing_address,
                    api_key=api_key,
                    ca_file=self.billing_ca_file,
                    certificate_file=self.billing_certificate_file,
                    private_key_file=self.billing_private_key_file,
                    plaintext=self.billing_plaintext,
                ),
                paths=(*PATHS_DEFAULT, *(path.strip() for path in self.gateway_paths.split(",") if path.strip())),
                receive_timeout_s=self.gateway_receive_timeout_s,
                forward_timeout_s=self.gateway_forward_timeout_s,
                connections_max=self.gateway_connections_max,
                connections_per_peer_max=self.gateway_connections_per_peer_max,
            )
        except ValueError as unfit:
            raise ValueError(_named_as_setting(str(unfit))) from unfit


_SETTING_OF = {
    "paths": "GATEWAY_PATHS",
    "connections_max": "GATEWAY_CONNECTIONS_MAX",
    "address": "BILLING_ADDRESS",
    "api_key": "BILLING_API_KEY",
    "certificate_file": "BILLING_CERTIFICATE_FILE",
    "plaintext": "BILLING_PLAINTEXT",
}


def given_names() -> list[str]:
    """Of all variables of the environment and of `.env`."""
    return sorted({name.upper() for name in (*os.environ, *DotEnvSettingsSource(GatewaySettings).env_vars)})


def _named_as_setting(message: str) -> str:
    """The message with the setting's name for the first word, by which options and configuration name what does not
    fit."""
    name = message.split(maxsplit=1)[0].rstrip(":")
    return f"{_SETTING_OF[name]}{message[len(name) :]}" if name in _SETTING_OF else message


def hints() -> list[str]:
    """One line for each name that looks like a setting and is not read."""
    return [hint(name, meant) for name, meant in unread_names(given_names()).items() if not name.startswith(PREFIX)]


def describe(invalid: ValidationError) -> list[str]:
    """One line for each setting that does not fit, with its name and without its value."""
    lines = []
    for error in invalid.errors(include_input=False, include_url=False):
        message = error["msg"].removeprefix("Value error, ")
        name = ".".join(str(part) for part in error["loc"]).upper()
        lines.append(f"{name}: {message}" if name else message)
    return lines
