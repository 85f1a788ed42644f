"""What a checkout session and its line items look like."""

from billing_service.sandbox.engine import metadata
from billing_service.sandbox.engine.errors import Json
from billing_service.sandbox.engine.store import Sandbox, new_id

# Parameters that stand on the session as they were sent.
COPIED = (
    "allow_promotion_codes",
    "billing_address_collection",
    "client_reference_id",
    "consent_collection",
    "customer_creation",
    "customer_email",
    "integration_identifier",
    "locale",
    "origin_context",
    "submit_type",
)


def new_session(sandbox: Sandbox, params: Json, items: list[Json], *, method_types: list[str], expires_at: int) -> Json:
    """An open session in payment mode. `payment_intent` is null: it is made when the customer pays."""
    session_id = new_id("cs_test", 58)
    total = sum(item["amount_total"] for item in items)
    customer = sandbox.objects["customer"].get(params.get("customer", ""))
    return (
        _untouched()
        | {
            "id": session_id,
            "object": "checkout.session",
            "adaptive_pricing": {"enabled": True} | params.get("adaptive_pricing", {}),
            "allowed_payment_method_types": params.get("allowed_payment_method_types"),
            "amount_subtotal": total,
            "amount_total": total,
            "branding_settings": _branding(sandbox.config.merchant_name),
            "cancel_url": params.get("cancel_url"),
            "created": sandbox.now(),
            "currency": items[0]["currency"],
            "custom_text": {
                "after_submit": None,
                "shipping_address": None,
                "submit": None,
                "terms_of_service_acceptance": None,
            }
            | params.get("custom_text", {}),
            "customer": customer and customer["id"],
            "customer_details": _known_details(customer, params.get("customer_email")),
            "excluded_payment_method_types": params.get("excluded_payment_method_types"),
            "expires_at": expires_at,
            "metadata": metadata.fresh(params),
            "mode": "payment",
            "payment_intent": None,
            "payment_method_configuration_details": None
            if "payment_method_types" in params
            else {"id": "pmc_sandbox", "parent": None},
            "payment_method_types": method_types,
            "payment_status": "unpaid",
            "saved_payment_method_options": {
                "allow_redisplay_filters": ["always"],
                "payment_method_remove": "disabled",
                "payment_method_save": None,
            }
            if customer
            else None,
            "status": "open",
            "success_url": params["success_url"],
            "url": f"{sandbox.base_url}/c/pay/{session_id}",
        }
        | {name: params.get(name) for name in COPIED}
    )


def line_item(sandbox: Sandbox, price: Json, quantity: int) -> Json:
    amount = price["unit_amount"] * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": sandbox.objects["product"][price["product"]]["name"],
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def customer_details(*, email: str | None, name: str | None, phone: str | None = None) -> Json:
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": phone,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _untouched() -> Json:
    """The members that this sandbox never gives another value."""
    return {
        "after_expiration": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "client_secret": None,
        "collected_information": {"business_name": None, "individual_name": None, "shipping_details": None},
        "consent": None,
        "currency_conversion": None,
        "custom_fields": [],
        "customer_account": None,
        "discounts": [],
        "invoice": None,
        "invoice_creation": {"enabled": False, "invoice_data": _blank_invoice_data()},
        "livemode": False,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "subscription": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "wallet_options": None,
    }


def _known_details(customer: Json | None, email: str | None) -> Json | None:
    if customer is not None:
        return customer_details(email=customer["email"], name=None, phone=customer["phone"])
    return customer_details(email=email, name=None) if email else None


def _branding(merchant_name: str) -> Json:
    return {
        "background_color": "#ffffff",
        "border_style": "rounded",
        "button_color": "#0074d4",
        "display_name": merchant_name,
        "font_family": "default",
        "icon": None,
        "logo": None,
    }


def _blank_invoice_data() -> Json:
    return {
        "account_tax_ids": None,
        "custom_fields": None,
        "description": None,
        "footer": None,
        "issuer": None,
        "metadata": {},
        "rendering_options": None,
    }
