"""What all errors have, and the families that they come in."""

from collections.abc import Mapping

import grpc


class BillingError(Exception):
    """A call that did not succeed. The original grpc.RpcError is its `__cause__`."""

    def __init__(
        self,
        message: str,
        *,
        status: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        rpc: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: tuple[tuple[str, str], ...] = (),
        retry_after_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """The service's words, for people."""
        self.status = status
        """The gRPC status."""
        self.rpc = rpc
        """Name of the RPC, such as `DeductCredits`."""
        self.reason = reason
        """Name from the enum `Reason` without its prefix; empty when the answer was not the service's own."""
        self.metadata = dict(metadata or {})
        """The dynamic values of the message, as text."""
        self.violations = violations
        """(field, description) of each bad field."""
        self.retry_after_s = retry_after_s
        """How long the service asks to wait, in seconds; None when it does not say."""
        self.idempotency_key = idempotency_key
        """The key that was sent; None for a read. Call again with it."""

    def __str__(self) -> str:
        return f"{self.rpc}: {self.reason or self.status.name}: {self.message}"

    def _amount(self, name: str) -> int:
        """A number that the contract promises with this reason; KeyError or ValueError when the service breaks that
        promise."""
        return int(self.metadata[name])


class Refusal(BillingError):  # noqa: N818 - the domain's word
    """The answer is no and nothing moved."""


class Failure(BillingError):  # noqa: N818 - the domain's word
    """There is no answer. Call again later; a write with the same idempotency key."""


class OutcomeUnknown(Failure):
    """A write may have had its effect, or not. Call again with `idempotency_key`: it answers with the effect, and never
    has two."""


class InvalidRequest(Refusal):
    """The request itself is wrong; it will be as wrong next time."""


class NotFound(Refusal):
    """What the request names does not exist."""


class AlreadyExists(Refusal):
    """What the request would make exists."""


class PreconditionFailed(Refusal):
    """The request is fine, but the state of things does not allow it now."""


class AccessDenied(Refusal):
    """The caller may not do this."""
