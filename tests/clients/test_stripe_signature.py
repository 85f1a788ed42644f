"""Nothing unsigned is accepted, and no input makes the verifier fail in any other way than by refusing."""

import time

import pytest
from billing_client.stripe_signature import HEADER_BYTES_MAX, SignatureInvalid, verify
from signature_mutations import BODY, NOW_S, OTHER, SECRET, header, mutations, reference, signature

GOOD = signature()
REFUSED = {
    "empty": "",
    "comma": ",",
    "unsigned": f"t={NOW_S}",
    "no time": f"v1={GOOD}",
    "two times": f"t={NOW_S},t={NOW_S},v1={GOOD}",
    "two different times": f"t={NOW_S},t=1,v1={GOOD}",
    "only v0": f"t={NOW_S},v0={GOOD}",
    "v1 as v0": f"t={NOW_S},v0={GOOD},v1=",
    "missing equals": f"t={NOW_S},v1",
    "an element without equals beside a good one": f"t={NOW_S},v1={GOOD},x",
    "tampered": f"t={NOW_S},v1={GOOD[:-1]}{'0' if GOOD[-1] != '0' else '1'}",
    "truncated": f"t={NOW_S},v1={GOOD[:-1]}",
    "upper case": f"t={NOW_S},v1={GOOD.upper()}",
    "other secret": header(secret=OTHER),
    "other time than signed": f"t={NOW_S + 1},v1={GOOD}",
    "other body": header(body=b"{}"),
    "empty time": f"t=,v1={signature(timestamp='')}",
    "negative": header(timestamp=-NOW_S),
    "signed with plus": header(timestamp=f"+{NOW_S}"),
    "space": header(timestamp=f" {NOW_S}"),
    "underscored": header(timestamp="1_900_000_000"),
    "fraction": header(timestamp=f"{NOW_S}.0"),
    "hexadecimal": header(timestamp=hex(NOW_S)),
    "exponent": header(timestamp="1e9"),
    "huge": header(timestamp="9" * 5000),
    "leading zeros without end": header(timestamp="0" * 20 + str(NOW_S)),
    "full-width digits": header(timestamp=str(NOW_S).translate({ord("0") + n: 0xFF10 + n for n in range(10)})),
    "arabic digits": header(timestamp=str(NOW_S).translate({ord("0") + n: 0x0660 + n for n in range(10)})),
    "superscript": header(timestamp="²"),
    "not a number": header(timestamp="NaN"),
    "NUL": header() + "\x00",
    "CRLF": header() + "\r\nt=1",
    "tab": header().replace(",", ",\t"),
    "non-ASCII signature": f"t={NOW_S},v1=é{GOOD[1:]}",
    "non-ASCII beside a good one": header() + ",v2=é",
    "lone surrogate": header() + ",v2=\udcff",
    "too long": header() + ",v2=" + "x" * HEADER_BYTES_MAX,
    "ten thousand signatures": f"t={NOW_S}" + ",v1=" * 10_000,
    "stale": header(timestamp=NOW_S - 301),
    "future": header(timestamp=NOW_S + 301),
    "a year in the future": header(timestamp=NOW_S + 31_536_000),
}


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
@pytest.mark.parametrize(
    "accepted",
    [
        header(),
        f"v1={GOOD},t={NOW_S}",
        f"t={NOW_S},v1=,v1={'0' * 64},v1={GOOD}",
        f"t={NOW_S},v1={GOOD},v1={signature(secret=OTHER)}",
        f"t={NOW_S},v0={'0' * 64},v1={GOOD},v9=x=y",
    ],
)
def test_any_signature_may_fit_any_secret(secrets, accepted):
    verify(BODY, accepted, secrets, NOW_S)


def test_any_bytes_can_be_signed():
    for body in (b"", b"\x00\xff\r\n", "é".encode(), b"x" * 300_000):
        verify(body, header(body=body), [SECRET], NOW_S)


def test_twenty_thousand_mutations_agree_with_the_reference():
    accepted = refused = 0
    started = time.monotonic()
    for body, head in mutations(seed=20_26, count=20_000):
        for form in (head, head.decode("utf-8", "surrogateescape")):
            try:
                verify(body, form, [SECRET, OTHER], NOW_S)
                verdict = True
            except SignatureInvalid:
                verdict = False
            assert verdict == reference(body, head, [SECRET, OTHER]), (body, form)
        accepted, refused = accepted + verdict, refused + (not verdict)
    assert accepted > 2_000
    assert refused > 8_000
    assert time.monotonic() - started < 30
