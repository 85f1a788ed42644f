"""The members of Stripe's objects, by name, as its API of 2026 sends them: what a program meets that is given a whole
one.

Names alone are Stripe's. Values are invented: nothing unless a test says what.
"""

MEMBERS = {
    "checkout.session": """
        id object adaptive_pricing after_expiration allow_promotion_codes amount_subtotal amount_total automatic_tax
        billing_address_collection branding_settings cancel_url client_reference_id client_secret
        collected_information consent consent_collection created currency currency_conversion custom_fields
        custom_text customer customer_account customer_creation customer_details customer_email discounts expires_at
        integration_identifier invoice invoice_creation livemode locale metadata mode origin_context payment_intent
        payment_link payment_method_collection payment_method_configuration_details payment_method_options
        payment_method_types payment_status permissions phone_number_collection recovered_from
        saved_payment_method_options setup_intent shipping_address_collection shipping_cost shipping_options status
        submit_type subscription success_url total_details ui_mode url wallet_options""",
    "customer": """
        id object address balance created currency customer_account default_source delinquent description discount
        email invoice_credit_balance invoice_prefix invoice_settings livemode metadata name next_invoice_sequence
        phone preferred_locales shipping tax tax_exempt test_clock""",
    "payment_intent": """
        id object amount amount_capturable amount_details amount_received application application_fee_amount
        automatic_payment_methods canceled_at cancellation_reason capture_method client_secret confirmation_method
        created currency customer description excluded_payment_method_types last_payment_error latest_charge livemode
        metadata next_action on_behalf_of payment_method payment_method_configuration_details payment_method_options
        payment_method_types processing receipt_email review setup_future_usage shipping source statement_descriptor
        statement_descriptor_suffix status transfer_data transfer_group""",
    "charge": """
        id object amount amount_captured amount_refunded application application_fee application_fee_amount
        balance_transaction billing_details calculated_statement_descriptor captured created currency customer
        description destination dispute disputed failure_balance_transaction failure_code failure_message
        fraud_details livemode metadata on_behalf_of order outcome paid payment_intent payment_method
        payment_method_details radar_options receipt_email receipt_number receipt_url refunded review shipping source
        source_transfer statement_descriptor statement_descriptor_suffix status transfer_data transfer_group""",
    "refund": """
        id object amount balance_transaction charge created currency destination_details metadata payment_intent
        reason receipt_number source_transfer_reversal status transfer_reversal""",
    "dispute": """
        id object amount balance_transactions charge created currency enhanced_eligibility_types evidence
        evidence_details is_charge_refundable livemode metadata payment_intent payment_method_details reason status""",
    "product": """
        id object active created default_price description images livemode marketing_features metadata name
        package_dimensions shippable statement_descriptor tax_code type unit_label updated url""",
    "price": """
        id object active billing_scheme created currency custom_unit_amount livemode lookup_key metadata nickname
        product recurring tax_behavior tiers_mode transform_quantity type unit_amount unit_amount_decimal""",
    "balance_transaction": """
        id object amount available_on balance_type created currency description exchange_rate fee fee_details net
        reporting_category source status type""",
    "event": "id object api_version created data livemode pending_webhooks request type",
}
NESTED = {
    "checkout.session": {
        "total_details": "amount_discount amount_shipping amount_tax",
        "branding_settings": "background_color border_style button_color display_name font_family icon logo",
    },
    "charge": {
        "billing_details": "address email name phone tax_id",
        "outcome": "advice_code network_advice_code network_decline_code network_status reason risk_level risk_score "
        "seller_message type",
    },
    "refund": {"destination_details": "card type"},
    "event": {"request": "id idempotency_key"},
}
ERRORS = {
    400: "code doc_url message param request_log_url type",
    401: "message type",
    402: "advice_code code decline_code doc_url message network_decline_code param request_log_url type",
    404: "code doc_url message param request_log_url type",
}
ERROR_HEADERS = {
    400: "Request-Id Stripe-Version",
    402: "Request-Id Stripe-Should-Retry Stripe-Version",
    404: "Request-Id Stripe-Version",
}
"""Of every such answer; those to a request with an idempotency key have two more."""


def members_of(kind):
    """Of an object and of the objects in it, as `member` and `member.inner`."""
    inner = {f"{name}.{member}" for name, members in NESTED.get(kind, {}).items() for member in members.split()}
    return set(MEMBERS[kind].split()) | inner


def whole(kind, **values):
    """An object with all its members, as Stripe sends one; those that are not given are null, as most of a real one
    are."""
    unknown = values.keys() - set(MEMBERS[kind].split())
    assert not unknown, f"{kind} has no {unknown}"
    usual = {"object": kind, "metadata": {}, "livemode": False, "created": 1_790_000_000}
    inner = {name: dict.fromkeys(members.split()) for name, members in NESTED.get(kind, {}).items()}
    there = dict.fromkeys(MEMBERS[kind].split())
    return there | {name: value for name, value in usual.items() if name in there} | inner | values


def error_body(status, **values):
    """The body of an error, with all its members."""
    return {"error": dict.fromkeys(ERRORS[status].split(), "of Stripe's") | values}
