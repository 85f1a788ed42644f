"""`billing events …`, `audit`."""

import sys
from itertools import islice
from typing import Annotated, Any

import typer
from billing_client import BillingClient, StripeEventStatus
from prepaid.billing.v1.admin_pb2 import StripeEvent
from prepaid.billing.v1.stripe_events_pb2 import StripeEventOutcome

from billing_service.cli.accounts import Limit
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import enum_option, fail, say, show_fields, show_json, show_table, shown_enum
from billing_service.cli.times import shown_time

events = typer.Typer(help="Stripe's events: list, show, replay.", no_args_is_help=True)

EventId = Annotated[str, typer.Argument(metavar="EVENT", help="evt_…")]


@events.command("list")
@calls_service
def list_events(
    client: BillingClient,
    status: Annotated[Any, enum_option(StripeEventStatus, "Only these")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """The inbox of Stripe's events, newest first."""
    found = list(
        islice(
            client.iter_stripe_events(
                status=status or StripeEventStatus.Value("STRIPE_EVENT_STATUS_UNSPECIFIED"), page_size=min(limit, 1000)
            ),
            limit,
        )
    )
    if as_json:
        show_json(found)
        return
    rows = [
        (shown_time(e.receive_time), e.event_id, e.event_type, shown_enum(StripeEventStatus, e.status), e.attempt_count, e.error)
        for e in found
    ]
    show_table("Stripe's events", ("received", "event", "type", "status", "tries", "error"), rows, numbers=["tries"])


@events.command("show")
@calls_service
def show_event(
    client: BillingClient,
    event_id: EventId,
    payload: Annotated[bool, typer.Option("--payload", help="The body as Stripe signed it, and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """One event; looks through the inbox from the newest on."""
    inbox = client.iter_stripe_events(page_size=100 if payload else 1000, include_payload=payload)
    found = next((event for event in inbox if event.event_id == event_id), None)
    if found is None:
        fail("STRIPE_EVENT_NOT_FOUND: there is no such event in the inbox (`billing events list` shows it)")
    if payload:
        sys.stdout.write(found.payload.decode() + "\n")
    elif as_json:
        show_json(found)
    else:
        _show(found)


@events.command("replay")
@calls_service
def replay_event(client: BillingClient, event_id: EventId, idempotency_key: IdempotencyKey = None) -> None:
    """Process a kept event again; one that had its effect has no second one."""
    answer = client.replay_stripe_event(event_id=event_id, idempotency_key=idempotency_key)
    say(f"{event_id}: {shown_enum(StripeEventOutcome, answer.outcome)}")
    _show(answer.event)


@calls_service
def audit(
    client: BillingClient,
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Who did what, newest first."""
    found = list(islice(client.iter_audit_records(account_id=account, page_size=min(limit, 1000)), limit))
    if as_json:
        show_json(found)
        return
    rows = [(shown_time(r.create_time), r.caller, r.peer, r.method, r.account_id, r.detail) for r in found]
    show_table("Audit log", ("time", "caller", "from", "what", "account", "detail"), rows)


def _show(event: StripeEvent) -> None:
    show_fields(
        f"Event {event.event_id}",
        [
            ("type", event.event_type),
            ("status", shown_enum(StripeEventStatus, event.status)),
            ("received", shown_time(event.receive_time)),
            ("last tried", shown_time(event.process_time)),
            ("tries", event.attempt_count),
            ("error", event.error),
        ],
    )
