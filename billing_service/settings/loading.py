"""Settings from the environment and `.env`: `load_settings` is the one door."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from billing_client.setting_rules import CLIENT_NAMES, hint, meant_name, unread_names
from pydantic import ValidationError

from billing_service.settings.contradictions import contradictions, missing_to_serve
from billing_service.settings.model import Settings, SettingsInvalid, known_names
from billing_service.settings.proxies import under_one_name, unusable_proxy
from billing_service.settings.sources import process_environment
from billing_service.settings.values import PORT_MAX

PREFIX: Final = "BILLING_"
PREFIXES_OF_OTHERS: Final = ("BILLING_TEST_", "BILLING_BENCH_")

Purpose = Literal["serve", "operate"]
"""`serve` needs Stripe and a pepper; `operate` (migrate, verify, backup …) only the database."""


def load_settings(env: Mapping[str, str] | None = None, *, purpose: Purpose = "serve") -> Settings:
    """Settings from `env`; without it from the process's environment over `.env` in the working directory.

    Empty values count as absent. Raises SettingsInvalid.
    """
    given = {name: value for name, value in (_environment() if env is None else env).items() if value.strip()}
    problems = unknown_settings(given, known_names())
    try:
        settings = Settings.model_validate(frontend_of_the_gateway(given) | given | under_one_name(given))
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False, include_context=False)
        order = known_names()
        problems += [_line(error) for error in sorted(errors, key=lambda error: order.index(str(error["loc"][0])))]
        raise SettingsInvalid(problems + hints(given)) from None
    settings = settings.with_one_stripe_key()
    problems += contradictions(settings) + unusable_proxy(settings.stripe_proxy)
    if purpose == "serve":
        problems += missing_to_serve(settings)
    if problems:
        raise SettingsInvalid(problems + hints(given))
    return settings.with_page_token_secret()


def hints(env: Mapping[str, str] | None = None) -> list[str]:
    """One line for each name of `env` (else of the environment and `.env`) that looks like a setting and is not
    read."""
    found = unread_names(_environment() if env is None else env, known_names())
    return [hint(name, meant) for name, meant in found.items() if not name.startswith(PREFIX)]


def _environment() -> dict[str, str]:
    try:
        return process_environment()
    except UnicodeDecodeError:
        raise SettingsInvalid([".env: is not UTF-8"]) from None


def _line(error: Mapping[str, Any]) -> str:
    return f"{error['loc'][0]}: {error['msg'].removeprefix('Value error, ')}"


def unknown_settings(given: Iterable[str], known: list[str]) -> list[str]:
    """A line for each variable of ours that is none: a typing error would otherwise leave a default in force,
    unseen."""
    problems = []
    for name in sorted(given):
        if (
            name.startswith(PREFIX)
            and name not in known
            and name not in CLIENT_NAMES
            and not name.startswith(PREFIXES_OF_OTHERS)
        ):
            close = [meant_name(name, CLIENT_NAMES) or "", *difflib.get_close_matches(name, known, n=1, cutoff=0.7)]
            meant = next(filter(None, close), None)
            problems.append(f"{name}: there is no such setting" + (f"; did you mean {meant}?" if meant else ""))
    return problems


def frontend_of_the_gateway(given: Mapping[str, str]) -> dict[str, str]:
    """FRONTEND_URL, where the gateway of this environment listens on another port than its usual one."""
    port = given.get("GATEWAY_PORT", "")
    is_port = port.isascii() and port.isdecimal() and 0 < int(port) <= PORT_MAX
    return {"FRONTEND_URL": f"http://127.0.0.1:{int(port)}"} if is_port else {}
