"""The time of a refusal does not tell whether a key's id exists: long, because a statement about chance needs many
samples."""

import os
import random
import sys
import time
from bisect import bisect_left, bisect_right

import grpc
import pytest

from billing_service.domain.access.api_keys import ENTROPY_BYTES, make_key
from tests.security.every_rpc import call, valid_request
from tests.security.test_scope_matrix import keyed_service, spliced

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
SAMPLES = 4_000
TELLS_NOTHING = (0.45, 0.55)


def chance_of_longer(one, other):
    """How likely a time drawn from the first is longer than one from the second; a half when nothing tells them
    apart."""
    ordered = sorted(other)
    return sum((bisect_left(ordered, each) + bisect_right(ordered, each)) / 2 for each in one) / (
        len(one) * len(ordered)
    )


@pytest.mark.parametrize(
    ("one", "other", "chance"), [([1, 2, 3], [1, 2, 3], 0.5), ([4, 5], [1, 2], 1.0), ([1], [2, 3, 4], 0.0)]
)
def test_the_measure_tells_what_it_should(one, other, chance):
    assert chance_of_longer(one, other) == chance


@pytest.mark.skipif(not LONG, reason="times are compared in the long run only")
@pytest.mark.timeout(600)
async def test_a_wrong_secret_takes_as_long_as_an_id_that_does_not_exist(database):
    chance = random.Random(1)
    async with keyed_service(database) as (_, channel, keys):
        times = {"wrong secret": [], "unknown id": []}
        for _ in range(SAMPLES):
            other = make_key(chance.randbytes(ENTROPY_BYTES)).text
            asked = {"wrong secret": spliced(keys["read"], other), "unknown id": UNKNOWN}
            for kind in chance.sample(sorted(asked), 2):
                begun = time.perf_counter()
                seen = await call(channel, "ListPackages", valid_request("ListPackages"), key=asked[kind])
                times[kind].append(time.perf_counter() - begun)
                assert seen.code is grpc.StatusCode.UNAUTHENTICATED
    measured = chance_of_longer(*times.values())
    sys.stdout.write(f"a wrong secret takes longer than an unknown id with a chance of {measured:.3f}\n")
    assert TELLS_NOTHING[0] < measured < TELLS_NOTHING[1], measured


UNKNOWN = make_key(b"\7" * ENTROPY_BYTES).text
