"""The sandbox's root page: what there is, newest first, and what a person may do with it."""

import hmac
import secrets
from collections.abc import Callable, Iterable

from aiohttp import web

from billing_service.sandbox.engine.errors import ApiError, Json
from billing_service.sandbox.engine.money import shown
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import checkout_payment, payments, refunds
from billing_service.sandbox.page.markup import Markup, joined, render
from billing_service.sandbox.page.pages import message, page, see_other
from billing_service.sandbox.webhooks.delivery import Delivery

ROWS_MAX = 50
NOTHING = Markup("")


class Overview:
    """Buttons carry a token of this sandbox: no other page in the browser can press them."""

    def __init__(self, sandbox: Sandbox, delivery: Delivery) -> None:
        self._sandbox = sandbox
        self._delivery = delivery
        self._token = secrets.token_urlsafe(16)
        self._actions: dict[str, Callable[[str], None]] = {
            "expire": self._expire,
            "arrives": lambda object_id: self._settle(object_id, succeeded=True),
            "fails": lambda object_id: self._settle(object_id, succeeded=False),
            "refunded": lambda object_id: self._settle_refund(object_id, "succeeded"),
            "refund_failed": lambda object_id: self._settle_refund(object_id, "failed"),
            "send": self._send,
        }

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self.show), web.post("/", self.act)]

    async def show(self, _: web.Request) -> web.Response:
        self._sandbox.run_due()
        sections = [
            self._section(
                "Checkout sessions",
                "checkout.session",
                self._session_row,
                "Create one with your Stripe client; its page opens here.",
            ),
            self._section("Payments", "payment_intent", self._payment_row, "They appear when a customer pays."),
            self._section("Refunds", "refund", self._refund_row, "They appear when your program refunds a payment."),
            self._section("Events", "event", self._event_row, "Each is signed and sent to your webhook endpoint."),
        ]
        endpoints = ", ".join(endpoint.url for endpoint in self._sandbox.endpoints) or "nowhere yet; see --webhook-url"
        return page("Overview", render("overview", endpoints=endpoints, sections=joined(sections)))

    async def act(self, request: web.Request) -> web.Response:
        sent = await request.post()
        if not hmac.compare_digest(str(sent.get("token", "")).encode(), self._token.encode()):
            return message(
                "This button is out of date",
                "The sandbox was restarted since. Open its first page again.",
                tone="bad",
                status=403,
            )
        action = self._actions.get(str(sent.get("action")))
        if action is None:
            return message("There is no such button", "Open the sandbox's first page again.", tone="bad", status=400)
        self._sandbox.run_due()
        try:
            action(str(sent.get("id")))
        except ApiError as refusal:
            return message("That can't be done now", refusal.message, tone="bad", status=refusal.status)
        return see_other("/")

    def _section(self, title: str, kind: str, row: Callable[[Json], Markup], empty: str) -> Markup:
        objects = self._sandbox.newest_first(kind)
        rows = [row(each) for each in objects[:ROWS_MAX]]
        count = f"{len(rows)} of {len(objects)}" if len(objects) > len(rows) else str(len(objects))
        body = render("overview_rows", rows=joined(rows)) if rows else render("overview_empty", text=empty)
        return render("overview_section", title=title, count=count, body=body)

    def _session_row(self, session: Json) -> Markup:
        items = ", ".join(item["description"] for item in self._sandbox.line_items.get(session["id"], []))
        link = (
            render("overview_link", href=f"/c/pay/{session['id']}", text="open the page")
            if session["status"] == "open"
            else NOTHING
        )
        buttons = [link, self._button("expire", session, "expire")] if session["status"] == "open" else []
        return self._row(
            session,
            items,
            _amount(session, "amount_total"),
            f"{session['status']}, {session['payment_status']}",
            buttons,
        )

    def _payment_row(self, intent: Json) -> Markup:
        waits = intent["status"] == "processing"
        buttons = (
            [self._button("arrives", intent, "the money arrives"), self._button("fails", intent, "the debit fails")]
            if waits
            else []
        )
        return self._row(intent, intent.get("description") or "", _amount(intent, "amount"), intent["status"], buttons)

    def _refund_row(self, refund: Json) -> Markup:
        buttons = []
        if refund["status"] == "pending":
            buttons = [self._button("refunded", refund, "settle"), self._button("refund_failed", refund, "fail")]
        return self._row(refund, f"of {refund['payment_intent']}", _amount(refund, "amount"), refund["status"], buttons)

    def _event_row(self, event: Json) -> Markup:
        tries = [attempt for attempt in self._delivery.attempts if attempt.event == event["id"]]
        status = f"answered {tries[-1].status or 'nothing'} at try {tries[-1].number}" if tries else "not sent"
        return self._row(event, event["type"], "", status, [self._button("send", event, "send again")])

    def _row(self, obj: Json, text: str, amount: str, status: str, buttons: Iterable[Markup]) -> Markup:
        return render(
            "overview_row", id=obj["id"], text=text, amount=amount, status=status, buttons=joined(list(buttons))
        )

    def _button(self, action: str, obj: Json, text: str) -> Markup:
        return render("overview_button", action=action, id=obj["id"], token=self._token, text=text)

    def _expire(self, session_id: str) -> None:
        checkout_payment.expire_if_open(self._sandbox, self._sandbox.get("checkout.session", session_id))

    def _settle(self, intent_id: str, *, succeeded: bool) -> None:
        payments.settle(self._sandbox, self._sandbox.get("payment_intent", intent_id), succeeded=succeeded)

    def _settle_refund(self, refund_id: str, status: str) -> None:
        refunds.settle(self._sandbox, self._sandbox.get("refund", refund_id), status)

    def _send(self, event_id: str) -> None:
        self._delivery.send(self._sandbox.get("event", event_id))


def _amount(obj: Json, member: str) -> str:
    return shown(obj[member], obj["currency"])
