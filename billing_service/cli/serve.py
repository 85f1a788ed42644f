"""`billing serve`: the service."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_service.cli.failures import explained
from billing_service.cli.stopping import Stop, run_until_stopped
from billing_service.cli.workers import WORKERS_MAX, confirm_workers, supervise

if TYPE_CHECKING:
    from billing_service.settings import Settings


def serve(
    uvloop: Annotated[
        bool, typer.Option(help="Run on uvloop, which answers a tenth more calls, or on asyncio's own event loop.")
    ] = True,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            max=WORKERS_MAX,
            help="Processes, on PostgreSQL. Each listens at a port of its own, from that of BILLING_LISTEN on.",
        ),
    ] = 1,
) -> None:
    """Run the billing service. SIGTERM and Ctrl-C let calls finish; a second one ends at once."""
    import structlog

    from billing_service.logs import configure_logs
    from billing_service.settings import load_settings
    from billing_service.settings.loading import hints

    with explained():
        settings = load_settings()
        configure_logs(settings)
        for line in hints():
            structlog.get_logger().warning("setting_not_read", hint=line)
        if workers > 1:
            listen = confirm_workers(settings, workers)
            code = asyncio.run(run_until_stopped(lambda stop: supervise(settings, listen, stop, uvloop=uvloop)))
        else:
            with asyncio.Runner(loop_factory=uvloop_or_none(uvloop)) as runner:
                code = runner.run(run_until_stopped(lambda stop: _serve(settings, stop)))
    raise typer.Exit(code)


async def _serve(settings: "Settings", stop: Stop) -> None:
    from billing_service.bootstrap import open_service
    from billing_service.collector import collector_spared

    async with open_service(settings) as running:
        with collector_spared():
            stop.cut_off = lambda: running.server.stop(at_once=True)
            await stop.asked.wait()


def uvloop_or_none(wanted: bool) -> Any:
    """Makes event loops of uvloop; None for asyncio's own."""
    if not wanted:
        return None
    import uvloop

    return uvloop.new_event_loop
