"""Every table and every list of fields at the widths of terminals: no id is broken, nothing is lost, decimals stand
under each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import billing_service.cli  # noqa: F401 - makes all tables
from billing_service.cli.layout import GAP, INDENT, Column, field_lines, printable, table_lines, wrapped
from billing_service.cli.listing import ListTable

WIDTHS = (80, 200)
ID = "txn_01a22da82e230000b1a314a0d257d6b3"
SESSION = "cs_test_r3wYCPDr1CMjAZm4An5V91xyuTIxcv0hnlMczRH5HWclpw0IkYPbe58s5N"
TIME = "2026-11-30 18:12:06Z"
LONGEST_ACCOUNT = "a" * 128
CELLS = {
    "account": ["alice", ID, LONGEST_ACCOUNT],
    "balance": ["1,999.844835", "-0.000001", "1,000,000,000"],
    "credits": ["-0.167295", "0.01213", "1,000"],
    "amount": ["10.00 USD", "", "1,234,567.89 USD"],
    "price": ["10.00 USD", "1,234,567.89 USD", "0.01 USD"],
    "state": ["captured", "open", "released"],
    "category": ["promotional", "paid", "plan"],
    "accounts": ["a" * 40, "", "acme, beta"],
    "spender": ["s" * 40, "(account)", "agent-7"],
    "window": ["day", "month", "none"],
    "spenders": ["s" * 40, "", "team-a, team-b"],
    "kind": ["purchase_reinstatement", "grant", "deduction"],
    "status": ["awaiting_funds", "quarantined", "pending"],
    "type": ["checkout.session.async_payment_succeeded", "customer.updated", "charge.refunded"],
    "what": ["transaction txn_01a22da82e230000b1a314a0d257d6b3 balance after", "debt", "SetOverdraftLimit"],
    "ledger says": ["f" * 64, "True", "-12"],
    "stored": ["none", "0" * 64, "1"],
    "outcome": ["repaired", "found", "left"],
    "subject": [f"cs_test_{'a' * 58}", "re_TCJFF1BP5BwjWV7K64ax6srO", ID],
    "made": ["2026-11-30 12:00:00Z", "", "2026-11-30 12:00:00Z"],
    "failure": ["Your card was declined.", "", "words of a bank " * 16],
    "lots": ["promotional -0.01213, paid -0.155165", "", "plan 1"],
    "description": ["words of whoever called, as many as they like, " * 9, "", "one"],
    "detail": [f"purchase_id {ID}, amount_minor 400, reason {'why ' * 100}", "key_id njxixe33aby4fmzj", ""],
    "e-mail": [f"{'e' * 60}@example.com", "", "ada@example.com"],
    "name": ["Ada " * 60, "", "宮崎 駿"],
    "scopes": ["read deduct purchase refund webhook admin", "read", "admin"],
    "from": ["ipv6:[2001:db8:85a3::8a2e:370:7334]:58670", "offline", ""],
    "package": ["enterprise", "custom", "starter"],
    "caller": ["metering", "job:verification", "c" * 64],
    "reason": ["amount: expected 1000 usd, the session says 900 usd", "", "STORAGE_UNAVAILABLE"],
    "version": ["1", "1,000,000", "12"],
    "card": ["built-in-2026-11-30", "v" * 256, "2026-12"],
    "now": ["in force", "", ""],
    "entries": ["171", "1", "2400"],
    "source": ["litellm 1.110.2", "by hand", "genai-prices 0.2.3"],
    "discount": ["0 %", "30 %", "5 %"],
    "tries": ["1", "12", "3"],
    "last answer": ["HTTP 500", "", "no answer within 10 s"],
    "code": ["starter", "five", "enterprise"],
    "frozen": ["yes", "", ""],
    "key": ["njxixe33aby4fmzj"] * 3,
    "measure": ["cache_write_tokens:12h", "units:code_interpreter_sessions", "images"],
    "quantity": ["1", "1000000000000", "300"],
    "fall-back": ["price below the threshold", "", "input_tokens"],
    "for": ["priority region=us speed=fast above 272,000 tokens", "", "mon-tue-wed-thu-fri 10:00-24:00"],
    "provider": ["vercel_ai_gateway", "openai", "gcp.gemini"],
    "model": ["accounts/fireworks/models/deepseek-v4-pro-0813", "gpt-5*", "m" * 128],
    "before": ["0.000000000000000001", "", "the provider's own cost"],
    "after": ["0.00000125", "14 prices", ""],
    "change": ["+25 %", "", "-50 %"],
    "models": ["1", "4572", "28"],
    "usages": ["1", "1,234,567", "28"],
    "no price for": ["service_tier flex", "model", "attribute region=earth attribute speed=fast"],
    "fate": ["imported", "duplicate", "unpriced"],
    "why": ["priced by the time of a reserved machine, not by what a request used", "", "of x"],
    "the first": ["bedrock/*/1-month-commitment/cohere.command-light-text-v14", "a", "b"],
    "at Stripe": ["re_Eny8vwZAjts2DVMplCqbyh5z", "", "re_GhM0Sxcfwf3YoSb6ltsqqH3c"],
}
ALIKE = {
    **{
        key: [TIME, "", TIME]
        for key in (
            *("time", "received", "created", "last used", "expires", "revoked", "in force from", "ends"),
            "begins anew",
        )
    },
    **dict.fromkeys(("transaction", "purchase", "refund", "id"), [ID] * 3),
    "event": ["evt_Cpz7QZDanOSzyvCuifBeMzlf"] * 3,
    "hold": ["hold_01a22da82e230000b1a314a0d257d6b3"] * 3,
    "lot": ["lot_01a22da82e230000b1a314a0d257d6b3"] * 3,
    **dict.fromkeys(("debt", "credits taken", "of which debt", "captured", "given back"), CELLS["credits"]),
    **dict.fromkeys(("limit", "used", "left"), CELLS["credits"]),
    **dict.fromkeys(("charged", "new", "difference", "uncollected", "corrected", "short"), CELLS["credits"]),
    **{key: ["0.000000000000000001", "1000000", "none"] for key in ("USD", "cost")},
    **dict.fromkeys(("money", "refunded", "refund pending"), CELLS["price"]),
}


def rows_of(table):
    return list(zip(*({**CELLS, **ALIKE}[column.name] for column in table.columns), strict=True))


def check(lines, width, *texts):
    """No line is wider than the terminal unless a single word is, and every word of the texts is in one line, whole."""
    for line in lines:
        assert cell_len(line) <= width or " " not in line.strip(), line
    words = {word for line in lines for word in line.split()}
    for text in texts:
        assert set(printable(text).split()) <= words, text


def test_there_are_tables():
    assert len(ListTable.made) >= 9


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "table", ListTable.made, ids=lambda table: table.columns[0].name + "-" + table.columns[-1].name
)
def test_every_table_fits_with_all_that_may_be_in_it(table, width):
    rows = rows_of(table)
    lines = table_lines(table.columns, rows, width)
    check(lines, width, *(cell for row in rows for cell in row))


@pytest.mark.parametrize(
    "table", ListTable.made, ids=lambda table: table.columns[0].name + "-" + table.columns[-1].name
)
def test_without_a_terminal_a_row_is_a_line(table):
    rows = rows_of(table)
    assert len(table_lines(table.columns, rows, 10**9)) == 1 + len(rows)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_statement_is_read_at_a_glance_on_every_terminal(width):
    (statement,) = [
        table for table in ListTable.made if {"balance", "transaction"} <= {column.name for column in table.columns}
    ]
    cells = (TIME, "deduction", "-3", "1,997", "promotional -3", "model gpt-5", ID)
    heading, first, *under = table_lines(statement.columns, [cells], width)
    assert heading.split()[:4] == ["time", "kind", "credits", "balance"]
    assert first.startswith(f"{TIME}{GAP}deduction{GAP}")
    assert (f"{INDENT}transaction: {ID}" in under) is (width == 80)
    assert (ID in first) is (width == 200)


def test_decimal_points_stand_under_each_other():
    columns = (Column("credits", is_number=True), Column("price", is_number=True))
    rows = [("-0.01213", "10.00 USD"), ("-0.167295", "1,234.50 USD"), ("1,000", "7 JPY"), ("", "")]
    assert table_lines(columns, rows, 80) == [
        "     credits         price",
        "   -0.01213      10.00 USD",
        "   -0.167295  1,234.50 USD",
        "1,000             7    JPY",
        "",
    ]


def test_a_hash_is_no_number():
    lines = table_lines((Column("stored", is_number=True),), [("12ab",), ("5.5",), ("none",)], 80)
    assert [line.strip() for line in lines] == ["stored", "12ab", "5.5", "none"]


def test_columns_give_way_from_the_last_on_and_then_the_widest():
    columns = (Column("a"), Column("b"), Column("c", gives_way=True), Column("d", gives_way=True))
    row = ("1" * 10, "2" * 20, "3" * 5, "4" * 5)
    assert table_lines(columns, [row], 46)[1:] == [f"{row[0]}  {row[1]}  {row[2]}  {row[3]}"]
    assert table_lines(columns, [row], 45)[1:] == [f"{row[0]}  {row[1]}  {row[2]}", "    d: 44444"]
    assert table_lines(columns, [row], 33)[1:] == [f"{row[0]}  {row[1]}", "    c: 33333  d: 44444"]
    assert table_lines(columns, [row], 31)[1:] == [row[0], f"    b: {row[1]}", "    c: 33333  d: 44444"]


@pytest.mark.parametrize("width", WIDTHS)
def test_fields_keep_their_ids_whole(width):
    fields = [
        ("account", LONGEST_ACCOUNT),
        ("checkout session", SESSION),
        ("reason", "why " * 60),
        ("empty", ""),
        ("note", "a\nb\x1b[2J"),
    ]
    lines = field_lines(fields, width)
    check(lines, width, LONGEST_ACCOUNT, SESSION, "a\nb\x1b[2J")
    assert not any(line.startswith("empty") for line in lines)
    assert (f"{INDENT}{SESSION}" in lines) is (width == 80)
    assert (f"checkout session{GAP}{SESSION}" in lines) is (width == 200)


texts = st.text(st.characters(codec="utf-8"), max_size=120) | st.sampled_from(
    [ID, SESSION, LONGEST_ACCOUNT, "-1,000.5", "7 USD", ""]
)


@given(rows=st.lists(st.tuples(texts, texts, texts, texts), min_size=1, max_size=4), width=st.integers(20, 220))
def test_whatever_is_in_a_table_nothing_is_lost(rows, width):
    columns = (
        Column("a"),
        Column("n", is_number=True),
        Column("b", gives_way=True),
        Column("m", is_number=True, gives_way=True),
    )
    check(table_lines(columns, rows, width), width, *(cell for row in rows for cell in row))


@given(values=st.lists(texts, max_size=5), width=st.integers(20, 220))
def test_whatever_a_field_says_nothing_is_lost(values, width):
    fields = [(f"field {number}", value) for number, value in enumerate(values)]
    check(field_lines(fields, width), width, *values)


@given(text=texts, width=st.integers(1, 100))
def test_wrapping_changes_only_where_lines_end(text, width):
    assert "".join(wrapped(text, width)).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width or " " not in line.strip() for line in wrapped(text, width))
