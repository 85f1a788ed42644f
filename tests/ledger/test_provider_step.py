"""The step around the payment provider: what is asked, recorded and given up, by everything that the provider may
say."""

import pytest

from billing_service.ledger.provider_step import Begun, provider_step
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable

REFUSED, UNAVAILABLE, KEPT = (
    ProviderRefused("no", "no"),
    ProviderUnavailable("away"),
    ProviderUnavailable("500", key_spent=True),
)


class Step:
    """Notes what is done, in order. The intent is the number of its attempt."""

    def __init__(self, said, *, resumed=False, made=(), begun=None):
        self.done, self._said, self._made = [], list(said), list(made)
        self._begun = Begun(0, resumed) if begun is None else begun

    async def _begin(self):
        self.done.append("begin")
        return self._begun

    async def _ask(self, attempt):
        self.done.append(f"ask {attempt}")
        said = self._said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    async def _find_made(self, attempt):
        self.done.append(f"look {attempt}")
        found = self._made.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def _settle(self, attempt, said):
        self.done.append(f"settle {attempt} {said}")
        return said.upper()

    async def _give_up(self, attempt, refused):
        self.done.append(f"give up {attempt} {refused.code}")

    async def _next_attempt(self, attempt):
        self.done.append("next")
        return attempt + 1

    async def run(self, *, looks, has_key=True):
        parts = {
            "next_attempt": self._next_attempt if has_key else None,
            "find_made": self._find_made if looks else None,
        }
        try:
            return await provider_step(
                begin=self._begin, ask=self._ask, settle=self._settle, give_up=self._give_up, **parts
            )
        except (ProviderRefused, ProviderUnavailable) as said:
            return said


CASES = {
    "refused": (Step([REFUSED]), {"looks": False}, REFUSED, ["begin", "ask 0", "give up 0 no"]),
    "no answer": (Step([UNAVAILABLE]), {"looks": False}, UNAVAILABLE, ["begin", "ask 0"]),
    "no answer, of what is looked for": (Step([UNAVAILABLE]), {"looks": True}, UNAVAILABLE, ["begin", "ask 0"]),
    "a failure kept for the key": (Step([KEPT]), {"looks": False}, KEPT, ["begin", "ask 0", "next"]),
    "a failure kept for no key": (Step([KEPT]), {"looks": False, "has_key": False}, KEPT, ["begin", "ask 0"]),
    "a failure kept, and a refusal of the next key": (
        Step([KEPT, REFUSED], made=[None]),
        {"looks": True},
        REFUSED,
        ["begin", "ask 0", "look 0", "next", "ask 1", "give up 0 no"],
    ),
    "a failure kept for the next key too": (
        Step([KEPT, KEPT], made=[None]),
        {"looks": True},
        KEPT,
        ["begin", "ask 0", "look 0", "next", "ask 1"],
    ),
    "no look can be had": (
        Step([], resumed=True, made=[UNAVAILABLE]),
        {"looks": True},
        UNAVAILABLE,
        ["begin", "look 0"],
    ),
    "no look can be had after a failure": (
        Step([KEPT], made=[UNAVAILABLE]),
        {"looks": True},
        UNAVAILABLE,
        ["begin", "ask 0", "look 0"],
    ),
    "answered before": (Step([], begun="DONE"), {"looks": True}, "DONE", ["begin"]),
    "done": (Step(["ok"]), {"looks": True}, "OK", ["begin", "ask 0", "settle 0 ok"]),
    "resumed": (Step(["ok"], resumed=True), {"looks": False}, "OK", ["begin", "ask 0", "settle 0 ok"]),
    "resumed, and made before": (
        Step([], resumed=True, made=["ok"]),
        {"looks": True},
        "OK",
        ["begin", "look 0", "settle 0 ok"],
    ),
    "resumed, and not made before": (
        Step(["ok"], resumed=True, made=[None]),
        {"looks": True},
        "OK",
        ["begin", "look 0", "ask 0", "settle 0 ok"],
    ),
    "made in spite of a failure kept": (
        Step([KEPT], made=["ok"]),
        {"looks": True},
        "OK",
        ["begin", "ask 0", "look 0", "settle 0 ok"],
    ),
    "a failure kept is stepped over": (
        Step([KEPT, "ok"], made=[None]),
        {"looks": True},
        "OK",
        ["begin", "ask 0", "look 0", "next", "ask 1", "settle 0 ok"],
    ),
}


@pytest.mark.parametrize(("step", "options", "result", "done"), CASES.values(), ids=CASES)
async def test_a_step(step, options, result, done):
    assert (await step.run(**options), step.done) == (result, done)
