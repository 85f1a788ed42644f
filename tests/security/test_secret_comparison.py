"""Secrets are compared so that the time taken tells nothing: whole, each with each, whether or not one fitted
before."""

import hashlib
import hmac

import pytest
from billing_client.stripe_signature import SignatureInvalid, verify

from billing_service.api.identity import CallerAuthenticator
from billing_service.domain.access.api_keys import ENTROPY_BYTES, ApiKey, Scope, hash_key, make_key
from billing_service.domain.deployment import MarkKind
from billing_service.domain.refusals import Reason, Refusal
from tests.support.doubles import DEPLOYMENT

NOW_S = 1_800_000_000
BODY = b"{}"
SECRETS = ["first-" + "secret", "second-" + "secret"]
PEPPER = b"pepper"


@pytest.fixture
def compared(monkeypatch):
    """Pairs that were compared in constant time."""
    pairs = []
    compare = hmac.compare_digest

    def recording(one, other):
        pairs.append((bytes(one), bytes(other)))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", recording)
    return pairs


def sign(secret):
    return hmac.new(secret.encode(), b"%d.%b" % (NOW_S, BODY), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("good", [True, False])
def test_each_signature_is_compared_with_each_secret_in_constant_time(compared, good):
    signatures = [sign(SECRETS[0]) if good else "0" * 64, "1" * 64]
    header = f"t={NOW_S}," + ",".join(f"v1={one}" for one in signatures)
    if good:
        verify(BODY, header, SECRETS, NOW_S)
    else:
        with pytest.raises(SignatureInvalid):
            verify(BODY, header, SECRETS, NOW_S)
    assert compared == [(sign(secret).encode(), signature.encode()) for secret in SECRETS for signature in signatures]


@pytest.mark.parametrize("mark", ["", "0" * 32, DEPLOYMENT.mark(MarkKind.CUSTOMER, "ada")])
def test_a_mark_is_compared_in_constant_time(compared, mark):
    expected = DEPLOYMENT.mark(MarkKind.CUSTOMER, "ada")
    assert DEPLOYMENT.made(MarkKind.CUSTOMER, "ada", mark) is (mark == expected)
    assert compared == [(expected.encode(), mark.encode())]


class BearerPeer:
    def __init__(self, text):
        self._text = text

    def invocation_metadata(self):
        return [("authorization", f"Bearer {self._text}")]

    def auth_context(self):
        return {}


@pytest.mark.parametrize("kept", ["right", "other secret", "nothing"])
async def test_a_key_s_hash_is_compared_in_constant_time_known_or_not(compared, kept):
    key, other = make_key(bytes(ENTROPY_BYTES)), make_key(b"\1" * ENTROPY_BYTES)
    hashed = hash_key(PEPPER, key.text if kept == "right" else other.text)

    async def find_api_key(key_id):
        return None if kept == "nothing" else ApiKey(key_id, "web", frozenset({Scope.READ}), hashed, 0)

    authenticator = CallerAuthenticator(
        pepper=PEPPER, find_api_key=find_api_key, note_use=lambda *_: None, now_us=lambda: 1
    )
    if kept == "right":
        assert (await authenticator.authenticate(BearerPeer(key.text))).caller == "web"
    else:
        with pytest.raises(Refusal) as refused:
            await authenticator.authenticate(BearerPeer(key.text))
        assert refused.value.reason is Reason.API_KEY_INVALID
    assert compared == [(hash_key(PEPPER, key.text), bytes(32) if kept == "nothing" else hashed)]
