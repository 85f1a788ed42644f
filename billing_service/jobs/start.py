"""Starts the loops of a service, as its settings say."""

import random
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import structlog

from billing_service.clock import ClockUs, UnhurriedClock, system_clock_us
from billing_service.commands.environment import Environment
from billing_service.feed.delivery import DELIVER_EVERY_S, Delivery
from billing_service.feed.head import FeedHead
from billing_service.feed.placing import PLACE_EVERY_S, Placing
from billing_service.feed.sending import Sender
from billing_service.jobs.expiry import sweep_expired
from billing_service.jobs.heads import HeadsExport
from billing_service.jobs.key_uses import KeyUses
from billing_service.jobs.loops import Loop
from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.open_holds import OpenHolds
from billing_service.jobs.outbox import forget_old_events
from billing_service.jobs.overdue import KINDS, Overdue
from billing_service.jobs.reconciliation import Reconciliation
from billing_service.jobs.snapshots import Snapshots
from billing_service.jobs.unpaid_payments import end_unpaid_payments
from billing_service.jobs.unpriced_usages import UnpricedUsages
from billing_service.jobs.verification import Verification
from billing_service.jobs.webhooks import WebhookFigures
from billing_service.reconcile.pace import Pace
from billing_service.reconcile.run import Reconciler
from billing_service.settings import Settings

log = structlog.get_logger(__name__)

KEY_USE_INTERVAL_S = 30.0
OLD_EVENTS_INTERVAL_S = 3_600.0
OVERDUE_INTERVAL_S = 60.0
SNAPSHOTS_INTERVAL_S = 60.0
WEBHOOK_FIGURES_INTERVAL_S = 30.0


def start_jobs(
    settings: Settings, environment: Environment, closing: AsyncExitStack, *, uses: KeyUses, head: FeedHead, pace: Pace
) -> JobMetrics:
    """Starts the loops; `closing` ends them. `head` is moved as events come into the feed. `pace` bounds what Stripe is
    asked for. Answers their figures."""
    overdue = [Overdue(environment.store, system_clock_us, kind) for kind in KINDS]
    loops = [
        Loop("expiry", partial(_sweep, environment, UnhurriedClock(system_clock_us)), settings.expiry_sweep_interval_s),
        Loop("key uses", uses.write, KEY_USE_INTERVAL_S),
        Loop("event feed", Placing(environment.store, head).run, PLACE_EVERY_S),
        Loop("old events", partial(_forget, environment, UnhurriedClock(system_clock_us)), OLD_EVENTS_INTERVAL_S),
        Loop("unpaid payments", partial(end_unpaid_payments, environment), OVERDUE_INTERVAL_S),
        *(Loop(each.kind.loop, each.run, OVERDUE_INTERVAL_S) for each in overdue),
        Loop("balance snapshots", partial(_snapshots, Snapshots(environment.store)), SNAPSHOTS_INTERVAL_S),
    ]
    open_holds = OpenHolds(environment.store)
    unpriced = UnpricedUsages(environment.store, system_clock_us)
    loops.append(Loop("open holds", open_holds.run, OVERDUE_INTERVAL_S))
    loops.append(Loop("unpriced usages", unpriced.run, OVERDUE_INTERVAL_S))
    webhooks = None
    if settings.webhook_url is not None:
        webhooks = _webhooks(settings, settings.webhook_url, environment, loops, closing)
    heads = verification = None
    reconciliation = _reconciliation(settings, environment, pace, loops)
    if settings.heads_directory is not None:
        heads = HeadsExport(environment.store, settings.heads_directory, system_clock_us)
        loops.append(Loop("heads", heads.run, settings.heads_interval_s))
    if settings.verify_interval_s:
        verification = Verification(environment, settings.verify_interval_s, freeze=settings.verify_freeze)
        loops.append(Loop("verification", verification.run, settings.verify_interval_s))
    if webhooks is not None:
        closing.push_async_callback(webhooks.delivery.leave)
    for loop in loops:
        closing.push_async_callback(loop.stop)
    # First of all: their loops wait for what is under way.
    delivery = None if webhooks is None else webhooks.delivery
    for job in (reconciliation, verification, delivery):
        if job is not None:
            closing.callback(job.stop)
    counted = (open_holds, unpriced)
    return JobMetrics(
        loops,
        overdue,
        verification,
        heads,
        settings.heads_interval_s,
        counted=counted,
        webhooks=webhooks,
        reconciliation=reconciliation,
    )


def _webhooks(
    settings: Settings, url: str, environment: Environment, loops: list[Loop], closing: AsyncExitStack
) -> WebhookFigures:
    """Adds the loops that deliver business events."""
    sender = Sender(
        url,
        timeout_s=settings.webhook_timeout_s,
        proxy=settings.webhook_proxy_by(settings.https_proxy, settings.no_proxy),
    )
    closing.push_async_callback(sender.close)
    delivery = Delivery(
        environment.store,
        environment.clock_us,
        sender,
        settings.webhook_keys,
        environment.ids("dlv"),
        jitter=random.random,
    )
    figures = WebhookFigures(environment.store, environment.clock_us, delivery)
    loops.append(Loop("webhooks", delivery.run, DELIVER_EVERY_S))
    loops.append(Loop("webhook figures", figures.run, WEBHOOK_FIGURES_INTERVAL_S))
    return figures


def _reconciliation(
    settings: Settings, environment: Environment, pace: Pace, loops: list[Loop]
) -> Reconciliation | None:
    """Adds the loop that compares with Stripe."""
    if not settings.reconcile_interval_s:
        return None
    job = Reconciliation(environment, Reconciler(environment, pace), environment.ids("rec"))
    loops.append(Loop("reconciliation", job.run, settings.reconcile_interval_s))
    return job


async def _snapshots(snapshots: Snapshots) -> None:
    written = await snapshots.run()
    if written:
        log.info("balance_snapshots_written", snapshots=written)


async def _forget(environment: Environment, clock_us: ClockUs) -> None:
    """By a clock that does not leap, as above all that is forgotten too early is gone."""
    await forget_old_events(environment.store, clock_us)


async def _sweep(environment: Environment, clock_us: ClockUs) -> None:
    """By a clock that does not leap: credits that were booked as expired too early would be gone."""
    swept = await sweep_expired(replace(environment, clock_us=clock_us))
    if swept:
        log.info("expired_credits_booked", accounts=swept)
