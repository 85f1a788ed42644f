"""A card's file as it travels: what is no file of a card, what is too large, and the same card back."""

import gzip
import zlib

import pytest
from hypothesis import given

from billing_service.domain.catalogue.rate_card_checks import CardInvalid
from billing_service.domain.catalogue.rate_card_packing import FILE_BYTES_MAX, packed, unpacked
from billing_service.domain.catalogue.rate_card_text import card_text
from tests.support.rate_card_examples import card_file, cards

WHOLE = gzip.compress(card_file())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "file: not JSON: "),
        (b"\xff", "file: not UTF-8: "),
        (gzip.compress(b"\xff"), "file: not UTF-8: "),
        (gzip.compress(b""), "file: not JSON: "),
        (b"\x1f\x8b", "file: not gzip: "),
        (b"\x1f\x8bx", "file: not gzip: "),
        (WHOLE[:-1], "file: not gzip: it must be one whole compressed file"),
        (WHOLE + WHOLE, "file: not gzip: it must be one whole compressed file"),
        (WHOLE[:40] + b"\x00" + WHOLE[41:], "file: not gzip: "),
        (gzip.compress(bytes(FILE_BYTES_MAX + 1)), f"file: is larger than {FILE_BYTES_MAX} bytes"),
        (bytes(FILE_BYTES_MAX + 1), f"file: is larger than {FILE_BYTES_MAX} bytes"),
        (b"[" * 100_000, "file: not JSON: "),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_is_no_file_of_a_card_is_said(content, problem):
    with pytest.raises(CardInvalid) as invalid:
        unpacked(content)
    assert len(invalid.value.problems) == 1
    assert invalid.value.problems[0].startswith(problem)


def test_a_bomb_is_never_unpacked_whole(monkeypatch):
    asked = []
    make = zlib.decompressobj

    class Watched:
        def __init__(self, *arguments):
            self._real = make(*arguments)
            self.eof, self.unused_data = False, b""

        def decompress(self, content, most):
            asked.append(most)
            return self._real.decompress(content, most)

    monkeypatch.setattr("billing_service.domain.catalogue.rate_card_packing.zlib.decompressobj", Watched)
    with pytest.raises(CardInvalid, match="larger"):
        unpacked(gzip.compress(bytes(FILE_BYTES_MAX * 8)))
    assert asked == [FILE_BYTES_MAX + 1]


@given(cards())
def test_a_card_comes_back_as_it_was(card):
    text = card_text(card)
    assert unpacked(text.encode()) == unpacked(packed(text))
    assert card_text(unpacked(packed(text))) == text
