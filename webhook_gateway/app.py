"""The gateway's HTTP application: one webhook handler, pages for people, one line of log for each request."""

import logging
import time
from datetime import UTC, datetime
from traceback import format_exception
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from billing_client.errors import BillingError
from billing_client.headers import Headers
from billing_client.request_ids import REQUEST_ID_HEADER, TRACE_HEADER, request_id, trace_id
from prepaid.billing.v1.stripe_events_pb2 import (
    GetCheckoutStatusResponse,
    ProcessStripeEventResponse,
    StripeEventOutcome,
)

from webhook_gateway.answers import FORWARDED, HTTP_STATUS, Rejected, json_answer
from webhook_gateway.config import CANCEL_PATH, HEALTH_PATH, HOME_PATH, RETURN_PATH, GatewayConfig
from webhook_gateway.connections import ConnectionGuard, Phase
from webhook_gateway.delivery import read_delivery
from webhook_gateway.health import HealthPage
from webhook_gateway.markup import page
from webhook_gateway.metrics import ANSWERS, FORWARD_FAILURES
from webhook_gateway.return_page import ReturnPage

CONNECTIONS = web.AppKey("connections", ConnectionGuard)
CODE = web.RequestKey("code", str)
EVENT_ID = web.RequestKey("event_id", str)
EVENT_TYPE = web.RequestKey("event_type", str)
SERVICE_STATUS = web.RequestKey("service_status", str)
REASON = web.RequestKey("reason", str)
LOGGED_PATH_LENGTH_MAX = 200

log = structlog.get_logger("webhook_gateway")


class EventService(Protocol):
    """What the gateway needs of the service; `billing_client.AsyncBillingClient` is one."""

    async def process_stripe_event(
        self,
        *,
        payload: bytes,
        stripe_signature: str,
        received_time: datetime | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ProcessStripeEventResponse: ...

    async def get_checkout_status(
        self, *, checkout_session_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetCheckoutStatusResponse: ...

    async def is_serving(self) -> bool: ...


def create_app(config: GatewayConfig, service: EventService) -> web.Application:
    """The application; serve it with `run.serve_gateway`, which bounds its connections."""
    guard = ConnectionGuard(config)
    app = web.Application(middlewares=[_guarding(guard), _identified, _answering])
    app[CONNECTIONS] = guard
    webhook = _webhook_handler(config, service, guard)
    for path in config.paths:
        app.router.add_post(path, webhook)
    returned = ReturnPage(service, config.forward_timeout_s, config.next_commands)
    app.router.add_get(HEALTH_PATH, HealthPage(service.is_serving).show)
    app.router.add_get(RETURN_PATH, returned.show)
    app.router.add_get(CANCEL_PATH, returned.canceled)
    app.router.add_get(HOME_PATH, _home(config))
    return app


def _webhook_handler(config: GatewayConfig, service: EventService, guard: ConnectionGuard) -> Handler:
    async def receive_webhook(request: web.Request) -> web.StreamResponse:
        received_time = datetime.fromtimestamp(config.now_s(), UTC)
        delivery = await read_delivery(request, config)
        guard.enter(request, Phase.HANDLING)
        request[EVENT_ID], request[EVENT_TYPE] = delivery.event_id, delivery.event_type
        try:
            response = await service.process_stripe_event(
                payload=delivery.payload,
                stripe_signature=delivery.signature,
                received_time=received_time,
                timeout_s=config.forward_timeout_s,
                headers=request[FORWARDED],
            )
        except BillingError as error:
            request[SERVICE_STATUS], request[REASON] = error.status.name, error.reason
            FORWARD_FAILURES.labels(error.status.name).inc()
            status = HTTP_STATUS[error.status]
            if status == web.HTTPBadRequest.status_code:
                raise Rejected(status, "refused", "the service refused the event") from error
            raise Rejected(
                status, "unavailable", "the service can't process the event now; deliver it again"
            ) from error
        outcome = StripeEventOutcome.Name(response.outcome).removeprefix("STRIPE_EVENT_OUTCOME_")
        request[CODE] = outcome.lower()
        return json_answer(200, received=True, outcome=outcome)

    return receive_webhook


def _home(config: GatewayConfig) -> Handler:
    async def home(_request: web.Request) -> web.StreamResponse:
        """For who looks what answers here."""
        return page(
            "The webhook gateway is running",
            "Stripe delivers events here, signed, by POST. Each is answered with 200 once its effect is stored.",
            facts={
                "Webhooks": ", ".join(config.paths),
                "Health": f"{HEALTH_PATH} (200 while the service behind answers)",
                "After paying": f"{RETURN_PATH}, where customers return to unless FRONTEND_URL names another page",
            },
        )

    return home


def _guarding(guard: ConnectionGuard) -> Middleware:
    @web.middleware
    async def guarding(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A pipelined request may have come together with the one before it, while that was handled.
        guard.enter(request, Phase.RECEIVING)
        try:
            return await handler(request)
        finally:
            guard.enter(request, Phase.IDLE)

    return guarding


@web.middleware
async def _identified(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request has an id: its sender's own or a new one. It is sent on, logged here and by the service, and
    answered."""
    given, traceparent = request.headers.get(REQUEST_ID_HEADER, ""), request.headers.get(TRACE_HEADER, "")
    correlation_id = request_id(given, traceparent)
    request[FORWARDED] = {REQUEST_ID_HEADER: correlation_id} | (
        {TRACE_HEADER: traceparent} if trace_id(traceparent) else {}
    )
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        response = await handler(request)
    response.headers[REQUEST_ID_HEADER] = correlation_id
    return response


@web.middleware
async def _answering(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request gets a small answer, JSON but for the pages, a counter and a line of log, without query, headers or
    body."""
    started = time.monotonic()
    try:
        response = await handler(request)
    except Rejected as rejected:
        request[CODE] = rejected.code
        response = json_answer(rejected.status, error=rejected.code, message=rejected.message)
    except web.HTTPException as refused:
        response = json_answer(refused.status, error=refused.reason.lower().replace(" ", "_"))
        if "Allow" in refused.headers:
            response.headers["Allow"] = refused.headers["Allow"]
    except ConnectionError:
        log.info("sender_left", path=_logged_path(request))
        raise
    except Exception as defect:  # noqa: BLE001 - answered below
        # A defect of the gateway: whatever it is, Stripe must deliver again, and nothing of it may show.
        # The traceback as text: some renderers would add local variables, and with them secrets.
        log.error("defect", path=_logged_path(request), traceback="".join(format_exception(defect)))  # noqa: TRY400
        response = json_answer(500, error="internal")
    code = request.get(CODE, "")
    ANSWERS.labels(str(response.status), code).inc()
    is_probe = request.path == HEALTH_PATH and response.status == web.HTTPOk.status_code
    log.log(
        logging.DEBUG if is_probe else logging.INFO,
        "answered",
        method=request.method,
        path=_logged_path(request),
        status=response.status,
        code=code,
        duration_ms=round((time.monotonic() - started) * 1000, 1),
        event_id=request.get(EVENT_ID),
        event_type=request.get(EVENT_TYPE),
        service_status=request.get(SERVICE_STATUS),
        reason=request.get(REASON),
    )
    return response


def _logged_path(request: web.Request) -> str:
    return request.path[:LOGGED_PATH_LENGTH_MAX]
