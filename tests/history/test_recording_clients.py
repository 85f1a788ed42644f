"""When a caller of a history may stop asking what became of a write."""

import grpc
import pytest

from tests.history.holding_clients import HoldingClient
from tests.history.recording_clients import History, Write

REFUSED, LOST = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE


class Answered(HoldingClient):
    """Gets these answers, one after the other: a status, or a reply."""

    def __init__(self, *answers):
        self._history, self._number, self._answers = History(), 0, list(answers)
        self._billing = self._admin = self

    HoldCredits = None

    async def _ask(self, _method, _request, *, patient=False):
        del patient
        answer = self._answers.pop(0)
        if answer != "reply":
            raise grpc.aio.AioRpcError(answer, None, None)
        return answer

    def _without_reply(self, record, error, write):
        write.definite = write.definite or error.code() is REFUSED
        return record(answered=None)

    def _with_reply(self, record, _reply, write):
        write.definite = True
        return record(answered=None)


@pytest.mark.parametrize(
    ("answers", "definite"),
    [
        ([REFUSED], True),
        ([LOST], False),
        ([LOST, REFUSED], False),
        ([REFUSED, LOST], False),
        ([REFUSED, LOST, "reply"], True),
        (["reply", LOST], True),
    ],
)
async def test_a_repeat_whose_answer_is_lost_is_asked_again(answers, definite):
    """A hold that was refused, and made by a repeat of its key that nobody heard of, was taken for none."""
    client, write = Answered(*answers), Write("ada", "k", "HoldCredits", object())
    for _ in answers:
        await client.send(write)
    assert write.definite is definite


async def test_once_nothing_is_under_way_a_refusal_is_the_end():
    client, write = Answered(LOST, REFUSED), Write("ada", "k", "HoldCredits", object())
    await client.send(write)
    await client.send(write, patient=True)
    assert write.definite
