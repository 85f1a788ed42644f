"""Which HTTP answer says what became of a delivery. Stripe delivers again after anything but a 2xx."""

import grpc
import orjson
from aiohttp import web

# Whole by intention: a status that gRPC adds one day fails the test of this table instead of becoming a wrong answer.
HTTP_STATUS: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.OK: 200,  # the effect is on disk
    grpc.StatusCode.INVALID_ARGUMENT: 400,  # the service refused the event itself
    # The service could not: it will be able to later.
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.ABORTED: 503,
    grpc.StatusCode.INTERNAL: 503,
    grpc.StatusCode.UNKNOWN: 503,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.DATA_LOSS: 503,
    # The gateway is deployed wrongly: no event may be lost by it.
    grpc.StatusCode.UNAUTHENTICATED: 503,
    grpc.StatusCode.PERMISSION_DENIED: 503,
    grpc.StatusCode.UNIMPLEMENTED: 503,
    # Not an answer of this RPC: nothing says that the event was kept, so it must come again.
    grpc.StatusCode.NOT_FOUND: 503,
    grpc.StatusCode.ALREADY_EXISTS: 503,
    grpc.StatusCode.FAILED_PRECONDITION: 503,
    grpc.StatusCode.OUT_OF_RANGE: 503,
}
RETRY_AFTER_S = 5
FORWARDED = web.RequestKey("forwarded", dict[str, str])
"""Headers of a request that go on to the service: its id, and the trace that it is part of."""


class Rejected(Exception):  # noqa: N818 - reads as the statement that it is
    """The request is not forwarded: an HTTP status, a code for programs and words for the operator who reads Stripe's
    log."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def json_answer(status: int, /, **body: object) -> web.Response:
    if status == web.HTTPOk.status_code:
        body = {"success": True, **body}
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == web.HTTPServiceUnavailable.status_code else None
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=headers)
