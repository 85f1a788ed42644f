"""How large the messages of a method may be. What is larger is refused by name; gRPC itself cuts off what no method
takes."""

from typing import Final, NamedTuple

from billing_service.api.pipeline import REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX


class MessageSizes(NamedTuple):
    """Bounds of one method."""

    request_bytes_max: int = REQUEST_BYTES_MAX
    response_bytes_max: int = RESPONSE_BYTES_MAX


ORDINARY: Final = MessageSizes()
BY_METHOD: Final = {
    # An event of Stripe to 256 KiB and what wraps it.
    "ProcessStripeEvent": MessageSizes(request_bytes_max=327_680),
    # A thousand deductions of a kilobyte; of the answer, what gRPC's clients take by default.
    "BatchDeductCredits": MessageSizes(request_bytes_max=1_048_576, response_bytes_max=4_194_304),
    # The card of all of litellm's map is 224 KB, compressed.
    "CreateRateCardVersion": MessageSizes(request_bytes_max=1_048_576 + 1_024),
    "GetRateCard": MessageSizes(response_bytes_max=4_194_304),
    # 1,499 accounts and models with the longest names.
    "ReRate": MessageSizes(response_bytes_max=4_194_304),
}
RECEIVE_BYTES_MAX: Final = max(sizes.request_bytes_max for sizes in BY_METHOD.values()) * 5 // 4
"""gRPC's own limit is 25 % above ours. A request just above ours is answered with INVALID_FIELD, which names the limit,
and not with gRPC's bare RESOURCE_EXHAUSTED."""
SEND_BYTES_MAX: Final = max(sizes.response_bytes_max for sizes in BY_METHOD.values())
