"""A value of its own for every secret that the product is given, and what all of them are looked for in."""

import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit, urlunsplit

import httpx
from postgres_tools import run_tool
from stack import PEPPER, STRIPE_KEY, WEBHOOK_SECRET

DATABASE_PASSWORD = "canary-of-the-database"
OLD_WEBHOOK_SECRET = "whsec_" + "canary-that-rotates-out"
CREDITS_WEBHOOK_SECRET = "whsec_" + "canary-of-another-name"
PROXY_PASSWORD = "canary-of-the-proxy"
PAGE_TOKEN_SECRET = "canary-of-page-tokens-" + "0123456789"
SETTINGS = {
    "DATABASE_URL": DATABASE_PASSWORD,
    "BILLING_API_KEY_PEPPER": PEPPER,
    "BILLING_PAGE_TOKEN_SECRET": PAGE_TOKEN_SECRET,
    "HTTPS_PROXY": f"http://user:{PROXY_PASSWORD}@proxy.invalid:3128",
    "STRIPE_SECRET_KEY": STRIPE_KEY,
    "STRIPE_API_KEY": STRIPE_KEY,
    "STRIPE_WEBHOOK_SECRET": f"{WEBHOOK_SECRET},{OLD_WEBHOOK_SECRET}",
    "STRIPE_WEBHOOK_SECRET_CREDITS": CREDITS_WEBHOOK_SECRET,
}
"""By setting; of the database's URL the password alone, and of the proxy's the password is the secret."""


def secret_parts(*api_keys):
    """What must be nowhere: the secrets themselves, and of API keys the random part, since their ids are no secret."""
    whole = [
        DATABASE_PASSWORD,
        PROXY_PASSWORD,
        PEPPER,
        PAGE_TOKEN_SECRET,
        STRIPE_KEY,
        WEBHOOK_SECRET,
        OLD_WEBHOOK_SECRET,
        CREDITS_WEBHOOK_SECRET,
    ]
    return [*whole, *(key.split("_")[2][:32] for key in api_keys)]


def found(secrets, text):
    """Those that a text has, as they are or in hexadecimal."""
    lower = text.lower()
    return [secret for secret in secrets if secret in text or secret.encode().hex() in lower]


def settings_with_canaries(database, settings):
    """Settings of a service with a canary for each secret; the test server asks for no password, and so takes any."""
    given = settings | {name: value for name, value in SETTINGS.items() if name != "DATABASE_URL"}
    return given | ({"DATABASE_URL": with_password(database.url)} if database.store == "postgresql" else {})


def with_password(url):
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"postgres:{DATABASE_PASSWORD}@{host}"))


def stored(database):
    """All that is stored: as text, and of a SQLite database also the bytes of its files, which have what was deleted too."""
    if database.store == "postgresql":
        return run_tool("pg_dump", database.url)
    with closing(sqlite3.connect(database.path)) as connection:
        text = "\n".join(connection.iterdump())
    files = [path.read_bytes().decode("latin-1") for path in database.path.parent.glob(f"{database.path.name}*")]
    return "\n".join([text, *files])


@asynccontextmanager
async def running_gateway(processes, service_address, api_key, metrics_port):
    """The gateway as a process of its own: its URL, and a function that reads all it logged."""
    env = {name: value for name, value in SETTINGS.items() if name.startswith("STRIPE_WEBHOOK_SECRET")}
    env |= {"BILLING_ADDRESS": service_address, "BILLING_API_KEY": api_key}
    env |= {"GATEWAY_PORT": "0", "GATEWAY_METRICS_PORT": str(metrics_port)}
    process = processes.start(sys.executable, "-m", "webhook_gateway", **env)
    listening = await processes.until_said(process, '"listening"')
    url = listening.partition('"url":"')[2].partition('"')[0]
    yield url, process.log.read_text
    assert await processes.stop(process) == 0


async def metrics(*ports):
    async with httpx.AsyncClient(timeout=20) as http:
        return "\n".join([(await http.get(f"http://127.0.0.1:{port}/metrics")).text for port in ports])
