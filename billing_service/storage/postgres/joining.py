"""Several bulk writes as one statement: a common table expression for each."""

import re
from collections.abc import Sequence

_PLACEHOLDER = re.compile(r"\$(\d+)")


def join_writes(texts: Sequence[str]) -> str:
    """Several of PostgreSQL's writes as one statement that answers with one row: how many rows each of them changed."""
    shifted, _ = _numbered_on(texts, 0)
    parts = [f"w{number} AS ({text} RETURNING 1)" for number, text in enumerate(shifted)]
    counts = [f"(SELECT count(*) FROM w{number})" for number in range(len(texts))]  # noqa: S608 - numbers of our own
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts)}"


def join_conditional(locks: str, texts: Sequence[str]) -> str:
    """Writes as one statement that is a transaction by itself. All locks are taken first. A row is written if its
    account, the first of its values, was locked. The statement fails with `division_by_zero` if another number of rows
    changed. Else it answers with the accounts that were not locked, or null.

    How many accounts and rows were given comes after all other parameters. Where all accounts were locked, these
    numbers are all that is compared.
    """
    (locks, *shifted), taken = _numbered_on((locks, *texts), 0)
    # S608, here and below: names and numbers of our own.
    all_locked = f"(SELECT count(*) FROM locks) = ${taken + 1}::bigint"  # noqa: S608
    parts = [f"locks(account_id) AS MATERIALIZED ({locks})"]
    right = []
    for number, text in enumerate(shifted):
        first, account = _given_account(text)
        is_locked = f"({all_locked} OR {account} IN (SELECT account_id FROM locks))"  # noqa: S608
        parts.append(f"w{number} AS ({text} {'AND' if ' WHERE ' in text else 'WHERE'} {is_locked} RETURNING 1)")
        locked = f"SELECT count(*) FROM unnest({first}) AS id WHERE id IN (SELECT account_id FROM locks)"  # noqa: S608
        wanted = f"CASE WHEN {all_locked} THEN ${taken + 2 + number}::bigint ELSE ({locked}) END"
        right.append(f"(SELECT count(*) FROM w{number}) = {wanted}")  # noqa: S608
    first, _ = _given_account(locks)
    others = f"SELECT array_agg(id) FROM unnest({first}) AS id WHERE id NOT IN (SELECT account_id FROM locks)"  # noqa: S608
    return (
        f"WITH {', '.join(parts)} SELECT 1 / CASE WHEN {' AND '.join(right)} THEN 1 ELSE 0 END, "
        f"CASE WHEN {all_locked} THEN NULL ELSE ({others}) END"
    )


_GIVEN = re.compile(r"unnest\((?P<first>\$\d+::TEXT\[\]).*? AS (?P<alias>\w+)\((?P<column>\w+)", re.DOTALL)


def _given_account(text: str) -> tuple[str, str]:
    """Of a bulk write or lock: the parameter that has the accounts of its rows, and the name that they have in it."""
    given = _GIVEN.search(text)
    assert given is not None, text
    assert given["column"].removeprefix("old_") == "account_id", text
    return given["first"], f"{given['alias']}.{given['column']}"


def _numbered_on(texts: Sequence[str], taken: int) -> tuple[list[str], int]:
    """The texts with their parameters numbered one after the other, and how many there are."""
    shifted = []
    for text in texts:
        shifted.append(_shifted(text, taken))
        taken += max(int(found) for found in _PLACEHOLDER.findall(text))
    return shifted, taken


def _shifted(text: str, by: int) -> str:
    return _PLACEHOLDER.sub(lambda match: f"${int(match[1]) + by}", text)
