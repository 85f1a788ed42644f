"""Rows about accounts that the ledger does not need: profiles, referral codes, Stripe customers."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.accounts.profiles import Profile, StoredAccount
from billing_service.storage.rows.ledger_statements import INSERT_ACCOUNT
from billing_service.storage.rows.records import RecordTable
from billing_service.storage.schema import accounts, profiles, referral_codes, stripe_customers
from billing_service.storage.statements import Work, reading, writing

PROFILES = RecordTable(profiles, Profile, ("account_id",), {})
READ_PROFILE = PROFILES.selecting("read profile", profiles.c.account_id == bindparam("account_id"), "account_id")
CLAIM_CODE = writing(
    "claim referral code",
    insert(referral_codes)
    .values(referral_code=bindparam("code"), account_id=bindparam("account_id"))
    .on_conflict_do_nothing(),
    "code",
    "account_id",
)
WHOSE_CODE = reading(
    "whose referral code",
    select(referral_codes.c.account_id).where(referral_codes.c.referral_code == bindparam("code")),
    "code",
)
CLAIM_CUSTOMER = writing(
    "claim stripe customer",
    insert(stripe_customers)
    .values(stripe_customer_id=bindparam("customer"), account_id=bindparam("account_id"))
    .on_conflict_do_nothing(),
    "customer",
    "account_id",
)
WHOSE_CUSTOMER = reading(
    "whose stripe customer",
    select(stripe_customers.c.account_id).where(stripe_customers.c.stripe_customer_id == bindparam("customer")),
    "customer",
)
_STATE = (
    accounts.c.version,
    accounts.c.frozen,
    accounts.c.overdraft_limit,
    accounts.c.create_time_us,
    accounts.c.debt_max,
    accounts.c.balance,
    accounts.c.debt,
    accounts.c.low_balance,
)
READ_ACCOUNT = reading(
    "read account",
    select(profiles, *_STATE)
    .join(accounts, accounts.c.account_id == profiles.c.account_id)
    .where(profiles.c.account_id == bindparam("account_id")),
    "account_id",
)
LIST_ACCOUNTS = reading(
    "list accounts",
    select(profiles, *_STATE)
    .join(accounts, accounts.c.account_id == profiles.c.account_id)
    .where(profiles.c.account_id > bindparam("after"))
    .order_by(profiles.c.account_id)
    .limit(bindparam("page")),
    "after",
    "page",
)
_CODES_TRIED_MAX = 8
_PROFILE_COLUMNS = len(profiles.columns)


def ensure_account(account_id: str, now_us: int, new_code: Callable[[], str]) -> Work[Profile | None]:
    """Makes the account when it is missing; answers its new profile, or None when it was there."""
    if (yield INSERT_ACCOUNT(account_id, now_us)) == 0:
        return None
    for _ in range(_CODES_TRIED_MAX):
        code = new_code()
        if (yield CLAIM_CODE(code, account_id)) == 1:
            profile = Profile(account_id, "", "", code, "", "", 0)
            yield from PROFILES.add(profile)
            return profile
    raise AssertionError("no free referral code among eight of 2^40: the source of random bytes is broken")


def read_profile(account_id: str) -> Work[Profile | None]:
    rows = yield READ_PROFILE(account_id)
    return PROFILES.record(rows[0]) if rows else None


def read_account(account_id: str) -> Work[StoredAccount | None]:
    rows = yield READ_ACCOUNT(account_id)
    return account_row(rows[0]) if rows else None


def account_row(row: Sequence[Any]) -> StoredAccount:
    version, frozen, *others = row[_PROFILE_COLUMNS:]
    return StoredAccount(PROFILES.record(row[:_PROFILE_COLUMNS]), version, bool(frozen), *others)


def list_accounts(after: str, page: int) -> Work[list[StoredAccount]]:
    rows = yield LIST_ACCOUNTS(after, page)
    return [account_row(row) for row in rows]


def whose_code(code: str) -> Work[str | None]:
    rows = yield WHOSE_CODE(code)
    return rows[0][0] if rows else None


def claim_customer(stripe_customer_id: str, account_id: str) -> Work[bool]:
    """Makes a customer an account's. False when it is an account's already, this one's or another's."""
    claimed: int = yield CLAIM_CUSTOMER(stripe_customer_id, account_id)
    return claimed == 1


def whose_customer(stripe_customer_id: str) -> Work[str | None]:
    rows = yield WHOSE_CUSTOMER(stripe_customer_id)
    return rows[0][0] if rows else None
