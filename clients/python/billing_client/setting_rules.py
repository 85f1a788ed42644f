"""Rules of settings that the service and the gateway share: names in use, weak secrets, names that neither reads.

No message contains a value: a value may be a secret in the wrong place.
"""

import re
from collections.abc import Iterable
from typing import Final

STRIPE_KEY_NAMES: Final = ("STRIPE_SECRET_KEY", "STRIPE_API_KEY")
"""One key under either name; existing deployments use the second."""
WEBHOOK_SECRET_NAMES: Final = ("STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET_CREDITS")
"""Secrets under both names count together; existing deployments use the second."""
CLIENT_NAMES: Final = frozenset(
    f"BILLING_{name}" for name in ("ADDRESS", "API_KEY", "CA_FILE", "CERTIFICATE_FILE", "PRIVATE_KEY_FILE", "PLAINTEXT")
)
GATEWAY_NAMES: Final = frozenset(
    f"GATEWAY_{name}"
    for name in (
        "HOST",
        "PORT",
        "PATHS",
        "RECEIVE_TIMEOUT_S",
        "FORWARD_TIMEOUT_S",
        "CONNECTIONS_MAX",
        "CONNECTIONS_PER_PEER_MAX",
        "METRICS_PORT",
        "LOG_LEVEL",
    )
)
NAMES_IN_SHARED_ENVIRONMENTS: Final = frozenset(
    {*STRIPE_KEY_NAMES, *WEBHOOK_SECRET_NAMES, *CLIENT_NAMES, *GATEWAY_NAMES}
    | {"DATABASE_URL", "STRIPE_API_BASE", "STRIPE_TIMEOUT_S"}
)
"""Read by the service or the gateway, which often have one environment."""

WEBHOOK_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the public prefix of a secret
WEBHOOK_SECRET_CHARACTERS_MIN: Final = 16
"""Stripe's have 38 characters; a shorter one was typed by hand."""

_PREFIX = re.compile(r"(?:[rsp]k_(?:test|live)_|whsec_)")
_TEMPLATE = re.compile(r"<[^<>]+>|\$\{?\w+\}?|\{\{.*\}\}|%\w+%|.*(?:\.\.\.|[…•]|\*{4}).*", re.DOTALL)
_REPEATED = re.compile(r"(.)\1*|.*(?:(.)\2{7}|x{5}|X{5}).*", re.DOTALL)
_PHRASES = re.compile(
    "placeholder|change(?:me|this)|replace(?:me|this|with)|insertyour|your(?:stripe|webhook|signing|secret|api|key)|(?:secret|key|goes)here"
)
"""Seven letters or more, of which a random secret has none."""
_WORDS = re.compile(
    "(?:a(?:bc|dd|pi)?|ba[rz]|be|billing|change|dashboard|demo|dev|dummy|empty|endpoint|enter|example|fake|fill|foo|from"
    "|gateway|goes|here|in|insert|it|key|live|local|me|mode|my|none|null|of|our|page|pass(?:word)?|pepper|please|prod|put"
    "|random|real|replace|sample|secret|set|signing|some|string|stripe|tbd|test|text|the|this|to|todo|token|undefined"
    r"|value|webhooks?|with|xyz|your|x|\d)+"
)
_DIGITS_MAX: Final = 20
"""Digits alone are a placeholder up to here; a longer row may have been drawn by lot."""

