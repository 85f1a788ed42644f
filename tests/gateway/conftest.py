import sys
from pathlib import Path

import aiohttp
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.with_name("clients")), str(HERE.with_name("crash"))]

from gateway_bench import FakeEventService, gateway_config  # noqa: E402 - found by the path above

from webhook_gateway.run import serve_gateway  # noqa: E402 - same


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
