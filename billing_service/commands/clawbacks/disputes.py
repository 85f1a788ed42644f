"""What was learned of one dispute, in any order and any number of times: the purchase's credits follow its money."""

from dataclasses import replace

from billing_service.commands.clawbacks.purchases import follow_money
from billing_service.commands.environment import Environment
from billing_service.domain.ledger.events import EventKind
from billing_service.domain.sales.disputes import Dispute, DisputeNews, PurchaseFlags, begun, flags_of
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.storage.rows.disputes import DISPUTES, disputes_of
from billing_service.storage.statements import Work


def follow_dispute(environment: Environment, unit: Unit, purchase: Purchase, news: DisputeNews) -> Work[Dispute]:
    """Books a dispute of a purchase's payment. The caller writes the unit."""
    disputes = yield from disputes_of(purchase)
    dispute = next((each for each in disputes if each.dispute_id == news.dispute_id), None)
    before = None if dispute is None else replace(dispute)
    if dispute is None:
        dispute = begun(news, purchase.account_id, purchase.purchase_id, unit.now_us)
        disputes.append(dispute)
        yield from DISPUTES.add(dispute)
    else:
        dispute.learn(news)
        yield from DISPUTES.replace(dispute)
    purchase.disputed_minor = sum(each.out_minor for each in disputes)
    purchase.flags = flags_of(disputes, purchase.flags)
    yield from follow_money(environment, unit, purchase)
    if before is None or (before.status, before.out_minor) != (dispute.status, dispute.out_minor):
        detail: dict[str, str | int] = {
            "purchase_id": purchase.purchase_id,
            "status": dispute.status.value,
            "amount_minor": dispute.amount_minor,
            "out_minor": dispute.out_minor,
            "currency": dispute.currency,
        }
        unit.tell(purchase.account_id, EventKind.DISPUTE_CHANGED, dispute.dispute_id, detail)
    return dispute


def warn_of_fraud(unit: Unit, purchase: Purchase) -> None:
    """Flags a purchase whose payment a bank suspects. The caller writes the unit."""
    if PurchaseFlags.FRAUD_WARNING in purchase.flags:
        return
    purchase.flags |= PurchaseFlags.FRAUD_WARNING
    unit.change(purchase)
    unit.tell(purchase.account_id, EventKind.FRAUD_WARNING, purchase.purchase_id, {"currency": purchase.currency})
