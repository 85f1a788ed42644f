"""AdminService, the purchases of all accounts."""

from collections.abc import Mapping, Sequence
from typing import Final

from prepaid.billing.v1 import purchases_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.commands.environment import Environment
from billing_service.commands.sales.all_purchases import Place, PurchaseFilters, all_purchases
from billing_service.domain.refusals import invalid_field
from billing_service.domain.sales.purchases import PurchaseStatus

END_OF_TIME_US: Final = 253_402_300_800_000_000
"""The year 10000."""
_STATUS_OF: Final[Mapping[int, PurchaseStatus]] = {
    number: PurchaseStatus(name.removeprefix("PURCHASE_STATUS_"))
    for name, number in purchases_pb2.PurchaseStatus.items()
    if number
}
_STATUSES: Final = frozenset(_STATUS_OF)


class AllPurchases:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret

    async def list_all_purchases(
        self, request: purchases_pb2.ListAllPurchasesRequest, call: Call
    ) -> purchases_pb2.ListAllPurchasesResponse:
        del call
        filters = _filters(request)
        size, secret = validation.page_size(request.page_size), self._page_token_secret
        statuses = " ".join(sorted(filters.statuses))
        binding = ("all purchases", statuses, filters.package_code, filters.start_us, filters.end_us)
        after = _place(decode_page_token(secret, request.page_token, binding)) if request.page_token else None
        found, last = await all_purchases(self._environment, filters, after, size)
        position = f"{last.create_time_us} {last.purchase_id}" if last else ""
        return purchases_pb2.ListAllPurchasesResponse(
            purchases=[translate.purchase(*sold) for sold in found],
            next_page_token=encode_page_token(secret, position, binding) if position else "",
        )


def _filters(request: purchases_pb2.ListAllPurchasesRequest) -> PurchaseFilters:
    return PurchaseFilters(
        statuses=_statuses(request.statuses),
        package_code=validation.identifier("package_code", request.package_code) if request.package_code else "",
        start_us=validation.timestamp_us("start_time", request.start_time) if request.HasField("start_time") else 0,
        end_us=validation.timestamp_us("end_time", request.end_time)
        if request.HasField("end_time")
        else END_OF_TIME_US,
    )


def _statuses(given: Sequence[int]) -> frozenset[PurchaseStatus]:
    if len(given) > len(_STATUSES):
        raise invalid_field("statuses", "must name each state at most once")
    known = [validation.known_value("statuses", each, _STATUSES) for each in given]
    if len(set(known)) < len(known):
        raise invalid_field("statuses", "must name each state at most once")
    return frozenset(_STATUS_OF[each] for each in known)


def _place(position: str) -> Place:
    time_us, _, purchase_id = position.partition(" ")
    return Place(int(time_us), purchase_id)
