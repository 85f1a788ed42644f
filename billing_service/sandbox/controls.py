"""What tests and demonstrations turn: `/_sandbox/…`, JSON in and out, described in README.md."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

from aiohttp import web

from billing_service.sandbox.config import SandboxRefusedError, Switches, WebhookEndpoint
from billing_service.sandbox.engine import faults
from billing_service.sandbox.engine.errors import ApiError, Json
from billing_service.sandbox.engine.faults import Faults
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import checkout_payment, payments, refunds
from billing_service.sandbox.webhooks.delivery import Delivery

ADVANCE_MAX_S = 366 * 24 * 3600
DRAIN_MAX_S = 600


class Controls:
    def __init__(self, sandbox: Sandbox, delivery: Delivery, planned: Faults) -> None:
        self._sandbox = sandbox
        self._delivery = delivery
        self._faults = planned

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox/state", self.state),
            web.post("/_sandbox/switches", self._json(self.switches)),
            web.post("/_sandbox/advance", self._json(self.advance)),
            web.post("/_sandbox/faults", self._json(self.add_fault)),
            web.delete("/_sandbox/faults", self.clear_faults),
            web.post("/_sandbox/payments/{id}/settle", self._json(self.settle_payment)),
            web.post("/_sandbox/refunds/{id}/settle", self._json(self.settle_refund)),
            web.post("/_sandbox/sessions/{id}/expire", self._json(self.expire_session)),
            web.post("/_sandbox/webhooks/endpoints", self._json(self.add_endpoint)),
            web.post("/_sandbox/webhooks/redeliver", self._json(self.redeliver)),
            web.post("/_sandbox/webhooks/drain", self.drain),
        ]

    async def state(self, _: web.Request) -> web.Response:
        return web.json_response(self._state())

    def switches(self, _: str, body: Json) -> Json:
        unknown = body.keys() - asdict(self._sandbox.switches).keys()
        if unknown:
            raise ValueError(f"unknown switches: {', '.join(sorted(unknown))}")
        for name, value in body.items():
            wanted = {int, float} if name == "delay_s" else {bool}
            if type(value) not in wanted:
                raise ValueError(f"{name}: must be {'a number' if name == 'delay_s' else 'true or false'}")
        changed: Switches = replace(self._sandbox.switches, **body)
        self._sandbox.switches = changed
        return asdict(changed)

    def advance(self, _: str, body: Json) -> Json:
        seconds: Any = body.get("seconds")
        if type(seconds) not in {int, float} or not 0 <= seconds <= ADVANCE_MAX_S:
            raise ValueError(f"seconds: must be a number from 0 to {ADVANCE_MAX_S}")
        self._sandbox.advance(seconds)
        return {"now": self._sandbox.now()}

    def add_fault(self, _: str, body: Json) -> Json:
        self._faults.plan(faults.from_json(body))
        return {"faults": [asdict(fault) for fault in self._faults.planned()]}

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response({"faults": []})

    def settle_payment(self, object_id: str, body: Json) -> Json:
        """By payment intent id or by the id of its checkout session."""
        if body.get("outcome") not in {"succeeded", "failed"}:
            raise ValueError("outcome: must be succeeded or failed")
        found = self._sandbox.find(object_id)
        intent_id = (
            found["payment_intent"] if found is not None and found["object"] == "checkout.session" else object_id
        )
        intent = self._sandbox.get("payment_intent", intent_id or "")
        payments.settle(self._sandbox, intent, succeeded=body["outcome"] == "succeeded")
        return intent

    def settle_refund(self, object_id: str, body: Json) -> Json:
        refund = self._sandbox.get("refund", object_id)
        status, reason = body.get("status"), body.get("reason", "unknown")
        if not isinstance(status, str) or not isinstance(reason, str):
            raise ValueError("status, reason: must be text")  # noqa: TRY004 - the caller's value, answered with 400
        refunds.settle(self._sandbox, refund, status, reason=reason)
        return refund

    def expire_session(self, object_id: str, _: Json) -> Json:
        session = self._sandbox.get("checkout.session", object_id)
        checkout_payment.expire_if_open(self._sandbox, session)
        return session

    def add_endpoint(self, _: str, body: Json) -> Json:
        url, secret = body.get("url"), body.get("secret")
        if not isinstance(url, str) or not isinstance(secret, str):
            raise ValueError("url, secret: must be text")  # noqa: TRY004 - the caller's value, answered with 400
        self._delivery.add_endpoint(WebhookEndpoint(url, secret))
        return {"endpoints": [endpoint.url for endpoint in self._sandbox.endpoints]}

    def redeliver(self, _: str, body: Json) -> Json:
        event = self._sandbox.get("event", str(body.get("event")))
        self._delivery.send(event)
        return {"id": event["id"], "pending_webhooks": event["pending_webhooks"]}

    async def drain(self, request: web.Request) -> web.Response:
        """Waits until no delivery is under way or waiting for its next try."""
        try:
            timeout_s: Any = (await _body(request)).get("timeout_s", 10)
        except ValueError as error:
            return _refused(400, str(error))
        if type(timeout_s) not in {int, float} or not 0 < timeout_s <= DRAIN_MAX_S:
            return _refused(400, f"timeout_s: must be a number above 0, at most {DRAIN_MAX_S}")
        drained = await self._delivery.drained(timeout_s)
        return web.json_response({"drained": drained} | self._delivery.state())

    def _state(self) -> Json:
        sandbox = self._sandbox
        return {
            "now": sandbox.now(),
            "objects": {kind: len(rows) for kind, rows in sandbox.objects.items()},
            "sessions": [
                {
                    name: session[name]
                    for name in ("id", "status", "payment_status", "amount_total", "currency", "payment_intent", "url")
                }
                for session in sandbox.newest_first("checkout.session")
            ],
            "switches": asdict(sandbox.switches),
            "faults": [asdict(fault) for fault in self._faults.planned()],
            "endpoints": [endpoint.url for endpoint in sandbox.endpoints],
            "delivery": self._delivery.state(),
        }

    def _json(self, control: Callable[[str, Json], Json]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                body = await _body(request)
                self._sandbox.run_due()
                return web.json_response(control(request.match_info.get("id", ""), body))
            except ApiError as refusal:
                return _refused(refusal.status, refusal.message)
            except (ValueError, SandboxRefusedError) as error:
                return _refused(400, str(error))

        return handle


async def _body(request: web.Request) -> Json:
    """The JSON object sent, `{}` for none. Its content type is required, so that no web page can turn the controls."""
    raw = await request.read()
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise ValueError("the body must be application/json")
    body = json.loads(raw)
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - the caller's value, answered with 400
    return body


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
