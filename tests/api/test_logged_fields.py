"""Which fields of requests and answers a line of the log has, and how it writes them."""

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from prepaid.billing.v1 import admin_pb2

from billing_service.api.call_log import HOT_METHODS, LOGGED, NESTED, NOT_LOGGED, is_write, read_fields, readers_of
from tests.api.edge_server import (
    ADMIN,
    BILLING,
    STRIPE_EVENTS,
)

METHODS = [method for service in (BILLING, ADMIN, STRIPE_EVENTS) for method in service.methods]
WRITES = [method for method in METHODS if is_write(method)]
READS = {
    "GetAccount",
    "GetBalance",
    "WatchBalance",
    "TailEvents",
    "ListWebhookDeliveries",
    "ListTransactions",
    "ListPackages",
    "GetPurchase",
    "ListPurchases",
    "QuoteRefund",
    "ListRefunds",
}
READS |= {
    "GetRefund",
    "GetReferral",
    "ListAccounts",
    "ListAllPurchases",
    "ListStripeEvents",
    "ListApiKeys",
    "ListAuditRecords",
    "VerifyLedger",
    "Reconcile",
}
READS |= {
    "GetHold",
    "ListHolds",
    "GetCheckoutStatus",
    "ListRateCards",
    "GetRateCard",
    "QuoteUsage",
    "GetReceipt",
}


def leaves(message):
    """Fields of a message and of those in it that count as its own."""
    for field in message.fields:
        if field.name in NESTED and field.message_type is not None and not field.is_repeated:
            yield from leaves(field.message_type)
        else:
            yield field


def filled(message_type):
    """A message whose every field is set: texts to a canary that names the field, numbers to 7."""
    made = GetMessageClass(message_type)()
    for field in message_type.fields:
        if field.is_repeated:
            if field.enum_type is not None:
                getattr(made, field.name).extend([1, 2])
            elif field.message_type is None:
                getattr(made, field.name).append(f"canary-{field.name}")
            elif field.message_type.GetOptions().map_entry:
                getattr(made, field.name)[f"canary-{field.name}"] = f"canary-{field.name}"
            else:
                getattr(made, field.name).add().CopyFrom(filled(field.message_type))
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(filled(field.message_type))
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(made, field.name, f"canary-{field.name}")
        elif field.type == FieldDescriptor.TYPE_BYTES:
            setattr(made, field.name, f"canary-{field.name}".encode())
        elif field.enum_type is not None:
            setattr(made, field.name, 1)
        else:
            setattr(made, field.name, 7 if field.type != FieldDescriptor.TYPE_BOOL else True)
    return made


def test_every_method_but_the_reads_is_a_write():
    # what they did has a line of its own where it was refused
    hot_with_many = {"BatchDeductCredits", "StreamDeductions", "MeterSession"}
    assert {method.name for method in METHODS} - {method.name for method in WRITES} == READS | hot_with_many
    assert {method.name for method in METHODS} >= HOT_METHODS


def test_of_every_field_of_a_write_it_is_decided_whether_the_log_has_it():
    """A new field belongs into LOGGED or NOT_LOGGED of `call_log`: ids, states and amounts into the first, people's
    words into the second."""
    fields = {
        field.name
        for method in WRITES
        for message in (method.input_type, method.output_type)
        for field in leaves(message)
    }
    assert not fields - LOGGED - NOT_LOGGED
    assert not LOGGED & NOT_LOGGED
    everywhere = {
        field.name
        for method in METHODS
        for message in (method.input_type, method.output_type)
        for field in leaves(message)
    }
    assert not (LOGGED | NOT_LOGGED) - everywhere, "a field that is nowhere"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_line_has_the_fields_that_are_logged_and_nothing_of_the_others(method):
    for message_type in (method.input_type, method.output_type):
        said = read_fields(readers_of(message_type), filled(message_type))
        canaries = {
            value.removeprefix("canary-") for value in said.values() if isinstance(value, str) and "canary" in value
        }
        assert canaries <= LOGGED
        left_out = {
            field.name
            for field in leaves(message_type)
            if field.containing_oneof is not None or (field.message_type and not field.name.endswith("_time"))
        }
        assert len(said) >= len({field.name for field in leaves(message_type)} & LOGGED - left_out), said


def test_words_moments_and_numbers_read_as_people_write_them():
    request = admin_pb2.GrantCreditsRequest(
        account_id="ada", amount_microcredits=0, category="CREDIT_CATEGORY_PLAN", reason="for Ada"
    )
    request.expire_time.FromJsonString("2030-01-02T03:04:05Z")
    read = readers_of(request.DESCRIPTOR)
    expected = {
        "account_id": "ada",
        "amount_microcredits": 0,
        "category": "PLAN",
        "expire_time": "2030-01-02T03:04:05Z",
    }
    assert read_fields(read, request) == expected
    request.category, request.expire_time.seconds = 99, 2**62
    assert read_fields(read, request).items() >= {"category": 99, "expire_time": f"{2**62} s"}.items()
    assert read_fields(read, admin_pb2.GrantCreditsRequest()) == {"amount_microcredits": 0}


def test_two_fields_of_one_name_never_hide_each_other():
    """An answer's field stands for the request's of the same name: both must mean the same."""
    same = {
        "account_id",
        "purchase_id",
        "package_code",
        "currency",
        "frozen",
        "overdraft_limit_microcredits",
        "debt_max_microcredits",
        "low_balance_microcredits",
        "stripe_customer_id",
    }
    same |= {
        "amount_minor",
        "event_id",
        "key_caller",
        "scopes",
        "spender_ids",
        "expire_time",
        "key_id",
        "transaction_id",
        "hold_id",
    }
    shared = {}
    for method in WRITES:
        both = readers_of(method.input_type).keys() & readers_of(method.output_type).keys()
        shared |= dict.fromkeys(both, method.name)
    assert shared.keys() == same - {"transaction_id"}
