"""Stripe's documented test cards, tokens and bank accounts, and how each of them acts."""

from dataclasses import dataclass
from typing import Literal

RefundCourse = Literal["succeeds", "pends", "fails_later"]
DisputeCourse = Literal["fraudulent", "product_not_received", "inquiry", "warning"]
"""What the customer's bank does after a payment: disputes it, asks about it, or warns of a fraud."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a card is declined, in Stripe's words."""

    code: str
    message: str
    decline_code: str | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    decline: Decline | None = None
    """What the bank says once it is asked."""
    authenticates: bool = False
    """Asks for 3-D Secure first."""
    refund: RefundCourse = "succeeds"
    delayed: bool = False
    """The money arrives, or fails to, only later."""
    fails_later: bool = False
    """A delayed payment that will not arrive."""
    dispute: DisputeCourse | None = None


DECLINED = Decline("card_declined", "Your card was declined.", "generic_decline")
INSUFFICIENT_FUNDS = Decline("card_declined", "Your card has insufficient funds.", "insufficient_funds")
LOST = Decline("card_declined", "Your card was declined.", "lost_card")
STOLEN = Decline("card_declined", "Your card was declined.", "stolen_card")
EXPIRED = Decline("expired_card", "Your card has expired.")
INCORRECT_CVC = Decline("incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING_ERROR = Decline(
    "processing_error", "An error occurred while processing your card. Try again in a little bit."
)
NOT_A_TEST_CARD = Decline(
    "card_declined",
    "Your card was declined. Your request was in test mode, but used a non test (live) card.",
    "test_mode_live_card",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
)

PAYS = Behaviour()

CARDS: dict[str, Behaviour] = {
    "4242424242424242": PAYS,
    "4000056655665556": PAYS,
    "5555555555554444": PAYS,
    "2223003122003222": PAYS,
    "5200828282828210": PAYS,
    "378282246310005": PAYS,
    "6011111111111117": PAYS,
    "4000000000000002": Behaviour(DECLINED),
    "4000000000000341": Behaviour(DECLINED),
    "4000000000009995": Behaviour(INSUFFICIENT_FUNDS),
    "4000000000009987": Behaviour(LOST),
    "4000000000009979": Behaviour(STOLEN),
    "4000000000000069": Behaviour(EXPIRED),
    "4000000000000127": Behaviour(INCORRECT_CVC),
    "4000000000000119": Behaviour(PROCESSING_ERROR),
    "4000002760003184": Behaviour(authenticates=True),
    "4000002500003155": Behaviour(authenticates=True),
    "4000000000003220": Behaviour(authenticates=True),
    "4000008400001629": Behaviour(DECLINED, authenticates=True),
    "4000008260003178": Behaviour(INSUFFICIENT_FUNDS, authenticates=True),
    "4000000000007726": Behaviour(refund="pends"),
    "4000000000005126": Behaviour(refund="fails_later"),
    "4000000000000259": Behaviour(dispute="fraudulent"),
    "4000000000002685": Behaviour(dispute="product_not_received"),
    "4000000000001976": Behaviour(dispute="inquiry"),
    "4000000000005423": Behaviour(dispute="warning"),
}

# `tok_<name>` and `pm_card_<name>`.
NUMBERS_BY_TOKEN: dict[str, str] = {
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "amex": "378282246310005",
    "discover": "6011111111111117",
    "chargeDeclined": "4000000000000002",
    "visa_chargeDeclined": "4000000000000002",
    "chargeCustomerFail": "4000000000000341",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "visa_chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979",
    "visa_chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "authenticationRequired": "4000002500003155",
    "threeDSecure2Required": "4000000000003220",
    "threeDSecureRequired": "4000002760003184",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "threeDSecureRequiredChargeDeclined": "4000008400001629",
    "pendingRefund": "4000000000007726",
    "refundFail": "4000000000005126",
    "createDispute": "4000000000000259",
    "createDisputeProductNotReceived": "4000000000002685",
    "createDisputeInquiry": "4000000000001976",
    "createIssuerFraudRecord": "4000000000005423",
}

FAILING_IBANS = frozenset(
    {"AT861904300235473202", "AT051904300235473205", "IT60X0542811101000000123456", "DE62370400440532013001"}
)
FAILING_BANK_ACCOUNTS = frozenset({"000111111116", "000111111113", "000222222227"})


def passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = [divmod(digit * 2, 10) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(tens + ones for tens, ones in doubled)) % 10 == 0


def brand_of(number: str) -> str:
    if number.startswith(("34", "37")):
        return "amex"
    if number.startswith("6011"):
        return "discover"
    if number[:2] in {"51", "52", "53", "54", "55"} or "2221" <= number[:4] <= "2720":
        return "mastercard"
    return "visa" if number.startswith("4") else "unknown"


def behaviour_of(number: str) -> Behaviour:
    """How a well-formed card number acts: one that is no test card is declined, as Stripe's test mode does."""
    return CARDS.get(number, Behaviour(NOT_A_TEST_CARD))
