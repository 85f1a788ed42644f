import sys
from pathlib import Path

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "clients"))
sys.path.insert(0, str(Path(__file__).parent))

from gateway_bench import FakeEventService, gateway_config

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
