"""What a person sees in a browser: the checkout page, the 3-D Secure step, and where they land without an
application."""

from contextlib import suppress
from urllib.parse import urlencode

from aiohttp import web

from billing_service.sandbox.engine.errors import ApiError, Json
from billing_service.sandbox.engine.money import shown
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import checkout_payment, payments
from billing_service.sandbox.objects.payment_methods import add_bank, billing_details, from_card
from billing_service.sandbox.page import checkout_page
from billing_service.sandbox.page.markup import Markup, asset, joined, render
from billing_service.sandbox.page.payment_form import FIELDS, PaymentForm, read

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; base-uri "
    "'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
ASSETS = {"checkout.css": "text/css", "checkout.js": "text/javascript"}
DEBIT_NAMES = {"us_bank_account": "US bank account", "sepa_debit": "SEPA Direct Debit"}


class Pages:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/c/pay/{id}", self.checkout),
            web.post("/c/pay/{id}", self.pay),
            web.get("/_sandbox/authenticate/{id}", self.authentication),
            web.post("/_sandbox/authenticate/{id}", self.authenticate),
            web.get("/_sandbox/success", self.success),
            web.get("/_sandbox/cancel", self.cancel),
            web.get("/_sandbox/assets/{name}", self.asset),
        ]

    async def checkout(self, request: web.Request) -> web.Response:
        self._sandbox.run_due()
        session = self._session(request)
        if session["status"] != "open":
            return self._closed(session)
        intent = self._sandbox.objects["payment_intent"].get(session["payment_intent"])
        error = (intent or {}).get("last_payment_error") or {}
        return self._form(session, PaymentForm(dict.fromkeys(FIELDS, "")), error.get("message", ""))

    async def pay(self, request: web.Request) -> web.Response:
        sent = await request.post()
        self._sandbox.run_due()
        session = self._session(request)
        if session["status"] == "complete":  # the button was pressed twice
            return see_other(checkout_payment.success_url(session))
        if session["status"] != "open":
            return self._closed(session)
        needs_email = _known_email(session) is None
        form = read(sent, now=self._sandbox.now(), needs_email=needs_email, offers_debit=_debit_of(session) is not None)
        free = session["amount_total"] == 0
        if form.errors and not free:
            return self._form(session, form, "", status=422)
        try:
            checkout_payment.pay(self._sandbox, session, None if free else self._method(session, form))
        except ApiError as refusal:
            return self._form(session, form, refusal.message, status=refusal.status)
        return self._onward(session)

    async def authentication(self, request: web.Request) -> web.Response:
        intent = self._intent(request)
        if intent["status"] != "requires_action":
            return self._after_authentication(intent)
        body = render(
            "authenticate",
            action=request.path,
            amount=shown(intent["amount"], intent["currency"]),
            merchant=self._sandbox.config.merchant_name,
        )
        return page("3-D Secure", body)

    async def authenticate(self, request: web.Request) -> web.Response:
        answer = (await request.post()).get("answer")
        intent = self._intent(request)
        if answer not in {"complete", "fail"}:
            return message("That was no answer", "Go back and press Complete or Fail.", status=400)
        with suppress(ApiError):  # a decline is on record in the intent, which the next page shows
            payments.authenticate(self._sandbox, intent, completed=answer == "complete")
        return self._after_authentication(intent)

    async def success(self, request: web.Request) -> web.Response:
        """For when no application runs: what was paid, by the session's id in the query."""
        session = self._sandbox.objects["checkout.session"].get(request.query.get("session_id", ""))
        if session is None or session["status"] != "complete":
            return message(
                "Thank you", "Your order is placed.", tone="good", link="/", text_of_link="What the sandbox did"
            )
        amount = shown(session["amount_total"], session["currency"])
        items = ", ".join(item["description"] for item in self._sandbox.line_items[session["id"]])
        words = (
            f"{amount} for {items} are paid. The shop learns of it by an event that is on its way."
            if session["payment_status"] != "unpaid"
            else f"{amount} for {items} are debited from the bank, which takes some business days at Stripe. The "
            f"shop learns of it by an event."
        )
        return message("Thank you", words, tone="good", link="/", text_of_link="What the sandbox did")

    async def cancel(self, _: web.Request) -> web.Response:
        return message("Nothing was charged", "You left the checkout page. You can go back to it until it expires.")

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        return web.Response(body=asset(name), content_type=ASSETS[name], charset="utf-8", headers=SECURITY_HEADERS)

    def _session(self, request: web.Request) -> Json:
        session = self._sandbox.objects["checkout.session"].get(request.match_info["id"])
        if session is None:
            raise _not_found()
        return session

    def _intent(self, request: web.Request) -> Json:
        intent = self._sandbox.objects["payment_intent"].get(request.match_info["id"])
        if intent is None:
            raise _not_found()
        return intent

    def _method(self, session: Json, form: PaymentForm) -> Json:
        debit = _debit_of(session)
        if form.pays_by_debit and debit is not None:
            method = add_bank(self._sandbox, debit, fails=form.values["course"] == "fails", details={"last4": "6789"})
        else:
            card = {
                "number": form.number,
                "exp_month": form.exp_month,
                "exp_year": form.exp_year,
                "cvc": form.values["cvc"],
            }
            method = from_card(self._sandbox, card)
        method["billing_details"] = billing_details(
            {"email": form.values["email"] or None, "name": form.values["name"] or None}
        )
        return method

    def _onward(self, session: Json) -> web.Response:
        intent = self._sandbox.objects["payment_intent"].get(session["payment_intent"])
        if intent is not None and intent["status"] == "requires_action":
            return see_other(f"/_sandbox/authenticate/{intent['id']}")
        return see_other(checkout_payment.success_url(session))

    def _after_authentication(self, intent: Json) -> web.Response:
        session_id = self._sandbox.sessions_by_intent.get(intent["id"])
        paid = intent["status"] in {"succeeded", "processing", "requires_capture"}
        if session_id is not None:
            session = self._sandbox.get("checkout.session", session_id)
            return see_other(checkout_payment.success_url(session) if paid else f"/c/pay/{session_id}")
        return_url = self._sandbox.return_urls.get(intent["id"])
        if return_url is not None:
            told = urlencode({"payment_intent": intent["id"], "redirect_status": "succeeded" if paid else "failed"})
            return see_other(f"{return_url}{'&' if '?' in return_url else '?'}{told}")
        if paid:
            return message("Authentication complete", "The payment went through. You can close this page.", tone="good")
        return message("Authentication failed", "Nothing was charged. You can close this page.", tone="bad")

    def _closed(self, session: Json) -> web.Response:
        if session["status"] == "complete":
            return message(
                "Already paid",
                "This checkout is complete; nothing more is due.",
                tone="good",
                link=checkout_payment.success_url(session),
            )
        link = checkout_payment.cancel_url(session)
        return message(
            "This checkout has expired",
            "Nothing was charged. Start again from the shop.",
            tone="bad",
            link=link,
            status=410,
        )

    def _form(self, session: Json, form: PaymentForm, error: str, *, status: int = 200) -> web.Response:
        return page(
            "Checkout",
            checkout_page.body(self._sandbox, session, form, error, debit=_debit_name(session)),
            status=status,
        )


