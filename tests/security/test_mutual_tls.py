"""Client certificates end to end: the service with its authority and callers by name, the client with its
certificate."""

import pytest
import trustme
from billing_client import AsyncBillingClient
from billing_client.errors import ApiKeyInvalid, ScopeMissing, ServiceUnreachable

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.support.service_process import NO_STRIPE
from tests.support.stack import environment


class Certificates:
    """Files of certificates from authorities that live as long as the test."""

    def __init__(self, directory):
        self._directory = directory
        self.servers, self.clients, self.strangers = trustme.CA(), trustme.CA(), trustme.CA()
        self.servers_ca, self.clients_ca = self._ca("servers", self.servers), self._ca("clients", self.clients)
        self.server = self.issue(self.servers, "127.0.0.1")

    def _ca(self, name, authority):
        path = self._directory / f"{name}-ca.pem"
        authority.cert_pem.write_to_path(path)
        return path

    def issue(self, authority, name):
        """Paths of a chain and its key."""
        made = authority.issue_cert(name)
        chain, key = self._directory / f"{id(made)}.pem", self._directory / f"{id(made)}.key"
        chain.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
        made.private_key_pem.write_to_path(key)
        return chain, key


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


@pytest.fixture
async def service(database, certificates):
    chain, key = certificates.server
    settings = environment(
        database.url,
        NO_STRIPE,
        BILLING_MIGRATE_ON_START="false",
        BILLING_AUTH="keys",
        BILLING_TLS_CERTIFICATE_FILE=str(chain),
        BILLING_TLS_PRIVATE_KEY_FILE=str(key),
        BILLING_TLS_CLIENT_CA_FILE=str(certificates.clients_ca),
        BILLING_TLS_CALLERS="metering.internal=read+deduct,operator.internal=admin",
    )
    async with open_service(load_settings(settings)) as started:
        yield started


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_callers_are_known_by_their_certificates_and_strangers_are_not(service, certificates):
    def client(authority, name, **options):
        chain, key = certificates.issue(authority, name)
        files = {"ca_file": certificates.servers_ca, "certificate_file": chain, "private_key_file": key}
        return AsyncBillingClient(service.address, **{**files, **options})

    async with client(certificates.strangers, "metering.internal") as stranger:
        with pytest.raises(ServiceUnreachable):
            await stranger.get_balance(account_id="a", timeout_s=1)
    async with AsyncBillingClient(service.address, ca_file=certificates.servers_ca) as nobody:
        with pytest.raises(ServiceUnreachable):
            await nobody.get_balance(account_id="a", timeout_s=1)
    async with client(certificates.clients, "metering.internal", ca_file=certificates.clients_ca) as deceived:
        with pytest.raises(ServiceUnreachable):
            await deceived.get_balance(account_id="a", timeout_s=1)
    async with client(certificates.clients, "unheard-of.internal") as unknown:
        with pytest.raises(ApiKeyInvalid):
            await unknown.get_balance(account_id="a")
    async with (
        client(certificates.clients, "operator.internal") as operator,
        client(certificates.clients, "metering.internal") as metering,
    ):
        with pytest.raises(ScopeMissing):
            await metering.grant_credits(account_id="a", amount_microcredits=5, reason="test")
        await operator.grant_credits(account_id="a", amount_microcredits=5, reason="test")
        answer = await metering.deduct_credits(account_id="a", amount_microcredits=2)
        assert answer.balance.available_microcredits == 3
        records = (await operator.list_audit_records(account_id="a")).records
        assert {record.caller for record in records} == {"operator.internal"}
