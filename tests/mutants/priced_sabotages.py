"""Sabotages of priced deductions."""

from tests.mutants.sabotage import Sabotage

SERVICER = "billing_service.api.servicers.deductions"
MANY = "billing_service.api.servicers.many_deductions"
SPENDING = "billing_service.domain.spending.deductions"
AFFORDABLE = "billing_service.domain.spending.affordable"
CHECK = "billing_service.integrity.account_check"
PRICED = "end_to_end/test_price_usage.py"
RECEIPTS = "end_to_end/test_get_receipt.py"
HELPS = "domain/test_affordable.py"
PROVEN = "integrity/test_records_of_prices.py::test_a_record_is_proven"

PRICED_DEDUCTIONS = (
    Sabotage(
        "a usage without a price is free",
        "M13",
        "billing_service.ledger.operations.deduct:Deduct.decide",
        "self.unpriced is not None",
        "self.unpriced is not None and self.amount",
        (f"{PRICED}::test_what_has_no_price_is_refused_by_name_and_moves_nothing[sqlite-unary]",),
    ),
    Sabotage(
        "a repeat needs a price of its own",
        "M13",
        f"{SERVICER}:priced",
        "operation.unpriced = cost",
        "raise cost",
        (f"{PRICED}::test_a_repeat_is_answered_when_the_card_is_gone[sqlite]",),
    ),
    Sabotage(
        "any usage of a model is the same request",
        "M13",
        f"{SERVICER}:deduction_of",
        "usage.meaning if usage else amount",
        "usage.model if usage else amount",
        (f"{PRICED}::test_the_same_usage_in_other_words_is_the_same_request[sqlite]",),
    ),
    Sabotage(
        "what comes after a late price overtakes it",
        "M13",
        f"{MANY}:ManyDeductions._begin_all",
        "await one.submitted.wait()",
        "await asyncio.sleep(0)",
        (
            f"{PRICED}::test_deductions_of_one_account_take_effect_in_their_order_when_no_card_is_in_memory[sqlite-batch]",
        ),
    ),
    Sabotage(
        "why a charge is what it is, is not kept",
        "M14",
        f"{SERVICER}:priced",
        "encode_price(cost)",
        "b''",
        (f"{PRICED}::test_the_price_is_charged_and_comes_back[sqlite-unary]",),
    ),
    Sabotage(
        "what was asked for and not taken is forgotten",
        "M14",
        f"{SPENDING}:deduct",
        "encode_asked(asked) if amount < asked else b''",
        "b''",
        (f"{PRICED}::test_what_could_not_be_charged_is_a_figure[sqlite]",),
    ),
    Sabotage(
        "verify lets more be charged than a record says",
        "M14",
        f"{CHECK}:AccountCheck._follow_record",
        "charge.uncollected < 0",
        "charge.amount < 0",
        (f"{PROVEN}[sqlite-more than its price]",),
    ),
    Sabotage(
        "verify reads no records",
        "M14",
        f"{CHECK}:AccountCheck._follow",
        "if transaction.price_record: self._follow_record(transaction)",
        "pass",
        (f"{PROVEN}[sqlite-no price]",),
    ),
    Sabotage(
        "a receipt forgets what could not be collected",
        "M24",
        "billing_service.domain.spending.receipts:charge_of",
        "Charge(charged, *decode_record(transaction.price_record))",
        "Charge(charged, charged, decode_record(transaction.price_record).priced)",
        (f"{RECEIPTS}::test_a_receipt_of_a_plain_amount_has_no_lines[sqlite]",),
    ),
    Sabotage(
        "a receipt counts what came back of others",
        "M24",
        "billing_service.storage.rows.history:REVERSALS",
        "transactions.c.source_id == bindparam('transaction_id')",
        "transactions.c.source_id != bindparam('transaction_id')",
        (f"{RECEIPTS}::test_reversals_are_on_the_receipt_and_change_nothing_else[sqlite]",),
    ),
    Sabotage(
        "one token more than is affordable",
        "M15",
        f"{AFFORDABLE}:affordable_output_tokens",
        "max(cost_max_e21(budget, price.markup_ppm) - others_e21, 0) // (output.unit_price_e18 * THOUSANDTHS)",
        "max(cost_max_e21(budget, price.markup_ppm) - others_e21, 0) // (output.unit_price_e18 * THOUSANDTHS) + 1",
        (f"{HELPS}::test_so_many_tokens_fit_and_one_more_does_not",),
    ),
    Sabotage(
        "a package is recommended whose credits only pay debt",
        "M15",
        f"{SPENDING}:_check_may_owe",
        "shortfall + max(still_owed - bound, 0)",
        "shortfall",
        (f"{HELPS}::test_what_is_needed_is_enough_and_one_less_is_not",),
    ),
)
