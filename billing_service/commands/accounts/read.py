"""Reads of accounts: GetAccount, ListAccounts, ListTransactions, GetReferral."""

from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.domain.accounts.profiles import StoredAccount
from billing_service.domain.ledger.spend_limits import SpendLimit
from billing_service.domain.promotions.referrals import Referral, ReferralState
from billing_service.domain.refusals import account_not_found
from billing_service.domain.spending.limits import Standing, standing
from billing_service.storage.rows.history import HistoryPage, newest_transaction, read_history
from billing_service.storage.rows.profiles import list_accounts, read_account, read_profile
from billing_service.storage.rows.purchases import read_referral, referrals_by_state
from billing_service.storage.rows.spend_limits import all_limits
from billing_service.storage.statements import Work


async def get_account(environment: Environment, account_id: str) -> tuple[StoredAccount, list[Standing]]:
    """An account and its spend limits. Raises ACCOUNT_NOT_FOUND."""

    def work() -> Work[tuple[StoredAccount, list[SpendLimit]]]:
        row = yield from read_account(account_id)
        if row is None:
            raise account_not_found(account_id)
        return row, (yield from all_limits(account_id))

    row, limits = await environment.store.read(work)
    now_us = environment.clock_us()
    return shown(environment, row), [standing(limit, environment.spending.windows, now_us) for limit in limits]


def shown(environment: Environment, row: StoredAccount) -> StoredAccount:
    """The account with the limits that it really has."""
    return row._replace(debt_max=environment.spending.debt_bound(row.debt_max, row.overdraft_limit))


async def all_accounts(environment: Environment, after: str, page: int) -> tuple[list[StoredAccount], str]:
    """A page of all accounts by id, and the id that the next page goes on from; empty at the end."""
    found = await environment.store.read(lambda: list_accounts(after, page + 1))
    return [shown(environment, row) for row in found[:page]], found[page - 1].profile.account_id if len(
        found
    ) > page else ""


class HistoryQuery(NamedTuple):
    """What a statement shows. Kind 0 is every kind; times in microseconds, start included, end not."""

    account_id: str
    kind: int
    start_us: int
    end_us: int


async def statement(environment: Environment, query: HistoryQuery, newest: str, page: int) -> HistoryPage:
    """A page of an account's statement, from the transaction `newest` on, or from the very newest when empty.
    Raises ACCOUNT_NOT_FOUND."""

    def work() -> Work[HistoryPage]:
        start = newest
        if not start:
            head = yield from newest_transaction(query.account_id)
            if head is None:
                raise account_not_found(query.account_id)
            start = head
        return (
            yield from read_history(
                query.account_id, start, kind=query.kind, start_us=query.start_us, end_us=query.end_us, page=page
            )
        )

    return await environment.store.read(work)


class ReferralSide(NamedTuple):
    """An account's side of the referral programme."""

    code: str
    referral: Referral | None
    pending: int
    rewarded: int
    total: int
    earned: int


async def referral_side(environment: Environment, account_id: str) -> ReferralSide:
    """Raises ACCOUNT_NOT_FOUND."""

    def work() -> Work[ReferralSide]:
        profile = yield from read_profile(account_id)
        if profile is None:
            raise account_not_found(account_id)
        referral = yield from read_referral(account_id)
        states = yield from referrals_by_state(account_id)
        rewarded, _ = states.get(ReferralState.REWARDED, (0, 0))
        pending, _ = states.get(ReferralState.PENDING, (0, 0))
        total = sum(count for count, _ in states.values())
        earned = sum(kept for _, kept in states.values())
        return ReferralSide(profile.referral_code, referral, pending, rewarded, total, earned)

    return await environment.store.read(work)
