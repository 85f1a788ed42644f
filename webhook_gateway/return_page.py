"""Where customers return to after checkout when the product has no page of its own.

The page knows the checkout's session id alone, and asks the service for the state of that checkout. It shows no
account, takes nothing, and looks again by itself until the purchase is settled.
"""

import re
from typing import Protocol

from aiohttp import web
from billing_client.errors import BillingError, PurchaseNotFound
from billing_client.headers import Headers
from prepaid.billing.v1 import purchases_pb2 as sold
from prepaid.billing.v1.stripe_events_pb2 import GetCheckoutStatusResponse

from webhook_gateway.amounts import shown_credits, shown_money
from webhook_gateway.answers import FORWARDED
from webhook_gateway.markup import page

_SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,252}", re.ASCII)
_LOOKS = re.compile(r"[0-9]{1,2}", re.ASCII)
FIRST_LOOK_S = 2
LOOK_S_MAX = 60
LOOKS_UNTIL_LONG = 8
"""After so many looks, about a minute, the page says that it takes longer than usual."""

_ARRIVED = ("Your credits have arrived", "Thank you. You can close this page.")
_ON_THEIR_WAY = (
    "Your credits are on their way",
    "Thank you. They arrive once the payment is confirmed, mostly within seconds. This page looks again by itself.",
)
_TAKES_LONGER = (
    "Your credits are on their way",
    (
        "This takes longer than usual. Nothing is lost: once the payment is confirmed, they arrive by themselves. You "
        "can close this page."
    ),
)
_TAKES_DAYS = (
    "Your order is placed",
    (
        "A bank debit takes some business days. Your credits arrive by themselves when the money does. You can close "
        "this page."
    ),
)
_ENDED = {
    sold.PURCHASE_STATUS_FAILED: (
        "The payment did not go through",
        "No credits were added. You can start again where you came from.",
    ),
    sold.PURCHASE_STATUS_EXPIRED: (
        "This checkout has expired",
        "Nothing was charged. You can start again where you came from.",
    ),
    sold.PURCHASE_STATUS_CANCELED: (
        "This purchase was called off",
        "Nothing was charged. You can start again where you came from.",
    ),
}


class CheckoutService(Protocol):
    """What the page needs of the service."""

    async def get_checkout_status(
        self, *, checkout_session_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetCheckoutStatusResponse: ...


class ReturnPage:
    """`next_commands`: shown on a developer's machine, with `{session_id}` filled in."""

    def __init__(self, service: CheckoutService, timeout_s: float, next_commands: tuple[str, ...] = ()) -> None:
        self._service = service
        self._timeout_s = timeout_s
        self._next_commands = next_commands

    async def show(self, request: web.Request) -> web.StreamResponse:
        """200 with the state of the checkout, 404 for a session that is none of ours, 503 when the service can't
        say."""
        session_id, looks = request.query.get("session_id", ""), request.query.get("look", "0")
        look = int(looks) if _LOOKS.fullmatch(looks) else 0
        if not _SESSION_ID.fullmatch(session_id):
            return _unknown()
        try:
            checkout = await self._service.get_checkout_status(
                checkout_session_id=session_id, timeout_s=self._timeout_s, headers=request[FORWARDED]
            )
        except PurchaseNotFound:
            return _unknown()
        except BillingError:
            return page(
                "We can't look right now",
                "Your payment is safe. This page looks again by itself.",
                refresh=_again(session_id, look),
                status=503,
            )
        return self._page(session_id, checkout, look)

    async def canceled(self, _request: web.Request) -> web.StreamResponse:
        """For the customer who turned back."""
        return page(
            "Nothing was charged", "You left the checkout. You can go back to it until it expires, or start again."
        )

    def _page(self, session_id: str, checkout: GetCheckoutStatusResponse, look: int) -> web.Response:
        refresh = None
        if checkout.status in _ENDED:
            words = _ENDED[checkout.status]
        elif checkout.status == sold.PURCHASE_STATUS_COMPLETED:
            words = _ARRIVED
        elif checkout.status == sold.PURCHASE_STATUS_AWAITING_FUNDS:
            words, refresh = _TAKES_DAYS, (LOOK_S_MAX, f"?session_id={session_id}")
        else:
            words, refresh = _TAKES_LONGER if look > LOOKS_UNTIL_LONG else _ON_THEIR_WAY, _again(session_id, look)
        facts = {
            "Credits": shown_credits(checkout.credits_microcredits),
            "Amount": shown_money(checkout.paid_minor or checkout.amount_minor, checkout.currency),
        }
        commands = tuple(command.replace("{session_id}", session_id) for command in self._next_commands)
        return page(*words, facts=facts, commands=commands, refresh=refresh)


def _again(session_id: str, look: int) -> tuple[int, str]:
    """Less and less often, so that a page that is left open costs next to nothing."""
    wait_s = min(round(FIRST_LOOK_S * 1.4**look), LOOK_S_MAX)
    return wait_s, f"?session_id={session_id}&look={min(look + 1, 99)}"


def _unknown() -> web.Response:
    return page("We don't know this payment", "The address of this page names no checkout of ours.", status=404)
