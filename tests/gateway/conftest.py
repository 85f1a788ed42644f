import aiohttp
import pytest

from tests.gateway.gateway_bench import FakeEventService, gateway_config
from webhook_gateway.run import serve_gateway


@pytest.fixture
def service():
    return FakeEventService()


@pytest.fixture
def config():
    return gateway_config()


@pytest.fixture
async def gateway(config, service):
    async with serve_gateway(config, service=service) as url:
        yield url


@pytest.fixture
async def http(gateway):
    async with aiohttp.ClientSession(gateway, auto_decompress=False) as session:
        yield session
