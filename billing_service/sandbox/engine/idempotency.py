"""Idempotency keys as Stripe keeps them: the first answer of an executed request is replayed for 24 hours."""

from dataclasses import dataclass

from billing_service.sandbox.engine.errors import ApiError
from billing_service.sandbox.engine.store import Sandbox

KEPT_S = 24 * 3600
KEY_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    request_id: str


@dataclass(slots=True)
class _Entry:
    path: str
    form: str
    created: int
    answer: Answer | None = None
    """None while the first request is still being executed."""


class IdempotencyKeys:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._entries: dict[str, _Entry] = {}

    def begin(self, key: str, path: str, form: str) -> Answer | None:
        """The stored answer to replay, or None: then the key is taken until `finish` or `forget`.

        Raises ApiError 400 `idempotency_error` for other parameters or another path, 409 while the key is in use.
        """
        if len(key) > KEY_LENGTH_MAX:
            raise ApiError(
                400, f"Idempotency keys can be at most {KEY_LENGTH_MAX} characters.", kind="idempotency_error"
            )
        entry = self._entries.get(key)
        if entry is None or (entry.answer is not None and entry.created + KEPT_S <= self._sandbox.now()):
            self._entries[key] = _Entry(path, form, self._sandbox.now())
            return None
        if entry.path != path:
            raise _reused(
                f"Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{entry.path}').",
                key,
            )
        if entry.form != form:
            raise _reused(
                "Keys for idempotent requests can only be used with the same parameters they were first used with.", key
            )
        if entry.answer is None:
            raise ApiError(
                409,
                f"There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the "
                f"other request is still going through): {key}. Please try again later.",
                code="idempotency_key_in_use",
            )
        return entry.answer

    def finish(self, key: str, answer: Answer) -> None:
        self._entries[key].answer = answer

    def forget(self, key: str) -> None:
        """The request was not executed: the key is free again."""
        del self._entries[key]


def _reused(message: str, key: str) -> ApiError:
    return ApiError(
        400,
        f"{message} Try using a key other than '{key}' if you meant to execute a different request.",
        kind="idempotency_error",
    )
