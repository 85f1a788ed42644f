"""`billing events tail|undelivered|redeliver`: business events as they happen, and what the backend has not taken."""

import sys
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any, Final

import orjson
import typer
from billing_client import BillingClient, EventKind
from prepaid.billing.v1.events_pb2 import TailEventsResponse, WebhookDelivery, WebhookDeliveryState

from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import as_json_value, enum_option, say, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.times import shown_time

AWAY_S: Final = 30.0
"""How long the service may be away: a restart is none of an operator's business here."""
LINE: Final = "{:20} {:22} {:24} {}"


@calls_service
def tail(
    client: BillingClient,
    *,
    after: Annotated[str, typer.Option(help="Resume after this position; without it, from now on.")] = "",
    oldest: Annotated[bool, typer.Option("--oldest", help="From the oldest event that is kept.")] = False,
    kind: Annotated[Any, enum_option(EventKind, "Only these")] = None,
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    count: Annotated[
        int | None,
        typer.Option(min=1, help="End after so many events; without it, Ctrl-C ends it.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Business events as they happen, a line each; of JSON, an object a line, with the position to resume after."""
    told = client.tail_events(
        after=after,
        kinds=[kind] if kind else [],
        account_id=account,
        from_now=not after and not oldest,
        timeout_s=AWAY_S,
    )
    if not as_json:
        say(LINE.format("time", "event", "account", "about"))
    with suppress(KeyboardInterrupt):
        for each in islice(told, count):
            if as_json:
                sys.stdout.write(f"{orjson.dumps(as_json_value(each)).decode()}\n")
                sys.stdout.flush()
            else:
                say(_line(each))


def _line(told: TailEventsResponse) -> str:
    event = told.event
    about = [event.subject_id, *(f"{name} {value}" for name, value in sorted(event.detail.items()))]
    return LINE.format(
        shown_time(event.create_time),
        shown_enum(EventKind, event.kind),
        event.account_id,
        ", ".join(filter(None, about)),
    )


DELIVERIES = ListTable(
    Column("time"),
    Column("event"),
    Column("account", gives_way=True),
    Column("state"),
    Column("tries", is_number=True, gives_way=True),
    Column("last answer", gives_way=True),
    Column("id", gives_way=True),
)


@calls_service
def list_deliveries(
    client: BillingClient,
    *,
    state: Annotated[Any, enum_option(WebhookDeliveryState, "Only these")] = None,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Business events that your backend has not taken, in the order of the feed."""
    extent = Extent(limit, everything)
    found = client.iter_webhook_deliveries(
        state=state or WebhookDeliveryState.Value("WEBHOOK_DELIVERY_STATE_UNSPECIFIED"), page_size=extent.page_size
    )
    show_list("Undelivered events", DELIVERIES, found, _delivery_cells, extent=extent, as_json=as_json)


def _delivery_cells(each: WebhookDelivery) -> tuple[object, ...]:
    event = each.event
    return (
        shown_time(event.create_time),
        shown_enum(EventKind, event.kind),
        event.account_id,
        shown_enum(WebhookDeliveryState, each.state),
        each.attempt_count,
        each.error,
        event.event_id,
    )


@calls_service
def redeliver(
    client: BillingClient,
    *,
    account: Annotated[str, typer.Option(help="Only this account's.")] = "",
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Try dead letters once more. They come after later events of their accounts."""
    answer = client.replay_webhook_deliveries(account_id=account, idempotency_key=idempotency_key)
    if as_json:
        show_json(answer)
    else:
        say(f"tried again: {answer.delivery_count}")
