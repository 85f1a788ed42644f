"""What an account's row says of its credits, in every answer that shows it."""

import pytest

from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def shown(wire, account_id):
    """(balance, debt) in credits, the same wherever the account is read."""
    one = (await wire.call("GetAccount", account_id=account_id)).account
    listed, token = [], ""
    while True:
        page = await wire.call("ListAccounts", page_size=1000, page_token=token)
        listed += [row for row in page.accounts if row.account_id == account_id]
        token = page.next_page_token
        if not token:
            break
    assert listed == [one]
    balance = (await wire.call("GetBalance", account_id=account_id)).balance
    assert one.debt_microcredits == balance.debt_microcredits
    return one.balance_microcredits // CREDIT, one.debt_microcredits // CREDIT


async def test_a_row_says_what_is_left_and_what_is_owed(wire, new_account):
    account_id = new_account()
    await wire.do("CreateAccount", account_id=account_id)
    assert await shown(wire, account_id) == (0, 0)
    await wire.do("GrantCredits", account_id=account_id, amount_microcredits=50 * CREDIT, reason="gift")
    assert await shown(wire, account_id) == (50, 0)
    frozen = await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="check")
    assert frozen.account.balance_microcredits == 50 * CREDIT
    await wire.do("FreezeAccount", account_id=account_id, frozen=False, reason="fine")
    await wire.do("DeductCredits", account_id=account_id, amount_microcredits=80 * CREDIT, mode=3)
    assert await shown(wire, account_id) == (-30, 30)
    later = "2090-01-01T00:00:00Z"
    await wire.do(
        "GrantCredits", account_id=account_id, amount_microcredits=100 * CREDIT, reason="later", effective_time=later
    )
    assert await shown(wire, account_id) == (70, 30), "what is not yet effective counts, and settles nothing"
