"""Everything the sandbox remembers: objects by type, what is due later, and who follows a payment. In memory only."""

import copy
import heapq
import itertools
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import stripe

from billing_service.sandbox.config import SandboxConfig, Switches, WebhookEndpoint
from billing_service.sandbox.engine.cards import Behaviour
from billing_service.sandbox.engine.errors import Json, no_such

ALPHABET = string.ascii_letters + string.digits

# What Stripe calls an object in "No such …".
LABELS = {"payment_method": "PaymentMethod"}
# Kinds found by the prefix of an id, for `expand`.
KINDS_BY_PREFIX = {
    "ch": "charge",
    "cs": "checkout.session",
    "cus": "customer",
    "dp": "dispute",
    "evt": "event",
    "issfr": "radar.early_fraud_warning",
    "pi": "payment_intent",
    "pm": "payment_method",
    "price": "price",
    "prod": "product",
    "re": "refund",
    "txn": "balance_transaction",
}


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(length))}"


class Sandbox:
    """The state of one stand-in. Used by one event loop, changed only between awaits."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.base_url = config.base_url.rstrip("/")
        self.switches: Switches = config.switches
        self.endpoints: list[WebhookEndpoint] = list(config.webhook_endpoints)
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in KINDS_BY_PREFIX.values()}
        self.line_items: dict[str, list[Json]] = {}
        """By session id."""
        self.payment_data: dict[str, Json] = {}
        """`payment_intent_data` by session id, kept for when the customer pays."""
        self.behaviours: dict[str, Behaviour] = {}
        """How a payment method acts, by its id."""
        self.return_urls: dict[str, str] = {}
        """Where a browser goes after 3-D Secure, by payment intent id."""
        self.sessions_by_intent: dict[str, str] = {}
        self.intent_followers: list[Callable[[Sandbox, Json], None]] = []
        self.event_sinks: list[Callable[[Json], None]] = []
        self.wake: Callable[[], None] = lambda: None
        self._clock_offset_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._cause: Json = {"id": None, "idempotency_key": None}

    # -- time --------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """Seconds since the epoch by the sandbox's own clock, which `advance` moves."""
        return int(self.config.clock() + self._clock_offset_s)

    def schedule(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, next(self._sequence), action))
        self.wake()

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Runs `action` after `delay_s` of the sandbox's own time."""
        self.schedule(self.config.clock() + self._clock_offset_s + delay_s, action)

    def settles_after_s(self) -> float | None:
        """How long delayed money takes; None where it waits for a control call."""
        return self.config.settlement_delay_s if self.switches.settles else None

    def run_due(self) -> float | None:
        """Runs what is due, oldest first. Returns the seconds until the next action, None when nothing waits."""
        while self._due:
            now = self.config.clock() + self._clock_offset_s
            at, _, action = self._due[0]
            if at > now:
                return at - now
            heapq.heappop(self._due)
            action()
        return None

    def advance(self, seconds: float) -> None:
        """Moves the clock forward, stopping at each due action so that it runs at its own time."""
        target = self._clock_offset_s + seconds
        while self._due:
            until_due = self._due[0][0] - self.config.clock()
            if until_due > target:
                break
            self._clock_offset_s = max(self._clock_offset_s, until_due)
            self.run_due()
        self._clock_offset_s = max(self._clock_offset_s, target)
        self.wake()

    # -- objects -----------------------------------------------------------------------------------------------------

    def add(self, obj: Json) -> Json:
        self.objects[obj["object"]][obj["id"]] = obj
        return obj

    def get(self, kind: str, object_id: str, *, param: str = "id") -> Json:
        """Raises ApiError 404 `resource_missing`; `param` names where the id came from."""
        found = self.objects[kind].get(object_id)
        if found is None:
            raise no_such(LABELS.get(kind, kind), object_id, param)
        return found

    def customer(self, customer_id: str, *, param: str = "id") -> Json:
        """The customer, unless deleted. Raises ApiError 404."""
        customer = self.get("customer", customer_id, param=param)
        if customer.get("deleted"):
            raise no_such("customer", customer_id, param)
        return customer

    def find(self, object_id: str) -> Json | None:
        kind = KINDS_BY_PREFIX.get(object_id.split("_", 1)[0])
        return self.objects[kind].get(object_id) if kind else None

    def newest_first(self, kind: str) -> list[Json]:
        return list(reversed(self.objects[kind].values()))

    # -- changes -----------------------------------------------------------------------------------------------------

    @contextmanager
    def caused_by(self, request_id: str, idempotency_key: str | None) -> Iterator[None]:
        """Events emitted inside name this request; others name none, as Stripe's automatic ones."""
        self._cause = {"id": request_id, "idempotency_key": idempotency_key}
        try:
            yield
        finally:
            self._cause = {"id": None, "idempotency_key": None}

    def emit(self, event_type: str, obj: Json, *, previous: Json | None = None) -> None:
        """Stores an event with a snapshot of `obj`, and hands it to delivery."""
        data: Json = {"object": copy.deepcopy(obj)}
        if previous is not None:
            data["previous_attributes"] = copy.deepcopy(previous)
        event = self.add(
            {
                "id": new_id("evt"),
                "object": "event",
                "api_version": stripe.api_version,
                "created": self.now(),
                "data": data,
                "livemode": False,
                "pending_webhooks": len(self.endpoints),
                "request": dict(self._cause),
                "type": event_type,
            }
        )
        for sink in self.event_sinks:
            sink(event)

    def update(self, obj: Json, changes: Json) -> Json:
        """Applies `changes`; returns what the changed members were before."""
        previous = {name: obj.get(name) for name, value in changes.items() if obj.get(name) != value}
        obj.update(changes)
        return previous

    def intent_changed(self, intent: Json) -> None:
        for follow in self.intent_followers:
            follow(self, intent)
