"""Finds an installed library and hands out its price list as plain values, with its version. Only the command line
calls this."""

import importlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

LITELLM_MAP: Final = "model_prices_and_context_window_backup.json"
EXTRAS: Final = {"litellm": "rates-litellm", "genai-prices": "rates-genai"}


class LibraryMissingError(Exception):
    """The library is not installed, or is not what it was. The message says what to install."""

    def __init__(self, library: str) -> None:
        super().__init__(
            f"{library} is not installed here: pip install 'prepaid-billing[{EXTRAS[library]}]', or "
            f"name a file of its prices"
        )


def installed_litellm() -> tuple[dict[str, Any], str]:
    """The price map that comes with litellm, and litellm's version. The file is read; litellm itself is not
    imported."""
    spec = importlib.util.find_spec("litellm")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = [path for folder in folders if (path := Path(folder) / LITELLM_MAP).is_file()]
    if not files:
        raise LibraryMissingError("litellm")
    return price_map_of(files[0].read_text(encoding="utf-8")), importlib.metadata.version("litellm")


def price_map_of(text: str) -> dict[str, Any]:
    """A price list's JSON with its numbers as decimals. Raises ValueError for what is no JSON object."""
    found = json.loads(text, parse_float=Decimal)
    if not isinstance(found, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - for whoever reads a file both are a wrong value
    return found


def installed_genai_prices() -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """The providers and units that come with genai-prices, and its version."""
    try:
        providers = importlib.import_module("genai_prices.data").providers
        units = importlib.import_module("genai_prices.data_units").unit_data
    except (ImportError, AttributeError):
        raise LibraryMissingError("genai-prices") from None
    plain_providers = [
        {"id": provider.id, "models": [plain(model) for model in provider.models]} for provider in providers
    ]
    return plain_providers, dict(units), importlib.metadata.version("genai-prices")


def plain(value: Any) -> Any:
    """An object of genai-prices as it is in the project's JSON: its fields by name, without those that are empty."""
    if is_dataclass(value):
        found = {field.name.rstrip("_"): plain(getattr(value, field.name)) for field in fields(value)}
    elif isinstance(value, Mapping):
        found = {key: plain(part) for key, part in value.items()}
    elif isinstance(value, list):
        return [plain(part) for part in value]
    elif isinstance(value, date | time):
        return value.isoformat()
    elif isinstance(value, str | int | Decimal) or value is None:
        return value
    else:  # a ModelPrice has no fields and keeps its prices as attributes
        found = {key: plain(part) for key, part in vars(value).items()}
    return {key: part for key, part in found.items() if part is not None}
