"""`python -m webhook_gateway`: serve until SIGINT or SIGTERM, then finish what is in flight."""

import asyncio
import signal
import sys

import structlog
from pydantic import ValidationError

from webhook_gateway.logs import log_as_json
from webhook_gateway.metrics import serving_metrics
from webhook_gateway.run import serve_gateway
from webhook_gateway.settings import GatewaySettings, describe, hints

EXIT_MISCONFIGURED = 2

log = structlog.get_logger("webhook_gateway")


async def serve(settings: GatewaySettings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    with serving_metrics(settings.gateway_metrics_port):
        async with serve_gateway(settings.config(), settings.gateway_host, settings.gateway_port) as url:
            log.info("listening", url=url, billing_address=settings.billing_address)
            await stopped.wait()
            log.info("stopping")


def main() -> int:
    log_as_json()
    try:
        settings = GatewaySettings()
    except ValidationError as invalid:
        sys.stderr.write("".join(f"{line}\n" for line in [*describe(invalid), *hints()]))
        return EXIT_MISCONFIGURED
    except UnicodeDecodeError:
        sys.stderr.write(".env: is not UTF-8\n")
        return EXIT_MISCONFIGURED
    log_as_json(settings.gateway_log_level)
    for line in hints():
        log.warning("setting_not_read", hint=line)
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
