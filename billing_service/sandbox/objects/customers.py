"""Customers."""

from stripe.params import (
    CustomerCreateParams,
    CustomerDeleteParams,
    CustomerListParams,
    CustomerRetrieveParams,
    CustomerUpdateParams,
)

from billing_service.sandbox.engine import email_addresses, metadata
from billing_service.sandbox.engine.errors import Json, not_offered
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id
from billing_service.sandbox.objects.payment_methods import attach_to, resolve

PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping", "tax_exempt")
UPDATABLE = frozenset({*PLAIN, "expand", "metadata", "invoice_settings"})
CREATABLE = UPDATABLE | {"payment_method"}


def create(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    _refuse_unplayed(params, CREATABLE)
    email_addresses.check(params, "email")
    customer = sandbox.add(_blank(sandbox) | _plain(params) | {"metadata": metadata.fresh(params)})
    _settle_invoice_settings(customer, params)
    if "payment_method" in params:
        attach_to(sandbox, resolve(sandbox, params["payment_method"]), customer["id"])
    sandbox.emit("customer.created", customer)
    return customer


def guest(sandbox: Sandbox, *, email: str | None, name: str | None) -> Json:
    """The customer that a checkout session creates by itself."""
    customer = sandbox.add(_blank(sandbox) | {"email": email, "name": name})
    sandbox.emit("customer.created", customer)
    return customer


def update(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    customer = sandbox.customer(call.id)
    _refuse_unplayed(params, UPDATABLE)
    email_addresses.check(params, "email")
    changes = _plain(params)
    if "metadata" in params:
        changes["metadata"] = metadata.merged(customer["metadata"], params["metadata"])
    previous = sandbox.update(customer, changes)
    _settle_invoice_settings(customer, params)
    if previous:
        sandbox.emit("customer.updated", customer, previous=previous)
    return customer


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("customer", call.id)


def delete(sandbox: Sandbox, call: Call) -> Json:
    customer = sandbox.customer(call.id)
    gone: Json = {"id": customer["id"], "object": "customer", "deleted": True}
    sandbox.emit("customer.deleted", customer)
    return sandbox.add(gone)


def list_customers(sandbox: Sandbox, call: Call) -> Json:
    living = [customer for customer in sandbox.newest_first("customer") if not customer.get("deleted")]
    return page(living, call.params, "/v1/customers", matches(call.params, "email"))


def _refuse_unplayed(params: Json, played: frozenset[str]) -> None:
    for name in params:
        if name not in played:
            raise not_offered(name)


def _plain(params: Json) -> Json:
    return {name: params[name] if params[name] != "" else None for name in PLAIN if name in params}


def _settle_invoice_settings(customer: Json, params: Json) -> None:
    customer["invoice_settings"] = customer["invoice_settings"] | params.get("invoice_settings", {})


def _blank(sandbox: Sandbox) -> Json:
    return {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": sandbox.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_credit_balance": {},
        "invoice_prefix": new_id("", 8)[1:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax": {"automatic_tax": "unrecognized_location", "ip_address": None, "location": None, "provider": "stripe"},
        "tax_exempt": "none",
        "test_clock": None,
    }


ROUTES = (
    Route("POST", "/v1/customers", CustomerCreateParams, create),
    Route("GET", "/v1/customers", CustomerListParams, list_customers),
    Route("GET", "/v1/customers/{id}", CustomerRetrieveParams, retrieve),
    Route("POST", "/v1/customers/{id}", CustomerUpdateParams, update),
    Route("DELETE", "/v1/customers/{id}", CustomerDeleteParams, delete),
)
