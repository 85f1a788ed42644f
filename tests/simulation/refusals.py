"""What a refusal says, held against what the accounts offered while it was decided, and what an answer says was
moved."""

from billing_service.domain.refusals import Reason
from tests.simulation.model import ALLOW_DEBT
from tests.simulation.model_account import expect
from tests.simulation.model_holds import CAPTURED, OPEN, RELEASED
from tests.simulation.model_limits import WINDOW_NAMES

_OF_ALL = {Reason.ACCOUNT_NOT_FOUND, Reason.ACCOUNT_FROZEN, Reason.INSUFFICIENT_CREDITS}
_OF_HOLDS = {*_OF_ALL, Reason.SPEND_LIMIT_REACHED, Reason.HOLD_CLOSED, Reason.HOLD_EXPIRED}
EXPECTED = {
    "deduct_credits": {*_OF_ALL, Reason.SPEND_LIMIT_REACHED},
    "hold_credits": {*_OF_ALL, Reason.SPEND_LIMIT_REACHED},
    "capture_hold": _OF_HOLDS,
    "extend_hold": {*_OF_HOLDS, Reason.INVALID_FIELD},
    "release_hold": {Reason.HOLD_CLOSED, Reason.HOLD_EXPIRED},
}
"""Why what has no fault of its own may be refused."""


def check_refusal(model, serving, operation, error, words):
    """That it is one of those that may be, and true."""
    reason, facts = error.reason, error.metadata
    expected = EXPECTED.get(operation.method)
    expect(expected is None or reason in expected, words)
    offers = serving.offers[operation.account_id]
    if reason is Reason.SPEND_LIMIT_REACHED:
        _check_limit(serving, operation, facts, words)
    elif reason in (Reason.HOLD_CLOSED, Reason.HOLD_EXPIRED):
        hold = model.accounts[operation.account_id].holds[operation.request.hold_id]
        over = hold.state != OPEN or hold.expires_us <= serving.latest_us
        expect(over, f"{words}; it is open until {hold.expires_us}")
        closed = hold.state in (CAPTURED, RELEASED) or (hold.late and operation.method == "capture_hold")
        expect((reason is Reason.HOLD_CLOSED) == closed, f"{words}; it is {hold}")
    elif reason is Reason.ACCOUNT_FROZEN and expected:
        expect(any(offer[2] for offer in offers), f"{words}; it was not frozen")
    elif reason is Reason.INSUFFICIENT_CREDITS and operation.method != "capture_hold":
        available = int(facts["available_microcredits"])
        seen = {offer[1] for offer in offers}
        expect(available in seen, f"{words}; {available} available, it offered {sorted(offers)}")
    if operation.method == "deduct_credits" and not operation.request.HasField("usage"):
        _check_deduction(operation, facts, offers, words, short=reason is Reason.INSUFFICIENT_CREDITS)


def _check_deduction(operation, facts, offers, words, *, short):
    amount = operation.request.amount_microcredits
    required = facts.get("required_microcredits", amount)
    expect(int(required) == amount, f"{words}; that is another's refusal")
    expect(facts.get("account_id", operation.account_id) == operation.account_id, f"{words}; another's refusal")
    if short and operation.request.mode == ALLOW_DEBT:
        expect(any(each[1] + each[3] < amount for each in offers), f"{words}; it offered {sorted(offers)}")


def _check_limit(serving, operation, facts, words):
    lefts = serving.lefts[operation.account_id]
    told = facts["spender_id"], facts["window"], int(facts["left_microcredits"])
    seen = {(spender, WINDOW_NAMES[window], left) for spender, window, left in lefts}
    expect(told in seen, f"{words}; {told} is left, there were {sorted(seen)}")
    if operation.method in ("deduct_credits", "hold_credits"):
        expect(told[0] in ("", *operation.request.spender_ids), f"{words}; it does not count there")


def told_amount(operation, reply):
    """What an answer says was moved; None where it does not say it."""
    if operation.method == "deduct_credits":
        return reply.deducted_microcredits
    if operation.method == "capture_hold":
        return reply.captured_microcredits
    return reply.hold.amount_microcredits if operation.method == "hold_credits" else None


def amount_moved(operation, line):
    """By its transaction."""
    if operation.method != "hold_credits":
        return line.moved(into="usage")
    return sum(amount for _, place, amount in line.entries if place.startswith("held:"))
