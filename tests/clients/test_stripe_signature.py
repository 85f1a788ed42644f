"""Nothing unsigned is accepted, and no input makes the verifier fail in any other way than by refusing."""

from contextlib import suppress

import pytest
from billing_client.stripe_signature import SignatureInvalid, verify
from stripe import SignatureVerificationError, WebhookSignature

from tests.support.run_length import LONG
from tests.support.signature_mutations import mutations, reference
from tests.support.signature_seeds import ACCEPTED, BODIES, BODY, NOW_S, OTHER, REFUSED, SECRET, header

MUTATIONS = 50_000 if LONG else 20_000
SEEDS = range(20) if LONG else [20_26]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(SignatureInvalid):
        verify(BODY, REFUSED[name], [SECRET], NOW_S)
    with pytest.raises(SignatureInvalid):
        verify(BODY, REFUSED[name].encode("utf-8", "surrogateescape"), [SECRET], NOW_S)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"evt_1", b"evt_2"), b"\xff\x00"])
def test_a_body_that_was_not_signed_is_refused(body):
    with pytest.raises(SignatureInvalid):
        verify(body, header(), [SECRET], NOW_S)


@pytest.mark.parametrize("secrets", [[], [""], ["  "], [SECRET, ""], [SECRET, "\t"], (), SECRET])
def test_weak_secrets_are_the_deployments_fault(secrets):
    with pytest.raises(ValueError, match="secret"):
        verify(BODY, header(secret=""), secrets, NOW_S)


@pytest.mark.parametrize("tolerance_s", [0, -1, 601, 10**9])
def test_the_time_check_can_not_be_switched_off(tolerance_s):
    with pytest.raises(ValueError, match="tolerance_s"):
        verify(BODY, header(), [SECRET], NOW_S, tolerance_s)


def test_the_refusal_repeats_nothing_of_the_input():
    with pytest.raises(SignatureInvalid) as raised:
        verify(b"canary", "t=1,v1=canary", [SECRET], NOW_S)
    assert "canary" not in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("offset_s", [-300, -1, 0, 1, 300])
def test_accepted_within_the_tolerance_in_both_directions(offset_s):
    verify(BODY, header(timestamp=NOW_S + offset_s), [SECRET], NOW_S)
    verify(BODY, header(timestamp=NOW_S + offset_s).encode(), [SECRET], NOW_S)


@pytest.mark.parametrize(("offset_s", "tolerance_s"), [(1, 1), (-1, 1), (600, 600), (-600, 600)])
def test_accepted_at_the_edge_of_another_tolerance(offset_s, tolerance_s):
    verify(BODY, header(timestamp=NOW_S + offset_s), [SECRET], NOW_S, tolerance_s)
    with pytest.raises(SignatureInvalid):
        verify(BODY, header(timestamp=NOW_S + 2 * offset_s), [SECRET], NOW_S, tolerance_s)


@pytest.mark.parametrize("secrets", [[SECRET], [OTHER, SECRET], [SECRET, OTHER]])
@pytest.mark.parametrize("accepted", ACCEPTED)
def test_any_signature_may_fit_any_secret(secrets, accepted):
    verify(BODY, accepted, secrets, NOW_S)


def test_any_bytes_can_be_signed():
    for body in (*BODIES.values(), b"\x00\xff\r\n", "é".encode(), b"x" * 300_000):
        verify(body, header(body=body), [SECRET], NOW_S)


@pytest.mark.parametrize("seed", SEEDS)
def test_mutations_agree_with_the_reference(seed):
    """A million in the long run. What is accepted, Stripe's own library accepts too."""
    accepted = refused = 0
    for body, head in mutations(seed, MUTATIONS):
        forms = (head, head.decode("utf-8", "surrogateescape"))
        verdicts = {verdict_of(body, form) for form in forms}
        expected = reference(body, head, [SECRET, OTHER])
        assert verdicts == {expected}, (body, head)
        accepted, refused = accepted + expected, refused + (not expected)
        # Stripe signs a time without leading zeros
        if expected and not head.startswith(b"t=0") and b",t=0" not in head:
            assert accepted_by_stripe(body, forms[1]), (body, head)
    assert accepted > MUTATIONS / 10
    assert refused > MUTATIONS / 3


def verdict_of(body, head):
    try:
        verify(body, head, [SECRET, OTHER], NOW_S)
    except SignatureInvalid:
        return False
    return True


def accepted_by_stripe(body, head):
    """Whether either secret fits by Stripe's library, which takes text alone and is not asked about the time."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return True
    for secret in (SECRET, OTHER):
        with suppress(SignatureVerificationError):
            return WebhookSignature.verify_header(text, head, secret)
    return False
