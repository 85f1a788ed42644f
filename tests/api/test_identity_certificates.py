"""Who a certificate makes a caller."""

import pytest

from billing_service.api.identity import Identity
from billing_service.domain.access.api_keys import Scope
from tests.api.key_ring import FakePeer, KeyRing, bearer, identify, key_number, rejected

CERTIFICATES = [
    ({"x509_subject_alternative_name": [b"gateway.internal"]}, "gateway.internal"),
    (
        {"x509_subject_alternative_name": [b"other", b"gateway.internal"], "x509_common_name": [b"x"]},
        "gateway.internal",
    ),
    ({"x509_common_name": [b"gateway.internal"]}, "gateway.internal"),
    ({"x509_subject_alternative_name": [b"other"], "x509_common_name": [b"gateway.internal"]}, None),
    ({"x509_common_name": [b"gateway.internal.evil"]}, None),
    ({"transport_security_type": [b"insecure"]}, None),
    ({}, None),
]


@pytest.mark.parametrize(("properties", "caller"), CERTIFICATES)
async def test_certificates(properties, caller):
    authenticator = KeyRing().authenticator(gateway_internal=frozenset({Scope.WEBHOOK}))
    if caller is None:
        await rejected(authenticator, FakePeer(properties=properties))
    else:
        assert await identify(authenticator, FakePeer(properties=properties)) == Identity(
            caller, frozenset({Scope.WEBHOOK})
        )


async def test_a_bad_key_is_not_saved_by_a_good_certificate():
    properties = {"x509_common_name": [b"gateway.internal"]}
    authenticator = KeyRing().authenticator(gateway_internal=frozenset({Scope.WEBHOOK}))
    await rejected(authenticator, FakePeer((bearer(key_number(1)),), properties))
