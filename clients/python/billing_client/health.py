"""The standard gRPC health check, by its two bytes: no dependency for one question."""

HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_TIMEOUT_S = 2.0
_SERVING = b"\x08\x01"
"""HealthCheckResponse with field 1, `status`, set to 1, SERVING."""


def is_serving(response: bytes) -> bool:
    return response == _SERVING
