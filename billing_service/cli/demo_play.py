"""Where `billing demo` plays its story: on what runs already, or on a stack of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from billing_client import AsyncBillingClient, ClientOptions
from billing_client.addresses import is_local
from billing_client.errors import BillingError

from billing_service.cli.connection import describe
from billing_service.cli.demo_story import Story, StoryFailedError
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, say

HTTP_TIMEOUT_S = 20.0


async def play_demo(options: ClientOptions, sandbox_url: str, *, own: bool) -> None:
    if not is_local(options.address):
        fail(f"the demo only plays on this machine, and {options.address} is another", code=EXIT_MISCONFIGURED)
    async with httpx.AsyncClient(timeout=HTTP_TIMEOUT_S, trust_env=False) as http:
        if await _runs(options, sandbox_url, http):
            await _play(options, sandbox_url, http)
        elif own:
            say("Nothing runs here yet: starting sandbox, service and gateway for the length of this demo.")
            async with _own_stack() as (own_options, own_sandbox_url):
                await _play(own_options, own_sandbox_url, http)
        else:
            fail(
                f"there is no service at {options.address} with a sandbox at {sandbox_url}: "
                "start them by `make run`, or let the demo start its own by `billing demo --own`"
            )


async def _runs(options: ClientOptions, sandbox_url: str, http: httpx.AsyncClient) -> bool:
    """Both: without a sandbox the service speaks to Stripe, where a demo has no business."""
    try:
        state = await http.get(f"{sandbox_url}/_sandbox/state")
    except httpx.HTTPError:
        return False
    if state.status_code != httpx.codes.OK or not is_local(state.request.url.netloc.decode()):
        return False
    async with AsyncBillingClient.from_options(options) as client:
        return await client.is_serving()


async def _play(options: ClientOptions, sandbox_url: str, http: httpx.AsyncClient) -> None:
    async with AsyncBillingClient.from_options(options) as client:
        try:
            await Story(client, http, sandbox_url).tell()
        except StoryFailedError as wrong:
            fail(f"✗ {wrong}")
        except BillingError as error:
            fail(f"✗ {describe(error, options.address)}")
        except httpx.HTTPError as error:
            fail(f"✗ the sandbox at {sandbox_url} did not answer: {type(error).__name__}")


@asynccontextmanager
async def _own_stack() -> AsyncIterator[tuple[ClientOptions, str]]:
    """On ports that the system chooses, with a database that is gone afterwards; no setting of the environment reaches
    it."""
    from billing_service.cli.dev_settings import Ports
    from billing_service.cli.dev_stack import open_dev_stack

    with TemporaryDirectory(prefix="billing-demo-") as directory:
        given = {"DATABASE_URL": f"sqlite:///{Path(directory) / 'demo.db'}", "BILLING_LISTEN": "127.0.0.1:0"}
        async with open_dev_stack(given, Ports(sandbox=0, gateway=0)) as stack:
            assert stack.sandbox_url is not None, "there is no Stripe key among the settings"
            yield stack.client, stack.sandbox_url
