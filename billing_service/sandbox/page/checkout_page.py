"""The markup of the checkout page."""

from billing_service.sandbox.engine.errors import Json
from billing_service.sandbox.engine.money import shown
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import checkout_payment
from billing_service.sandbox.page.markup import Markup, joined, render
from billing_service.sandbox.page.payment_form import PaymentForm

TEST_CARDS = (
    ("4242 4242 4242 4242", "Pays (Visa)"),
    ("5555 5555 5555 4444", "Pays (Mastercard)"),
    ("4000 0000 0000 0002", "Declined"),
    ("4000 0000 0000 9995", "Insufficient funds"),
    ("4000 0000 0000 0069", "Expired card"),
    ("4000 0027 6000 3184", "Asks for 3-D Secure"),
    ("4000 0025 0000 3155", "Asks for 3-D Secure"),
    ("4000 0000 0000 7726", "Pays, refund {settles}"),
    ("4000 0000 0000 5126", "Pays, refund {fails}"),
    ("4000 0000 0000 0259", "Pays, then disputed"),
    ("4000 0000 0000 1976", "Pays, then an inquiry"),
    ("4000 0000 0000 5423", "Pays, then a fraud warning"),
)
"""Numbers, and what each does. The two words depend on how the sandbox settles."""
NOTHING = Markup("")


def body(sandbox: Sandbox, session: Json, form: PaymentForm, error: str, *, debit: str | None) -> Markup:
    """`error` stands above the form, `form.errors` at their fields; `debit` names the bank debit on offer, if any."""
    total = shown(session["amount_total"], session["currency"])
    free = session["amount_total"] == 0
    cancel = checkout_payment.cancel_url(session)
    return render(
        "checkout",
        action=f"/c/pay/{session['id']}",
        merchant=sandbox.config.merchant_name,
        total=total,
        items=joined([_item(sandbox, item) for item in sandbox.line_items[session["id"]]]),
        cancel=render("cancel", href=cancel) if cancel else NOTHING,
        error=render("error", text=error) if error else NOTHING,
        email=_email(session, form),
        payment=NOTHING if free else _payment(form, debit),
        button="Complete order" if free else f"Pay {total}",
        test_cards=joined(
            [
                render("test_card", number=number, effect=effect.format(**_courses(sandbox)))
                for number, effect in TEST_CARDS
            ]
        ),
    )


def _courses(sandbox: Sandbox) -> dict[str, str]:
    delay_s = sandbox.config.settlement_delay_s
    when = "when you say so" if delay_s is None else f"after {delay_s:g} s" if delay_s else "at once"
    return {"settles": f"settles {when}", "fails": f"fails {when}"}


def _item(sandbox: Sandbox, item: Json) -> Markup:
    product = sandbox.objects["product"].get(item["price"]["product"], {})
    each = shown(item["price"]["unit_amount"], item["currency"])
    quantity = f"{item['quantity']} \N{MULTIPLICATION SIGN} {each}" if item["quantity"] > 1 else ""
    return render(
        "line_item",
        name=item["description"],
        note=" · ".join(part for part in (product.get("description") or "", quantity) if part),
        amount=shown(item["amount_total"], item["currency"]),
    )


def _email(session: Json, form: PaymentForm) -> Markup:
    known = (session["customer_details"] or {}).get("email")
    if known:
        return render("known_email", email=known)
    return _field(form, "email", "Email", kind="email", autocomplete="email", placeholder="you@example.com")


def _payment(form: PaymentForm, debit: str | None) -> Markup:
    card = joined(
        [
            _field(
                form,
                "number",
                "Card number",
                inputmode="numeric",
                autocomplete="cc-number",
                placeholder="4242 4242 4242 4242",
            ),
            _field(form, "expiry", "Expiry", inputmode="numeric", autocomplete="cc-exp", placeholder="MM / YY"),
            _field(
                form, "cvc", "Security code", inputmode="numeric", autocomplete="cc-csc", placeholder="CVC", value=""
            ),
            _field(form, "name", "Name on card", autocomplete="cc-name", placeholder="Full name"),
        ]
    )
    if debit is None:
        return render("card_only", card=card)
    checked, unchecked = Markup("checked"), NOTHING
    return render(
        "methods",
        card=card,
        debit=debit,
        card_checked=unchecked if form.pays_by_debit else checked,
        debit_checked=checked if form.pays_by_debit else unchecked,
    )


def _field(
    form: PaymentForm,
    name: str,
    label: str,
    *,
    kind: str = "text",
    inputmode: str = "text",
    autocomplete: str,
    placeholder: str,
    value: str | None = None,
) -> Markup:
    error = form.errors.get(name)
    return render(
        "field",
        name=name,
        label=label,
        kind=kind,
        inputmode=inputmode,
        autocomplete=autocomplete,
        placeholder=placeholder,
        value=form.values[name] if value is None else value,
        invalid="true" if error else "false",
        error=error or "",
    )
