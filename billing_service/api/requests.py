"""What all servicers do to a request: keys, callers, replies that were given before."""

from typing import Any

from google.protobuf.message import Message

from billing_service.api import validation
from billing_service.api.metrics import REPLAYS
from billing_service.api.pipeline import Call
from billing_service.domain.access.api_keys import Scope
from billing_service.ledger.keys import Answer, IdempotencyKey, fingerprint
from billing_service.ledger.unit import Caller, Request


def caller(call: Call) -> Caller:
    return Caller(call.caller, call.peer, call.method, Scope.ADMIN in call.scopes)


def key_of(call: Call, account_id: str, idempotency_key: str, *meaning: Any) -> IdempotencyKey:
    """The key of a request that means `meaning`: its fields with defaults filled in."""
    value = validation.idempotency_key(idempotency_key)
    return IdempotencyKey(account_id, value, f"{call.caller}/{call.method}", fingerprint(account_id, *meaning))


def request_of(call: Call, account_id: str, idempotency_key: str, *meaning: Any) -> Request:
    return Request(key_of(call, account_id, idempotency_key, *meaning), caller(call))


def request_of_found(call: Call, account_id: str, idempotency_key: str, *meaning: Any) -> Request:
    """The same where the account is that of what the request names. Raises ACCOUNT_NOT_ALLOWED."""
    call.require_account(account_id)
    return request_of(call, account_id, idempotency_key, *meaning)


class Replies:
    """Turns an answer into the bytes of one response type."""

    __slots__ = ("_name", "_replayed")

    def __init__(self, response: type[Message]) -> None:
        self._name = response.DESCRIPTOR.name
        REPLAYS[self._name] = 0  # shown before the first one
        # Messages concatenate: the stored reply followed by this field is the same reply with `replayed` set.
        self._replayed = response(replayed=True).SerializeToString()

    def __call__(self, answer: Answer) -> bytes:
        if not answer.replayed:
            return answer.reply
        REPLAYS[self._name] += 1
        return answer.reply + self._replayed
