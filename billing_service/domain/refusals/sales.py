"""Refusals of purchases and refunds."""

from billing_service.domain.refusals import Reason, Refusal


def unknown_package(code: str) -> Refusal:
    return Refusal(Reason.UNKNOWN_PACKAGE, "no active package has this code", metadata={"package_code": code})


def purchase_not_found(reference: str) -> Refusal:
    return Refusal(Reason.PURCHASE_NOT_FOUND, "there is no such purchase", metadata={"id": reference})


def refund_not_found(reference: str) -> Refusal:
    return Refusal(Reason.REFUND_NOT_FOUND, "there is no such refund", metadata={"id": reference})


def purchase_not_refundable(purchase_id: str, status: str, why: str) -> Refusal:
    return Refusal(Reason.PURCHASE_NOT_REFUNDABLE, why, metadata={"purchase_id": purchase_id, "status": status})


def purchase_all_refunded(purchase_id: str, status: str, waiting_refund_id: str) -> Refusal:
    """`waiting_refund_id`: a refund of which Stripe has said nothing yet; empty for none."""
    if not waiting_refund_id:
        return purchase_not_refundable(purchase_id, status, "all its money went back already, or is on its way")
    return Refusal(
        Reason.PURCHASE_NOT_REFUNDABLE,
        f"refund {waiting_refund_id} waits for Stripe: repeat its request with its own key",
        metadata={"purchase_id": purchase_id, "status": status, "refund_id": waiting_refund_id},
    )


def purchase_not_cancelable(purchase_id: str, status: str) -> Refusal:
    return Refusal(
        Reason.PURCHASE_NOT_CANCELABLE,
        "the purchase was paid, failed, expired or canceled already",
        metadata={"purchase_id": purchase_id, "status": status},
    )


def credits_already_spent(refundable_minor: int, held_microcredits: int = 0) -> Refusal:
    """`refundable_minor`: the currency's smallest unit. `held_microcredits`: what open holds reserve of the purchase's
    credits; more may be refunded once they end."""
    metadata = {"refundable_minor": refundable_minor}
    if held_microcredits:
        metadata["held_microcredits"] = held_microcredits
    return Refusal(Reason.CREDITS_ALREADY_SPENT, f"{refundable_minor} can be refunded now", metadata=metadata)