_SYNONYMS: Final = {
    "STRIPE_KEY": "STRIPE_SECRET_KEY",
    "STRIPE_SECRET": "STRIPE_SECRET_KEY",
    "STRIPE_PRIVATE_KEY": "STRIPE_SECRET_KEY",
    "STRIPE_API_SECRET": "STRIPE_SECRET_KEY",
    "STRIPE_SIGNING_SECRET": "STRIPE_WEBHOOK_SECRET",
    "STRIPE_ENDPOINT_SECRET": "STRIPE_WEBHOOK_SECRET",
    "STRIPE_WEBHOOK_KEY": "STRIPE_WEBHOOK_SECRET",
    "STRIPE_WEBHOOK_SIGNING_SECRET": "STRIPE_WEBHOOK_SECRET",
    "STRIPE_WEBHOOK_ENDPOINT_SECRET": "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_URL": "STRIPE_API_BASE",
    "STRIPE_BASE_URL": "STRIPE_API_BASE",
    "DATABASE_DSN": "DATABASE_URL",
    "DATABASE_URI": "DATABASE_URL",
}
_PREFIXES: Final = ("BILLING_", "DATABASE_", "GATEWAY_", "STRIPE_")
TYPING_ERRORS_MAX: Final = 2


def weakness(secret: str) -> str | None:
    """What makes a secret one that nobody drew by lot; None for one that may be real. An empty text has no weakness."""
    if any(character.isspace() for character in secret):
        return "has a blank inside"
    body = _PREFIX.sub("", secret, count=1)
    letters = re.sub(r"[^a-z0-9]", "", body.lower())
    digits = letters.isdigit() and len(letters) > _DIGITS_MAX
    is_placeholder = body and (
        _TEMPLATE.fullmatch(body)
        or _REPEATED.fullmatch(body)
        or _PHRASES.search(letters)
        or (_WORDS.fullmatch(letters) and not digits)
    )
    return "is a placeholder; put the real secret in its place" if is_placeholder else None


def split_secrets(text: str) -> tuple[str, ...]:
    """The secrets of a text that separates them by commas."""
    return tuple(secret.strip() for secret in text.split(","))


def distinct_secrets(texts: Iterable[str]) -> tuple[str, ...]:
    """The secrets of several such texts in order, each once."""
    return tuple(dict.fromkeys(secret for text in texts for secret in split_secrets(text)))


def check_webhook_secrets(secrets: Iterable[str]) -> None:
    """Raises ValueError, without a value, unless there is at least one, each fit for use and named once."""
    given = tuple(secrets)
    for secret in given:
        weak = weakness(secret)
        if weak:
            raise ValueError(weak)
        plain = secret.isascii() and secret.isprintable()
        if not secret.startswith(WEBHOOK_SECRET_PREFIX) or len(secret) < WEBHOOK_SECRET_CHARACTERS_MIN or not plain:
            least = WEBHOOK_SECRET_CHARACTERS_MIN
            raise ValueError(f"each secret must begin with {WEBHOOK_SECRET_PREFIX} and have {least} characters or more")
    if not given:
        raise ValueError("needs at least one secret")
    if len(set(given)) < len(given):
        raise ValueError("has the same secret twice")


def meant_name(name: str, read: Iterable[str]) -> str | None:
    """The name of `read` that `name` was meant to be: one that others use for it, or one or two typing errors away."""
    names = sorted(read)
    synonym = _SYNONYMS.get(name)
    if synonym in names:
        return synonym
    distance, nearest = min(((_typing_errors(name, each), each) for each in names), default=(len(name), ""))
    return nearest if distance <= TYPING_ERRORS_MAX else None


def unread_names(given: Iterable[str], read: Iterable[str] = ()) -> dict[str, str]:
    """Names that look like ours and that neither program reads, each with the name that was meant.

    `read`: what the asking program reads, besides the names in shared environments.
    """
    names = NAMES_IN_SHARED_ENVIRONMENTS | set(read)
    unread = [name for name in sorted(given) if name.startswith(_PREFIXES) and name not in names]
    meant = {name: meant_name(name, names) for name in unread}
    return {name: name_meant for name, name_meant in meant.items() if name_meant}


def hint(name: str, meant: str) -> str:
    """One line for a name that is not read."""
    return f"{name}: is not read; did you mean {meant}?"


def _typing_errors(left: str, right: str) -> int:
    """Characters to insert, drop or replace until the two are the same (Levenshtein's distance)."""
    row = list(range(len(right) + 1))
    for number, character in enumerate(left, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(right, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (character != other))
    return row[-1]
