"""The form of API keys: recognised offline, hashed with a pepper, never shown."""

import pytest

from billing_service.domain.access.api_keys import (
    ENTROPY_BYTES,
    NewKey,
    Scope,
    effective_scopes,
    hash_key,
    key_id_of,
    make_key,
)

PEPPER = b"pepper of the tests, 32 bytes...."


def key_number(n: int) -> NewKey:
    return make_key(bytes([n]) * ENTROPY_BYTES)


def test_keys_have_their_published_form():
    key = make_key(bytes(range(ENTROPY_BYTES)))
    assert len(key.text) == len("bill_") + 16 + 1 + 32 + 7
    assert key_id_of(key.text) == key.key_id
    assert key.text not in repr(key)
    assert len({make_key(bytes([n]) * ENTROPY_BYTES).text for n in range(256)}) == 256
    for wrong in (0, ENTROPY_BYTES - 1, ENTROPY_BYTES + 1):
        with pytest.raises(ValueError, match="entropy"):
            make_key(bytes(wrong))


def test_every_single_typing_error_is_found_without_a_look_up():
    text = key_number(3).text
    for n in range(len(text)):
        for character in "abz27_A=":
            if text[n] != character:
                assert key_id_of(text[:n] + character + text[n + 1 :]) is None
        assert key_id_of(text[:n] + text[n + 1 :]) is None
    for bad in ("", "bill_", text + "\n", " " + text, text.upper(), text + "a"):
        assert key_id_of(bad) is None


def test_hashes_depend_on_key_and_pepper():
    text = key_number(1).text
    assert len({hash_key(PEPPER, text), hash_key(b"other", text), hash_key(PEPPER, key_number(2).text)}) == 3
    assert effective_scopes({Scope.ADMIN}) == frozenset(Scope)
    assert effective_scopes({Scope.READ}) == {Scope.READ}
