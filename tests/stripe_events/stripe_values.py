"""Every value that Stripe's own types allow, drawn by chance: the SDK's classes say which fields an object has and what
may be in them."""

import typing
from decimal import Decimal

import stripe
from stripe import StripeObject

CLASSES = {
    "checkout.session": stripe.checkout.Session,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "dispute": stripe.Dispute,
    "radar.early_fraud_warning": stripe.radar.EarlyFraudWarning,
    "customer": stripe.Customer,
}
NUMBERS = (
    0,
    1,
    -1,
    300,
    999,
    1_000,
    1_001,
    10**12,
    10**12 + 1,
    10**15,
    -(10**15),
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    -(2**63),
    2**64,
    2**70,
)
TEXTS = (
    "",
    "x",
    "usd",
    "eur",
    "USD",
    "pi_odd",
    "cus_odd-1",
    "odd id \u00e9\N{SNOWMAN}",
    "a\x00b",
    "line\nbreak",
    "\u202eevil",
    "'; --",
    "y" * 255,
    "\U0001f600" * 255,
)
LONG = "z" * 6_000
NEW_WORD = "a_word_of_next_year"
OLD_FIELDS = {
    "checkout.session": ("display_items", "shipping", "shipping_address_collection", "subscription_data"),
    "payment_intent": ("charges", "source", "allowed_source_types", "next_source_action", "invoice"),
    "charge": ("refunds", "card", "disputed", "dispute", "invoice", "source", "statement_description", "uncaptured"),
    "refund": ("description", "evidence", "fee", "fee_details"),
    "dispute": ("evidence_details", "is_protected", "network_details"),
    "radar.early_fraud_warning": ("is_actionable",),
    "customer": (
        "account_balance",
        "active_card",
        "cards",
        "sources",
        "subscription",
        "subscriptions",
        "discount",
        "plan",
    ),
}
"""What objects have had since 2015 and have no more."""
API_VERSIONS = (
    *("2015-10-16", "2019-12-03", "2020-08-27", "2020-08-27; orders_beta=v4", "2022-11-15", "2024-10-28.acacia"),
    *("2025-03-31.basil", "2026-10-28.endive", "2026-10-28.preview", "", None, 20151016),
)
_DEEP = 2


class StripeValues:
    """Draws by one source of chance."""

    def __init__(self, chance):
        self.chance = chance
        self._fields = {}

    def fields_of(self, kind):
        """Names and types of a class's fields."""
        if kind not in self._fields:
            found = {}
            for each in reversed(kind.__mro__):
                found |= {
                    name: of for name, of in vars(each).get("__annotations__", {}).items() if not name.startswith("_")
                }
            self._fields[kind] = {
                name: of for name, of in found.items() if typing.get_origin(of) is not typing.ClassVar
            }
        return self._fields[kind]

    def changed(self, about, changes):
        """A copy with up to `changes` fields as the types allow them, some of them left out, and now and then a field
        of old."""
        kind = CLASSES[about["object"]]
        fields = self.fields_of(kind)
        made = dict(about)
        for name in self.chance.sample(sorted(fields), k=min(changes, len(fields))):
            if name == "object":
                continue
            if self.chance.random() < 0.15:
                made.pop(name, None)
            else:
                made[name] = self.value(fields[name])
        if self.chance.random() < 0.2:
            made[self.chance.choice(OLD_FIELDS[about["object"]])] = self.anything()
        return made

    def value(self, of, depth=0):
        """A value of a type, as JSON has it."""
        origin, args = typing.get_origin(of), typing.get_args(of)
        if origin is typing.Union:
            return self.value(self.chance.choice(args), depth)
        if origin is typing.Literal:
            return self.chance.choice([*args, NEW_WORD])
        if origin is list:
            return [self.value(args[0], depth + 1) for _ in range(self.chance.choice((0, 1, 3)))]
        if origin is dict:
            return {
                self.chance.choice(TEXTS) or "k": self.value(args[1], depth + 1)
                for _ in range(self.chance.choice((0, 1, 3)))
            }
        if origin is not None:  # a list of Stripe's, cut off as in events
            data = [self.value(args[0], depth + 1) for _ in range(2)] if depth < _DEEP else []
            return {"object": "list", "data": data, "has_more": self.chance.random() < 0.5, "url": "/v1/odd"}
        return self._plain(of, depth)

    def _plain(self, of, depth):
        if of is type(None):
            return None
        if of is int:
            return self.chance.choice(NUMBERS)
        if of is bool:
            return self.chance.random() < 0.5
        if of in (float, Decimal):
            return self.chance.choice((0.5, "0.000000000001", 1e300))
        if of is str:
            return self.chance.choice((*TEXTS, LONG)) if self.chance.random() < 0.9 else LONG
        if isinstance(of, typing.ForwardRef):
            return self._object(of.__forward_arg__, depth)
        if isinstance(of, type) and issubclass(of, StripeObject):
            return (
                {}
                if depth >= _DEEP
                else {name: self.value(each, depth + 1) for name, each in self.fields_of(of).items()}
            )
        return self.anything()

    def _object(self, name, depth):
        """Another object, expanded: its id, and what else there is room for."""
        made = {"id": self.chance.choice((*TEXTS, None)), "object": name.rpartition(".")[2].lower()}
        return made | ({"metadata": {}, "amount": self.chance.choice(NUMBERS)} if depth < _DEEP else {})

    def anything(self):
        return self.chance.choice((None, True, 7, "x", [], {}, {"id": "x"}, [{"id": 7}], 0.5))
