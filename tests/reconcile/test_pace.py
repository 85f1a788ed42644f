"""How fast Stripe is asked, by a clock that stands still until the pace sleeps."""

import pytest

from billing_service.payments.ports.outcomes import ProviderBusy, ProviderRefused, ProviderUnavailable
from billing_service.reconcile.pace import TRIES_MAX, Pace


class Slept:
    """Time that passes by sleeping alone, and a call that notes when it was made."""

    def __init__(self, *answers):
        self.now, self.made, self.answers = 0.0, [], list(answers)

    def pace(self, requests_per_s):
        return Pace(requests_per_s, now_s=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds):
        self.now += seconds

    async def call(self):
        self.made.append(self.now)
        answer = self.answers.pop(0) if self.answers else "done"
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_requests_are_spread():
    time = Slept()
    pace = time.pace(4)
    for _ in range(3):
        assert await pace.ask(time.call) == "done"
    assert time.made == [0.0, 0.25, 0.5]
    time.now = 60.0
    for _ in range(2):
        await pace.ask(time.call)
    assert time.made[3:] == [60.0, 60.25], "a pause earns no burst"
    assert pace.requests == 5


async def test_too_much_is_asked_again_ever_later_and_so_is_everybody_else():
    time = Slept(*[ProviderBusy("429")] * 3)
    pace = time.pace(100)
    assert await pace.ask(time.call) == "done"
    assert time.made == [0.0, 1.0, 3.0, 7.0]
    assert pace.refused == 3


async def test_what_is_too_much_for_minutes_ends_the_run():
    time = Slept(*[ProviderBusy("429")] * TRIES_MAX)
    pace = time.pace(100)
    with pytest.raises(ProviderBusy):
        await pace.ask(time.call)
    assert len(time.made) == TRIES_MAX
    assert [round(later - before) for before, later in zip(time.made, time.made[1:], strict=False)] == [
        1, 2, 4, 8, 16, 32, 32,
    ]  # fmt: skip


@pytest.mark.parametrize("failure", [ProviderUnavailable("away"), ProviderRefused("no", "no")])
async def test_any_other_failure_is_the_callers(failure):
    time = Slept(failure)
    pace = time.pace(100)
    with pytest.raises(type(failure)):
        await pace.ask(time.call)
    assert (time.made, pace.refused) == ([0.0], 0)
