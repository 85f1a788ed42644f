"""Roles with the rights that docs/database.md gives them, and no others."""

import re
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.databases import execute_on, run_apart

DOCUMENT = Path(__file__).parents[2] / "docs" / "database.md"


def documented_statements():
    """The statements of the document's block on rights, in order."""
    block = DOCUMENT.read_text(encoding="utf-8").partition("<!-- grants -->\n```sql\n")[2].partition("```")[0]
    lines = (line.partition("--")[0].rstrip() for line in block.splitlines())
    return [" ".join(statement.split()) for statement in "\n".join(lines).split(";") if statement.strip()]


def grants(role):
    """Those that the serving role needs once the tables are there, for a role of another name."""
    return [
        re.sub(r"TO billing$", f"TO {role}", statement)
        for statement in documented_statements()
        if statement.endswith("TO billing")
    ]


@contextmanager
def serving_role(url, role):
    """Lets a role serve the migrated database at `url`; answers the URL by which it does."""
    run_apart(execute_on(url, f"CREATE ROLE {role} LOGIN PASSWORD '{role}'", *grants(role)))
    parts = urlsplit(url)
    try:
        yield parts._replace(netloc=f"{role}:{role}@{parts.netloc.rpartition('@')[2]}").geturl()
    finally:
        run_apart(execute_on(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}"))
