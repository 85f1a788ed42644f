"""Calls of API keys that are bound to accounts: refused unless they are about one of those, before anything is
looked up.

A method whose request has an `account_id` is judged by it. Whatever names no account and is not listed here is refused.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor

from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.refusals.access import account_not_allowed

OF_NO_ACCOUNT: Final = frozenset({"ListPackages", "QuoteUsage", "ListRateCards", "GetRateCard"})
"""What they read belongs to nobody."""
OF_MANY_ACCOUNTS: Final = frozenset({"BatchDeductCredits", "StreamDeductions"})
"""Their implementations judge each deduction by itself."""
OF_WHAT_IS_FOUND: Final = frozenset({"GetPurchase", "CancelPurchase", "QuoteRefund", "Refund", "GetRefund"})
"""They name a purchase or refund. Their implementations judge its account, which is known once it is read."""
_UNKNOWN: Final = frozenset({Reason.PURCHASE_NOT_FOUND, Reason.REFUND_NOT_FOUND})

Implementation = Callable[[Any, Any], Awaitable[Any]]


def for_bound_keys(method: MethodDescriptor, implementation: Implementation) -> Implementation:
    """The implementation of a method as callers with bound keys have it. Raises ACCOUNT_NOT_ALLOWED."""
    if "account_id" in method.input_type.fields_by_name:
        return _of_named(implementation)
    if method.name in OF_NO_ACCOUNT | OF_MANY_ACCOUNTS:
        return implementation
    return _of_found(implementation) if method.name in OF_WHAT_IS_FOUND else _of_all


def _of_named(implementation: Implementation) -> Implementation:
    async def judged(request: Any, call: Any) -> Any:
        call.require_account(request.account_id)
        return await implementation(request, call)

    return judged


def _of_found(implementation: Implementation) -> Implementation:
    """What is not there is refused as what is another account's: neither answer says which of the two it is."""

    async def judged(request: Any, call: Any) -> Any:
        try:
            return await implementation(request, call)
        except Refusal as refusal:
            if refusal.reason in _UNKNOWN:
                raise account_not_allowed() from None
            raise

    return judged


async def _of_all(_request: Any, _call: Any) -> Any:
    raise account_not_allowed()
