"""Reads of holds: GetHold, ListHolds. What has ended counts as ended, booked or not."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.holds import Hold, count_ended_holds
from billing_service.domain.refusals import account_not_found
from billing_service.domain.refusals.spending import hold_not_found
from billing_service.storage.rows.hold_reading import fetch_holds
from billing_service.storage.rows.holds import list_holds, rate_card_version_of
from billing_service.storage.rows.ledger import read_accounts
from billing_service.storage.statements import Work


class HoldsPage(NamedTuple):
    """Holds, newest first, and the hold before which the next page begins; empty at the end."""

    holds: list[Hold]
    next_before: str


async def one_hold(environment: Environment, account_id: str, hold_id: str) -> Hold:
    """Raises ACCOUNT_NOT_FOUND, HOLD_NOT_FOUND."""

    def work() -> Work[Hold]:
        account = yield from _account(account_id)
        yield from _fetch_present(environment, account, [hold_id])
        hold = account.holds.get(hold_id)
        if hold is None:
            raise hold_not_found(hold_id)
        return hold

    return await environment.store.read(work)


async def holds_of(environment: Environment, account_id: str, before: str, page: int, *, open_only: bool) -> HoldsPage:
    """A page of an account's holds, those made before the hold `before`, or the newest when empty. Raises
    ACCOUNT_NOT_FOUND."""

    def work() -> Work[HoldsPage]:
        account = yield from _account(account_id)
        now_us = account.moment(environment.clock_us())
        found = yield from list_holds(account_id, before, page + 1, open_after_us=now_us if open_only else None)
        account.holds = {hold.hold_id: hold for hold in found[:page]}
        yield from _fetch_present(environment, account, list(account.holds))
        return HoldsPage(list(account.holds.values()), found[page - 1].hold_id if len(found) > page else "")

    return await environment.store.read(work)


async def rate_card_version(environment: Environment, account_id: str, hold_id: str) -> str:
    """The card that a hold is priced by; empty for none, and for no such hold."""
    return await environment.store.read(lambda: rate_card_version_of(account_id, hold_id))


def _account(account_id: str) -> Work[Account]:
    account = (yield from read_accounts([account_id])).get(account_id)
    if account is None:
        raise account_not_found(account_id)
    return account


def _fetch_present(environment: Environment, account: Account, hold_ids: Sequence[str]) -> Work[None]:
    """Fetches these holds, and counts the end of those whose time is up."""
    clock_us = environment.clock_us()
    yield from fetch_holds(
        {account.account_id: account}, [(account.account_id, each) for each in hold_ids], clock_us, page=0
    )
    count_ended_holds(account, account.moment(clock_us))