def _debit_of(session: Json) -> str | None:
    return next((kind for kind in session["payment_method_types"] if kind in DEBIT_NAMES), None)


def _debit_name(session: Json) -> str | None:
    kind = _debit_of(session)
    return DEBIT_NAMES[kind] if kind else None


def _known_email(session: Json) -> str | None:
    return (session["customer_details"] or {}).get("email")


def see_other(url: str) -> web.Response:
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


def _not_found() -> web.HTTPNotFound:
    body = _document(
        "Not found",
        message_body("Nothing here", "This page does not exist. The sandbox forgets everything when it is restarted."),
    )
    return web.HTTPNotFound(text=body, content_type="text/html", headers=SECURITY_HEADERS)


def message(
    title: str,
    text: str,
    *,
    tone: str = "plain",
    link: str | None = None,
    text_of_link: str = "Return to the shop",
    status: int = 200,
) -> web.Response:
    """A page that says one thing; `tone` is plain, good or bad."""
    return page(title, message_body(title, text, tone=tone, link=link, text_of_link=text_of_link), status=status)


def message_body(
    title: str, text: str, *, tone: str = "plain", link: str | None = None, text_of_link: str = "Return to the shop"
) -> Markup:
    links = [render("link", href=link, text=text_of_link)] if link else []
    return render("message", title=title, text=text, tone=tone, link=joined(links))


def page(title: str, body: Markup, *, status: int = 200) -> web.Response:
    return web.Response(
        text=_document(title, body), status=status, content_type="text/html", charset="utf-8", headers=SECURITY_HEADERS
    )


def _document(title: str, body: Markup) -> Markup:
    return render("document", title=title, body=body)
