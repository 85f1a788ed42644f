"""How a resource says what it answers to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing_service.sandbox.engine.errors import Json
from billing_service.sandbox.engine.store import Sandbox


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request: typed parameters and the ids of its path."""

    params: Json
    ids: dict[str, str]
    is_public: bool = False
    """Whether a customer's page makes it, with a publishable key."""
    client_secret: str = ""
    """What such a page proves itself by."""

    @property
    def id(self) -> str:
        return self.ids["id"]

    def chosen(self, *names: str) -> Json:
        """Those of the named parameters that were sent, in the order named."""
        return {name: self.params[name] for name in names if name in self.params}


Handler = Callable[[Sandbox, Call], Json]
"""Runs without awaiting, so that each request takes effect at one instant."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    params_type: Any
    """A TypedDict of `stripe.params`."""
    handler: Handler
    is_public: bool = False
    """Whether customers' pages may make it, with a publishable key and the object's client secret."""
