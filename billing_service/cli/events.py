"""`billing events …`, `audit`."""

import sys
from typing import Annotated, Any

import orjson
import typer
from billing_client import BillingClient, StripeEventStatus
from prepaid.billing.v1.admin_pb2 import StripeEvent
from prepaid.billing.v1.audit_pb2 import AuditRecord
from prepaid.billing.v1.stripe_events_pb2 import StripeEventOutcome

from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import enum_option, fail, say, show_fields, show_json, shown_enum
from billing_service.cli.feed import list_deliveries, redeliver, tail
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.times import shown_time

events = typer.Typer(
    help="Stripe's: list, show, replay; business events: tail, undelivered, redeliver.", no_args_is_help=True
)
events.command("tail")(tail)
events.command("undelivered")(list_deliveries)
events.command("redeliver")(redeliver)

EventId = Annotated[str, typer.Argument(metavar="EVENT", help="evt_…")]

EVENTS = ListTable(
    Column("received"),
    Column("type"),
    Column("status"),
    Column("tries", is_number=True, gives_way=True),
    Column("event", gives_way=True),
    Column("reason", gives_way=True),
)
AUDIT = ListTable(
    Column("time"),
    Column("caller"),
    Column("what"),
    Column("account", gives_way=True),
    Column("from", gives_way=True),
    Column("detail", gives_way=True),
)


@events.command("list")
@calls_service
def list_events(
    client: BillingClient,
    *,
    status: Annotated[Any, enum_option(StripeEventStatus, "Only these")] = None,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """The inbox of Stripe's events, newest first."""
    extent = Extent(limit, everything)
    found = client.iter_stripe_events(
        status=status or StripeEventStatus.Value("STRIPE_EVENT_STATUS_UNSPECIFIED"), page_size=extent.page_size
    )
    show_list("Stripe's events", EVENTS, found, _event_cells, extent=extent, as_json=as_json)


def _event_cells(event: StripeEvent) -> tuple[object, ...]:
    return (
        shown_time(event.receive_time),
        event.event_type,
        shown_enum(StripeEventStatus, event.status),
        event.attempt_count,
        event.event_id,
        event.error,
    )


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
def replay_event(
    client: BillingClient, *, event_id: EventId, idempotency_key: IdempotencyKey = None, as_json: AsJson = False
) -> None:
    """Process a kept event again; one that had its effect has no second one."""
    answer = client.replay_stripe_event(event_id=event_id, idempotency_key=idempotency_key)
    if as_json:
        show_json(answer)
        return
    say(f"{event_id}: {shown_enum(StripeEventOutcome, answer.outcome)}")
    _show(answer.event)


@calls_service
def audit(
    client: BillingClient,
    *,
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Who did what, newest first."""
    extent = Extent(limit, everything)
    found = client.iter_audit_records(account_id=account, page_size=extent.page_size)
    show_list("Audit log", AUDIT, found, _audit_cells, extent=extent, as_json=as_json)


def _audit_cells(record: AuditRecord) -> tuple[object, ...]:
    return (
        shown_time(record.create_time),
        record.caller,
        record.method,
        record.account_id,
        record.peer,
        _shown_detail(record.detail),
    )


def _shown_detail(detail: str) -> str:
    """`name value` pairs of what is kept as JSON; what is empty or false is left out."""
    try:
        kept = orjson.loads(detail)
    except orjson.JSONDecodeError:
        return detail
    return ", ".join(f"{name} {value}" for name, value in kept.items() if value) if isinstance(kept, dict) else detail


def _show(event: StripeEvent) -> None:
    show_fields(
        f"Event {event.event_id}",
        [
            ("type", event.event_type),
            ("status", shown_enum(StripeEventStatus, event.status)),
            ("received", shown_time(event.receive_time)),
            ("last tried", shown_time(event.process_time)),
            ("tries", event.attempt_count),
            ("reason", event.error),
        ],
    )
