"""Credits and money as people write and read them: exact, or refused."""

import pytest
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from billing_service.cli.amounts import read_credits, read_money, shown_credits, shown_money
from billing_service.cli.times import read_future, read_past, shown_time
from billing_service.domain.ledger.amounts import BALANCE_MAX


@pytest.mark.parametrize(
    "text", ["", "1e3", "1,000", "0.0000001", ".5", "5.", "NaN", "Infinity", "1 0", "--1", "1_0", "\uff11", "9" * 13]
)
def test_what_is_no_amount_of_credits_is_refused(text):
    with pytest.raises(typer.BadParameter):
        read_credits(text)


@pytest.mark.parametrize(("text", "currency"), [("1.005", "usd"), ("1.5", "jpy"), ("1.0005", "kwd"), ("ten", "usd")])
def test_money_finer_than_the_currency_is_refused(text, currency):
    with pytest.raises(typer.BadParameter):
        read_money(text, currency)


@pytest.mark.parametrize("text", ["yesterday", "7", "7y", "2026-13-01", "-7d"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(typer.BadParameter):
        read_past(text)


@pytest.mark.parametrize(
    ("text", "microcredits"),
    [
        ("1", 1_000_000),
        ("0.000001", 1),
        ("-12.5", -12_500_000),
        ("+3", 3_000_000),
        ("999999999999.999999", 999_999_999_999_999_999),
    ],
)
def test_credits_are_read_exactly(text, microcredits):
    assert read_credits(text) == microcredits


@pytest.mark.parametrize(
    ("microcredits", "shown"),
    [
        (0, "0"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (1_234_500_000, "1,234.5"),
        (-12_345_678, "-12.345678"),
        (BALANCE_MAX, "9,000,000,000"),
    ],
)
def test_credits_are_shown_exactly(microcredits, shown):
    assert shown_credits(microcredits) == shown


@given(st.integers(-BALANCE_MAX, BALANCE_MAX))
def test_what_is_shown_reads_back_as_the_same_amount(microcredits):
    assert read_credits(shown_credits(microcredits).replace(",", "")) == microcredits


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1000, "usd", "10.00 USD"),
        (5, "usd", "0.05 USD"),
        (-150, "eur", "-1.50 EUR"),
        (1000, "jpy", "1,000 JPY"),
        (1500, "kwd", "1.500 KWD"),
    ],
)
def test_money_has_its_currencys_decimals(minor, currency, shown):
    assert shown_money(minor, currency) == shown
    assert read_money(shown.split()[0].replace(",", ""), currency) == minor


def test_times_are_utc_and_spans_count_from_now():
    assert read_past("2026-05-31").isoformat() == "2026-05-31T00:00:00+00:00"
    assert read_past("2026-05-31T12:00:00+02:00").isoformat() == "2026-05-31T12:00:00+02:00"
    assert read_past("1d") < read_past("1h") < read_future("1m") < read_future("1w")
    assert shown_time(Timestamp(seconds=1, nanos=999_999_999)) == "1970-01-01 00:00:01Z"
    assert shown_time(Timestamp()) == ""
