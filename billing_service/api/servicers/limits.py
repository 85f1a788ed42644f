"""BillingService, spend limits."""

from collections.abc import Sequence
from typing import Final

from prepaid.billing.v1 import spend_limits_pb2

from billing_service.api import translate, validation
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of
from billing_service.commands.environment import Environment
from billing_service.commands.spending.set_spend_limit import SetSpendLimit, set_spend_limit
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.spending import spender_not_allowed
from billing_service.domain.spending.limits import Standing
from billing_service.domain.spending.windows import SpendWindow

_WINDOWS: Final = frozenset(int(window) for window in SpendWindow)
_limit_set: Final = Replies(spend_limits_pb2.SetSpendLimitResponse)


def _encode_set(limits: Sequence[Standing]) -> bytes:
    return spend_limits_pb2.SetSpendLimitResponse(spend_limits=translate.spend_limits(limits)).SerializeToString()


class Limiting:
    """Methods of BillingService."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def set_spend_limit(self, request: spend_limits_pb2.SetSpendLimitRequest, call: Call) -> bytes:
        if call.spender_ids:
            raise spender_not_allowed()
        account_id = validation.account_id(request.account_id)
        spender_id = request.spender_id
        if spender_id:
            validation.identifier("spender_id", spender_id, validation.SPENDER_ID_MAX)
        if request.window not in _WINDOWS:
            raise invalid_field("window", "is required, and must be one that this service knows")
        window = SpendWindow(request.window)
        limit = request.limit_microcredits if request.HasField("limit_microcredits") else None
        if limit is not None and not 0 <= limit <= AMOUNT_MAX:
            raise invalid_field("limit_microcredits", f"must be from 0 to {AMOUNT_MAX}")
        keyed = request_of(call, account_id, request.idempotency_key, spender_id, window.value, limit)
        command = SetSpendLimit(keyed, account_id, spender_id, window, limit, _encode_set)
        return _limit_set(await set_spend_limit(self._environment, command))
