"""One request to Stripe's API from its headers to its answer: key, version, parameters, idempotency, execution."""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable

import stripe
from aiohttp import web

from billing_service.sandbox.config import LIVE_KEY_PREFIXES, PUBLISHABLE_KEY_PREFIX, TEST_KEY_PREFIXES
from billing_service.sandbox.engine.errors import ApiError, Json, redacted_key
from billing_service.sandbox.engine.faults import ConnectionDropped, Fault, Faults, strike
from billing_service.sandbox.engine.forms import decode
from billing_service.sandbox.engine.idempotency import Answer, IdempotencyKeys
from billing_service.sandbox.engine.parameters import check
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id

VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$")

Expand = Callable[[Sandbox, Json, list[str]], Json]
"""What `expand[]` makes of an answer: the objects know that, not the engine."""


class Api:
    """Answers the routes of all resources, each request at one instant of the sandbox's state."""

    def __init__(self, sandbox: Sandbox, faults: Faults, expand: Expand) -> None:
        self._sandbox = sandbox
        self._expand = expand
        self._faults = faults
        self._keys = IdempotencyKeys(sandbox)

    def handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._respond(request, route)

        return handle

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        """Any other address below /v1."""
        return await self._respond(request, None)

    async def _respond(self, request: web.Request, route: Route | None) -> web.StreamResponse:
        request_id = new_id("req", 14)
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("Stripe-Version", stripe.api_version),
        }
        fault = self._faults.take(request.method, request.path)
        try:
            await strike(fault, "before", asyncio.sleep)
            is_public = _authenticate(request, route)
            answer = await self._answer(request, route, request_id, fault, is_public=is_public)
        except ConnectionDropped:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # written to nobody: the connection is gone
        except ApiError as refusal:
            answer = Answer(refusal.status, _encoded(refusal.body(request_id)), request_id)
        if answer.request_id != request_id:
            headers |= {"Idempotent-Replayed": "true"}
        key = request.headers.get("Idempotency-Key")
        if key is not None and request.method == "POST":
            headers |= {"Idempotency-Key": key, "Original-Request": answer.request_id}
        # What asking again can't change.
        if 400 <= answer.status < 500 and answer.status not in {409, 429}:  # noqa: PLR2004
            headers["Stripe-Should-Retry"] = "false"
        return web.Response(status=answer.status, body=answer.body, headers=headers, content_type="application/json")

    async def _answer(
        self, request: web.Request, route: Route | None, request_id: str, fault: Fault | None, *, is_public: bool
    ) -> Answer:
        if route is None:
            raise ApiError(404, f"Unrecognized request URL ({request.method}: {request.path}).")
        legacy = _is_legacy(request.headers.get("Stripe-Version"))
        form = decode(await _body(request) if request.method == "POST" else request.rel_url.raw_query_string)
        secret = str(form.pop("client_secret", "")) if route.is_public else ""
        params = check(route.params_type, form, legacy=legacy)
        call = Call(params, dict(request.match_info), is_public=is_public, client_secret=secret)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key is None:
            answer = self._execute(route, call, request_id, None)
            await strike(fault, "after", asyncio.sleep)
            return answer
        stored = self._keys.begin(key, request.path, json.dumps(form, sort_keys=True))
        if stored is not None:
            return stored
        try:
            answer = self._execute(route, call, request_id, key)
        except Exception:  # a fault of the sandbox itself: it must not hold the key for ever
            self._keys.forget(key)
            raise
        try:
            await strike(fault, "after", asyncio.sleep)
        except ApiError as refusal:
            # As at Stripe: once execution began, the answer is kept under the key, a 500 too.
            answer = Answer(refusal.status, _encoded(refusal.body(request_id)), request_id)
        finally:
            self._keys.finish(key, answer)
        return answer

    def _execute(self, route: Route, call: Call, request_id: str, key: str | None) -> Answer:
        self._sandbox.run_due()
        with self._sandbox.caused_by(request_id, key):
            try:
                body = self._expand(self._sandbox, route.handler(self._sandbox, call), call.params.get("expand", []))
            except ApiError as refusal:
                return Answer(refusal.status, _encoded(refusal.body(request_id)), request_id)
        return Answer(200, _encoded(body), request_id)


def _encoded(body: Json) -> bytes:
    return json.dumps(body, indent=2).encode()


def _authenticate(request: web.Request, route: Route | None) -> bool:
    """Any test key will do; answers whether it is a publishable one. Raises ApiError 401 otherwise, for live keys above
    all."""
    key = _key(request.headers.get("Authorization", ""))
    if not key:
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    for prefix in TEST_KEY_PREFIXES:
        if key.startswith(prefix) and len(key) > len(prefix):
            return False
    if key.startswith(PUBLISHABLE_KEY_PREFIX) and len(key) > len(PUBLISHABLE_KEY_PREFIX):
        if route is not None and route.is_public:
            return True
        raise ApiError(
            401,
            "This API call cannot be made with a publishable API key. Please use a secret API key.",
            code="secret_key_required",
        )
    hint = " The sandbox takes test keys only." if key.startswith(LIVE_KEY_PREFIXES) else ""
    raise ApiError(401, f"Invalid API Key provided: {redacted_key(key)}.{hint}")


def _key(header: str) -> str:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().split(":", 1)[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _is_legacy(version: str | None) -> bool:
    """Whether a request is for an API older than the one the SDK's parameter types describe. Raises ApiError 400."""
    if version is None:
        return True
    if VERSION.match(version) is None:
        raise ApiError(400, f"Invalid Stripe API version: {version}")
    return version[:10] < stripe.api_version[:10]


async def _body(request: web.Request) -> str:
    if request.can_read_body and request.content_type != "application/x-www-form-urlencoded":
        raise ApiError(
            400,
            f"Invalid request (check that your POST content type is application/x-www-form-urlencoded): "
            f"{request.content_type}",
        )
    try:
        return (await request.read()).decode()
    except UnicodeDecodeError:
        raise ApiError(400, "Invalid request: the body is not UTF-8.") from None
