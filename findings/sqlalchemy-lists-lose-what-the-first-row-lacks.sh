#!/usr/bin/env bash
# SQLAlchemy 2.1.9: one Core statement with a list of rows, where only a later row has a key. A usage without cached
# tokens comes first, a usage with them second.
# Behaviour: Core takes the columns from the first row. The second row's cached tokens are dropped without a word, in
# INSERT and UPDATE, and the row count is right. The ORM's insert of the same list keeps them.
# The other order is refused: a row that lacks a key of the first raises StatementError.
# Output seen: "Core insert: 2 rows, cached 0 + 0", "Core values(): 2 rows, cached 0 + 0",
#              "Core update: 2 rows, cached 0 + 0", "ORM insert: cached 0 + 600", "the other order: StatementError"
# Lesson: give each row every key. Tests whose first row is the fullest one never meet this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy==2.1.9"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session


class Base(DeclarativeBase):
    pass


class Usage(Base):
    __tablename__ = "usage"
    id = sa.Column(sa.Integer, primary_key=True)
    plain = sa.Column(sa.BigInteger, server_default="0")
    cached = sa.Column(sa.BigInteger, server_default="0")


usage = Usage.__table__
ROWS = [{"id": 1, "plain": 300}, {"id": 2, "plain": 400, "cached": 600}]
engine = sa.create_engine("sqlite://")
Base.metadata.create_all(engine)


def cached(write):
    """What the table says of cached tokens after a write, with the number of rows that the write was told."""
    with Session(engine) as session:
        told = getattr(write(session), "rowcount", None)
        seen = " + ".join(map(str, session.scalars(sa.select(usage.c.cached).order_by(usage.c.id))))
    return told, seen


def update(session):
    session.connection().execute(sa.insert(usage), [{"id": 1}, {"id": 2}])
    statement = sa.update(usage).where(usage.c.id == sa.bindparam("which"))
    values = [{"which": row["id"], **{key: value for key, value in row.items() if key != "id"}} for row in ROWS]
    return session.connection().execute(statement, values)


ways = {
    "Core insert": lambda session: session.connection().execute(sa.insert(usage), ROWS),
    "Core values()": lambda session: session.connection().execute(sa.insert(usage).values(ROWS)),
    "Core update": update,
}
for name, write in ways.items():
    told, seen = cached(write)
    print(f"{name}: {told} rows, cached {seen}")
    assert (told, seen) == (2, "0 + 0"), (name, told, seen)
_, seen = cached(lambda session: session.execute(sa.insert(Usage), ROWS))
print(f"ORM insert: cached {seen}")
assert seen == "0 + 600", seen
try:
    cached(lambda session: session.connection().execute(sa.insert(usage), ROWS[::-1]))
except sa.exc.StatementError as error:
    print(f"the other order: {type(error).__name__}")
else:
    raise SystemExit("the other order is taken: this finding is out of date")
PYTHON
