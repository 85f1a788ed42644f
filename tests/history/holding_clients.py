"""Callers that hold and capture beside all that others do."""

import time

from google.protobuf.duration_pb2 import Duration
from prepaid.billing.v1 import admin_pb2, transactions_pb2

from tests.history.recording_clients import AMOUNT_MAX, DEBT, Client, error_info

HELD_MAX, GRANTED_MAX = 60, 500
LASTS = Duration(seconds=3_600)
KINDS = (0, transactions_pb2.TRANSACTION_KIND_HOLD, transactions_pb2.TRANSACTION_KIND_HOLD_RELEASE)
OVER_HOLD = (1, 2, 3)
OWING = transactions_pb2.OVER_HOLD_ALLOW_DEBT


class HoldingClient(Client):
    """One caller: one call at a time."""

    async def run(self, calls):
        actions = (self._deduct, self._grant, self._reverse, self._read, self._repeat, self._hold, self._capture)
        for action in self._chance.choices((*actions, self._release), (14, 2, 8, 18, 8, 20, 22, 4), k=calls):
            await action(self._chance.choice(self._accounts))

    async def _grant(self, account_id):
        """Seldom: an account of many lots is kept in no cache."""
        amount = self._chance.randint(GRANTED_MAX // 2, GRANTED_MAX)
        await self._write(account_id, "GrantCredits", admin_pb2.GrantCreditsRequest, amount_microcredits=amount)

    async def _deduct(self, account_id):
        amount = self._chance.randint(1, AMOUNT_MAX)
        mode = DEBT if account_id in self._may_owe and self._chance.random() < 0.3 else 1
        about = {"amount_microcredits": amount, "mode": mode}
        await self._write(account_id, "DeductCredits", transactions_pb2.DeductCreditsRequest, **about)

    async def _hold(self, account_id):
        fields = {"amount_microcredits": self._chance.randint(1, HELD_MAX), "ttl": LASTS}
        await self._write(account_id, "HoldCredits", transactions_pb2.HoldCreditsRequest, **fields)

    async def _capture(self, _account_id):
        if self._history.holds:
            account_id, hold_id = self._chance.choice(self._history.holds[-40:])
            final = self._chance.random() < 0.4
            policies = (*OVER_HOLD, OWING) if account_id in self._may_owe else OVER_HOLD
            fields = {"final": final, "over_hold": self._chance.choice(policies)}
            fields["amount_microcredits"] = self._chance.randint(0 if final else 1, AMOUNT_MAX)
            request = transactions_pb2.CaptureHoldRequest
            await self._write(account_id, "CaptureHold", request, hold_id=hold_id, **fields)

    async def _release(self, _account_id):
        if self._history.holds:
            account_id, hold_id = self._chance.choice(self._history.holds[-40:])
            await self._write(account_id, "ReleaseHold", transactions_pb2.ReleaseHoldRequest, hold_id=hold_id)

    def _without_reply(self, record, error, write):
        info = error_info(error) if error.trailing_metadata() else None
        reason = info.reason if info else ""
        if reason == "SPEND_LIMIT_REACHED":
            write.definite = True
            return record(answered=time.monotonic_ns(), refused=True, room=int(info.metadata["left_microcredits"]))
        if reason == "HOLD_CLOSED" or (reason == "INSUFFICIENT_CREDITS" and write.method == "CaptureHold"):
            write.definite = True
            return record(answered=time.monotonic_ns(), refused=True)
        return super()._without_reply(record, error, write)

    def _with_reply(self, record, reply, write):
        if write.method in ("DeductCredits", "GrantCredits", "ReverseDeduction"):
            return super()._with_reply(record, reply, write)
        answered, replayed = time.monotonic_ns(), reply.replayed
        write.definite = True
        reply.ClearField("replayed")
        if write.method == "HoldCredits":
            reply.ClearField("server_time")
            self._history.holds.append((write.account_id, reply.hold.hold_id))
        left = reply.hold.amount_microcredits - reply.hold.captured_microcredits - reply.hold.released_microcredits
        ends = write.method == "ReleaseHold" or (write.method == "CaptureHold" and write.request.final)
        assert not (ends and left), "a hold that has ended holds nothing"
        shown, hold, charged = reply.balance, reply.hold, getattr(reply, "captured_microcredits", 0)
        if write.method == "CaptureHold":
            asked = write.request.amount_microcredits
            assert charged + reply.uncollected_microcredits == asked
            if charged:
                self._history.deductions.append((write.account_id, reply.transaction_id))
        return record(
            answered=answered,
            version=shown.account_version,
            balance=shown.available_microcredits + shown.held_microcredits - shown.debt_microcredits,
            delta=-charged,
            reply=reply.SerializeToString(deterministic=True),
            replayed=replayed,
            required=hold.amount_microcredits if write.method == "HoldCredits" else 0,
            held=shown.held_microcredits,
            hold_id=hold.hold_id,
            hold_left=left,
            spends=write.method != "ReleaseHold",
        )

    async def statement(self, account_id, **options):
        """With the lines of holds."""
        lines = []
        for kind in KINDS:
            lines += await super().statement(account_id, kind=kind, **options)
        return lines
