"""What every table is made of: kinds of columns, and fixed names of constraints."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, MetaData, Text, text
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

Id: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared and ordered byte by byte, on both stores."""
Number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits; STRICT tables of SQLite know only the name INTEGER."""
Bytes: TypeEngine[bytes] = LargeBinary().with_variant(LargeBinary(), "sqlite")


def id_column(name: str, *, key: bool = False, nullable: bool = False, default: str | None = None) -> Column[str]:
    """`default`: what rows of a program that does not know the column get."""
    return Column(name, Id, primary_key=key, nullable=nullable, server_default=_text_default(default))


def text_column(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=nullable, server_default=_text_default(default))


def number_column(name: str, *, key: bool = False, nullable: bool = False, default: int | None = None) -> Column[int]:
    said = None if default is None else text(str(default))
    return Column(name, Number, primary_key=key, autoincrement=False, nullable=nullable, server_default=said)


def _text_default(default: str | None) -> TextClause | None:
    return None if default is None else text(f"'{default}'")


def check(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name)
