#!/usr/bin/env bash
# stripe 16.1.0 with httpx 0.28.1: the SDK's own `proxy` argument and asynchronous calls.
# Behaviour: HTTPXClient(proxy=...) is accepted, and every asynchronous call then fails before anything is sent. The
# cause is a TypeError (httpx has no parameter `proxies` any more), which the SDK reports as APIConnectionError, a
# network error.
# Output seen: "APIConnectionError, because of TypeError: ... unexpected keyword argument 'proxies'; the proxy saw 0
# connections"
# Lesson: where Stripe is reached through a proxy, hand over a transport of one's own, and prove it with a call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "stripe[async]==16.1.0" "httpx==0.28.1"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio

import stripe

connections = []


async def main():
    async def proxy(_reader, writer):
        connections.append(writer)
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = stripe.StripeClient("sk_" + "test_1", http_client=stripe.HTTPXClient(proxy=address))
    try:
        await client.v1.customers.list_async()
    except stripe.APIConnectionError as error:
        cause = error.__cause__ or error.__context__
        why = f"{type(cause).__name__}: {cause}"
        print(f"APIConnectionError, because of {why}; the proxy saw {len(connections)} connections")
        assert isinstance(cause, TypeError), cause
        assert "proxies" in str(cause), cause
        assert not connections
    else:
        raise SystemExit("the call went through: this finding is out of date")


asyncio.run(main())
PYTHON
