"""Products and prices."""

from decimal import Decimal

from stripe.params import (
    PriceCreateParams,
    PriceListParams,
    PriceRetrieveParams,
    PriceUpdateParams,
    ProductCreateParams,
    ProductDeleteParams,
    ProductListParams,
    ProductRetrieveParams,
    ProductUpdateParams,
)

from billing_service.sandbox.engine import metadata
from billing_service.sandbox.engine.errors import Json, invalid, not_offered
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.money import AMOUNT_MAX, currency_of
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id

PRODUCT_PLAIN = (
    "active",
    "description",
    "images",
    "name",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)
PRICE_UNPLAYED = (
    "billing_scheme",
    "currency_options",
    "custom_unit_amount",
    "tiers",
    "tiers_mode",
    "transform_quantity",
)
LOOKUP_KEY_LENGTH_MAX = 200
LOOKUP_KEYS_MAX = 10


def create_product(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    product_id = params.get("id", new_id("prod", 14))
    if product_id in sandbox.objects["product"]:
        raise invalid(f"Product already exists: {product_id}.", param="id", code="resource_already_exists")
    product = _new_product(sandbox, product_id, params)
    sandbox.emit("product.created", product)
    if "default_price_data" in params:
        price = _new_price(sandbox, params["default_price_data"] | {"product": product_id})
        product["default_price"] = price["id"]
        sandbox.emit("price.created", price)
    return product


def update_product(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    product = sandbox.get("product", call.id)
    changes = {name: params[name] if params[name] != "" else None for name in PRODUCT_PLAIN if name in params}
    if "default_price" in params:
        changes["default_price"] = sandbox.get("price", params["default_price"], param="default_price")["id"]
    if "metadata" in params:
        changes["metadata"] = metadata.merged(product["metadata"], params["metadata"])
    previous = sandbox.update(product, changes)
    if previous:
        product["updated"] = sandbox.now()
        sandbox.emit("product.updated", product, previous=previous)
    return product


def retrieve_product(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("product", call.id)


def delete_product(sandbox: Sandbox, call: Call) -> Json:
    product = sandbox.get("product", call.id)
    if any(price["product"] == call.id for price in sandbox.objects["price"].values()):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.", param="id")
    del sandbox.objects["product"][call.id]
    sandbox.emit("product.deleted", product)
    return {"id": product["id"], "object": "product", "deleted": True}


def list_products(sandbox: Sandbox, call: Call) -> Json:
    plain = matches(call.params, "active", "shippable", "url")
    ids = call.params.get("ids")
    return page(
        sandbox.newest_first("product"),
        call.params,
        "/v1/products",
        lambda row: plain(row) and (ids is None or row["id"] in ids),
    )


def create_price(sandbox: Sandbox, call: Call) -> Json:
    price = _new_price(sandbox, call.params)
    sandbox.emit("price.created", price)
    return price


def update_price(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    price = sandbox.get("price", call.id)
    for name in PRICE_UNPLAYED:
        if name in params:
            raise not_offered(name)
    changes = call.chosen("active", "nickname", "tax_behavior")
    if "lookup_key" in params:
        changes["lookup_key"] = _claimed_lookup_key(sandbox, params, price["id"])
    if "metadata" in params:
        changes["metadata"] = metadata.merged(price["metadata"], params["metadata"])
    previous = sandbox.update(price, changes)
    if previous:
        sandbox.emit("price.updated", price, previous=previous)
    return price


def retrieve_price(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("price", call.id)


def list_prices(sandbox: Sandbox, call: Call) -> Json:
    plain = matches(call.params, "active", "currency", "product", "type")
    keys = call.params.get("lookup_keys")
    if keys is not None and len(keys) > LOOKUP_KEYS_MAX:
        raise invalid(f"Array lookup_keys exceeded maximum {LOOKUP_KEYS_MAX} allowed elements.", param="lookup_keys")
    return page(
        sandbox.newest_first("price"),
        call.params,
        "/v1/prices",
        lambda row: plain(row) and (keys is None or row["lookup_key"] in keys),
    )


def inline_price(sandbox: Sandbox, data: Json, param: str) -> Json:
    """The price that `price_data` of a line item stands for: usable once, so not active."""
    if ("product" in data) == ("product_data" in data):
        raise invalid(f"You must specify either `product` or `product_data` in {param}.", param=param)
    if "product_data" in data:
        product = _new_product(sandbox, new_id("prod", 14), data["product_data"] | {"active": False})
        sandbox.emit("product.created", product)
        data = {name: value for name, value in data.items() if name != "product_data"} | {"product": product["id"]}
    price = _new_price(sandbox, data | {"active": False}, f"{param}[", "]")
    sandbox.emit("price.created", price)
    return price


def _new_product(sandbox: Sandbox, product_id: str, params: Json) -> Json:
    now = sandbox.now()
    blank: Json = {
        "id": product_id,
        "object": "product",
        "active": True,
        "created": now,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": params.get("marketing_features", []),
        "metadata": metadata.fresh(params),
        "name": params["name"],
        "package_dimensions": params.get("package_dimensions"),
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": params.get("type", "service"),
        "unit_label": None,
        "updated": now,
        "url": None,
    }
    return sandbox.add(blank | {name: params[name] for name in PRODUCT_PLAIN if name in params})


def _new_price(sandbox: Sandbox, params: Json, before: str = "", after: str = "") -> Json:
    for name in PRICE_UNPLAYED:
        if name in params and params[name] != "per_unit":
            raise not_offered(f"{before}{name}{after}")
    amount = _unit_amount(params, before, after)
    currency = currency_of(params["currency"], f"{before}currency{after}")
    if "product" not in params and "product_data" not in params:
        raise invalid(
            "You must specify either `product` or `product_data` when creating a price.",
            param=f"{before}product{after}",
        )
    price_id = new_id("price")
    lookup_key = _claimed_lookup_key(sandbox, params, price_id)
    if "product" in params:
        product_id = sandbox.get("product", params["product"], param=f"{before}product{after}")["id"]
    else:
        product = _new_product(sandbox, new_id("prod", 14), params["product_data"])
        product_id = product["id"]
        sandbox.emit("product.created", product)
    recurring = params.get("recurring")
    return sandbox.add(
        {
            "id": price_id,
            "object": "price",
            "active": params.get("active", True),
            "billing_scheme": "per_unit",
            "created": sandbox.now(),
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": lookup_key,
            "metadata": metadata.fresh(params),
            "nickname": params.get("nickname"),
            "product": product_id,
            "recurring": recurring
            and {"interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"} | recurring,
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if recurring else "one_time",
            "unit_amount": amount,
            "unit_amount_decimal": str(amount),
        }
    )


def _unit_amount(params: Json, before: str, after: str) -> int:
    if ("unit_amount" in params) == ("unit_amount_decimal" in params):
        raise invalid(
            "You must specify exactly one of `unit_amount` or `unit_amount_decimal`.",
            param=f"{before}unit_amount{after}",
        )
    amount: int | Decimal = params["unit_amount"] if "unit_amount" in params else params["unit_amount_decimal"]
    if amount != int(amount):
        raise not_offered(f"{before}unit_amount_decimal{after}")
    if not 0 <= amount <= AMOUNT_MAX:
        raise invalid(
            "Invalid non-negative integer", param=f"{before}unit_amount{after}", code="parameter_invalid_integer"
        )
    return int(amount)


def _claimed_lookup_key(sandbox: Sandbox, params: Json, price_id: str) -> str | None:
    """The sent key, taken from the price that holds it only when the caller says so."""
    key: str | None = params.get("lookup_key")
    if key is None:
        return None
    if len(key) > LOOKUP_KEY_LENGTH_MAX:
        raise invalid(f"Invalid string: must be at most {LOOKUP_KEY_LENGTH_MAX} characters", param="lookup_key")
    for price in sandbox.objects["price"].values():
        if price["lookup_key"] == key and price["id"] != price_id:
            if not params.get("transfer_lookup_key"):
                raise invalid(f"A price (`{price['id']}`) already uses that lookup key.", param="lookup_key")
            price["lookup_key"] = None
            sandbox.emit("price.updated", price, previous={"lookup_key": key})
    return key


ROUTES = (
    Route("POST", "/v1/products", ProductCreateParams, create_product),
    Route("GET", "/v1/products", ProductListParams, list_products),
    Route("GET", "/v1/products/{id}", ProductRetrieveParams, retrieve_product),
    Route("POST", "/v1/products/{id}", ProductUpdateParams, update_product),
    Route("DELETE", "/v1/products/{id}", ProductDeleteParams, delete_product),
    Route("POST", "/v1/prices", PriceCreateParams, create_price),
    Route("GET", "/v1/prices", PriceListParams, list_prices),
    Route("GET", "/v1/prices/{id}", PriceRetrieveParams, retrieve_price),
    Route("POST", "/v1/prices/{id}", PriceUpdateParams, update_price),
)
