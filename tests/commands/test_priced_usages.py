"""Which charges are rated again: those that the card priced which was asked for."""

from billing_service.commands.spending.rerate_usage import Window, priced_usages
from billing_service.domain.spending.price_records import card_mark, encode_asked, encode_price
from billing_service.storage.rows.rerating import ChargeRow
from tests.domain.test_price_records import PLAIN, with_usage
from tests.support.doubles import START_US


def row(record, name="txn_1"):
    return ChargeRow("a", name, START_US, record, 0, 5)


def window(from_version):
    return Window(from_version, "new", 0, START_US + 1)


def test_a_card_that_only_looks_named_is_another():
    """Whatever words a caller sends."""
    priced = with_usage(PLAIN, request_id='"card":"other"')
    record = encode_price(priced)
    own = priced.price.rate_card_version
    assert card_mark(own) in record
    assert card_mark("other") not in record
    rows = [row(record), row(encode_asked(7), "txn_2")]
    assert [usage.transaction_id for usage in priced_usages(rows, window(own))] == ["txn_1"]
    assert [usage.transaction_id for usage in priced_usages(rows, window(""))] == ["txn_1"]
    assert priced_usages(rows, window("other")) == []
