"""What a stream of a session asks of its servicer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prepaid.billing.v1 import sessions_pb2, usage_pb2

from billing_service.api.pipeline import Call
from billing_service.api.streams.rooms import Rooms
from billing_service.commands.environment import Environment
from billing_service.commands.spending.sessions import Owned
from billing_service.domain.spending.sessions import Room
from billing_service.domain.spending.usage import Usage

Opener = Callable[[sessions_pb2.MeterSessionRequest, Call], Awaitable[Owned]]
Closer = Callable[[Owned, sessions_pb2.CloseSession], Awaitable[bytes]]


@dataclass(slots=True)
class SessionImplementation:
    """What a stream of a session does."""

    environment: Environment
    begin: Opener
    """Takes the first request. Raises Refused."""
    opened: Callable[[Owned, Room], bytes]
    usage_of: Callable[[usage_pb2.Usage, str], Usage]
    """Takes a usage and its field. Raises INVALID_FIELD."""
    close: Closer
    """Takes the last request; answers with a MeterSessionResponse. Raises Refused."""
    rooms: Rooms
    live: int = 0
