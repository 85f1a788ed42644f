"""A card's file as it travels and is stored: compressed, and within bounds."""

import zlib
from typing import Final

from billing_service.domain.catalogue.rate_card_checks import CardInvalid
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_cards import RateCard

FILE_BYTES_MAX: Final = 16 << 20
"""Of a card's JSON: twice what all of litellm's map makes, which is 7 MB."""
GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 9


def packed(text: str) -> bytes:
    """A card's JSON, compressed by gzip. Another version of zlib may make other bytes of the same text."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(text.encode()) + compressor.flush()


def unpacked(content: bytes) -> RateCard:
    """The card of a file, compressed by gzip or as it is. Raises CardInvalid with every problem, each under its
    path."""
    try:
        return read_card(_file(content).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CardInvalid([f"file: not UTF-8: {error}"]) from None


def _file(content: bytes) -> bytes:
    if not content.startswith(GZIP_MAGIC):
        found = content
    else:
        decompressor = zlib.decompressobj(_GZIP_WINDOW)
        try:
            found = decompressor.decompress(content, FILE_BYTES_MAX + 1)
        except zlib.error as error:
            raise CardInvalid([f"file: not gzip: {error}"]) from None
        if len(found) <= FILE_BYTES_MAX and (not decompressor.eof or decompressor.unused_data):
            raise CardInvalid(["file: not gzip: it must be one whole compressed file"])
    if len(found) > FILE_BYTES_MAX:
        raise CardInvalid([f"file: is larger than {FILE_BYTES_MAX} bytes"])
    return found
