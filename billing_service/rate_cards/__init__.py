"""Rate cards as data: the one that comes with the service, and a deployment's own files of the same kind."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from billing_service.domain.catalogue.rate_card_checks import CardInvalid
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_cards import RateCard

BUILT_IN: Final = "built_in"
SUFFIX: Final = ".json"
FILE_BYTES_MAX: Final = 64 << 20
"""Ten times the card of a whole price map; more is some other file."""


@cache
def built_in_card() -> RateCard:
    """The card that comes with the service."""
    return load_rate_card(BUILT_IN)


def load_rate_card(name_or_path: str | Path = BUILT_IN) -> RateCard:
    """The built-in card, or the one in that JSON file (a path ends in `.json`).

    Raises CardInvalid, whose problems name the path of each fault in the file, also for a file that is missing or not
    JSON.
    """
    try:
        return read_card(_content(str(name_or_path)).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CardInvalid([f"file: not UTF-8: {error}"]) from None


def _content(source: str) -> bytes:
    if source == BUILT_IN:
        return files(__name__).joinpath(BUILT_IN + SUFFIX).read_bytes()
    if not source.endswith(SUFFIX):
        raise CardInvalid(
            [f"file: no card has the name {source!r}; there is {BUILT_IN!r}, and there are files ending in {SUFFIX}"]
        )
    try:
        with Path(source).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CardInvalid([f"file: can't be read: {error.strerror}"]) from error
    if len(content) > FILE_BYTES_MAX:
        raise CardInvalid([f"file: is larger than {FILE_BYTES_MAX} bytes"])
    return content
