"""BillingService, WatchBalance: from its messages to what is watched, and back."""

from prepaid.billing.v1 import accounts_pb2

from billing_service.api import translate, validation
from billing_service.api.streams.balances import WatchImplementation
from billing_service.api.streams.watched_balances import WatchedBalances
from billing_service.commands.accounts.watch_balance import BalanceSource
from billing_service.commands.environment import Environment
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import invalid_field


class Watching:
    """Methods of BillingService."""

    def __init__(self, environment: Environment) -> None:
        self.watch_balance = WatchImplementation(
            check=_check,
            encode=_encode,
            watched=WatchedBalances(BalanceSource(environment), environment.changes),
        )


def _check(request: accounts_pb2.WatchBalanceRequest) -> None:
    validation.account_id(request.account_id)
    if request.after_version < 0:
        raise invalid_field("after_version", "must be 0 or more")


def _encode(shown: Balance) -> bytes:
    return accounts_pb2.WatchBalanceResponse(balance=translate.balance_as_read(shown)).SerializeToString()
