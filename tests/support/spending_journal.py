"""Callers who deduct, hold, capture, release and meter sessions, and write down each request before it is sent and each
answer after it came. In the end the journal is held against the rows of the ledger, by plain SQL."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace

import grpc
from billing_client.errors import BillingError
from google.protobuf.json_format import ParseDict
from prepaid.billing.v1 import billing_pb2_grpc, transactions_pb2, usage_pb2

from tests.support.client_journal import ACKNOWLEDGED_WITHIN_S, CREDIT, REFUSED, UNKNOWN
from tests.support.metered import EndedEarlyError, Metered, cost, tokens
from tests.support.patience import PATIENCE_S

HOUR = "3600s"
WEIGHTS = {"deduct": 5, "use": 3, "hold": 8, "session": 2}
USED = ("deducted_microcredits", "captured_microcredits")
_REQUESTS = {
    "DeductCredits": transactions_pb2.DeductCreditsRequest,
    "HoldCredits": transactions_pb2.HoldCreditsRequest,
    "CaptureHold": transactions_pb2.CaptureHoldRequest,
    "ReleaseHold": transactions_pb2.ReleaseHoldRequest,
    "ExtendHold": transactions_pb2.ExtendHoldRequest,
}


@dataclass
class Asked:
    """One request with its key. `outcome`: invoked, ok, refused or unknown."""

    rpc: str
    request: object
    outcome: str = "invoked"
    reply: object = None
    was_unknown: bool = False

    @property
    def charged(self):
        return sum(getattr(self.reply, name, 0) for name in USED)


@dataclass
class SessionOwned:
    """One session as its owner knows it."""

    account_id: str
    key: str
    opened: object = None
    sequence: int = 0
    acknowledged: int = 0
    """The highest charge that was acknowledged."""
    said: int = 0
    """The highest price of what was ever said to be used."""
    closed: object = None
    lost_token: bool = False
    """The answer to a resumption was lost, and with it the new token: the key of the opening takes the session over."""


@dataclass
class SpendingJournal:
    """All that was asked and told."""

    path: object
    asked: dict = field(default_factory=dict)
    """By key."""
    sessions: list = field(default_factory=list)
    acknowledged: int = 0
    breaks: int = 0
    """Streams of sessions that ended before they were closed."""

    def __post_init__(self):
        self._file = self.path.open("a", buffering=1)

    def note(self, asked, outcome):
        asked.outcome = outcome
        asked.was_unknown |= outcome == "unknown"
        self.acknowledged += outcome == "ok"
        self.asked[asked.request.idempotency_key] = asked
        self._file.write(f"{asked.request.idempotency_key} {asked.rpc} {outcome}\n")

    def having(self, outcome):
        return [asked for asked in self.asked.values() if asked.outcome == outcome]

    async def until_more_acknowledged(self, count):
        """Waits for the callers, who are tasks of their own."""
        before = self.acknowledged
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
            while self.acknowledged < before + count:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)

    def counts(self):
        """OK answers by RPC, and sessions that were closed."""
        return Counter(asked.rpc for asked in self.having("ok")) + Counter(
            sessions=sum(each.closed is not None for each in self.sessions)
        )

    def close(self):
        self._file.close()


class Spenders:
    """Callers that never give up: whoever does not know asks again with the same key, of any of the channels."""

    def __init__(self, channels, journal, accounts, seed, *, impatience=None, pause_s=0.01):
        """`impatience(chance)` answers after how many seconds a call is cancelled; None: not at all."""
        self._channels = channels
        self._stubs = [billing_pb2_grpc.BillingServiceStub(channel) for channel in channels]
        self._journal = journal
        self._accounts = accounts
        self._seed = seed
        self._impatience = impatience or (lambda _chance: None)
        self._pause_s = pause_s
        self.stopped = False

    async def run(self, number, lives=None):
        """Lives as many lives, or until told to stop."""
        chance, life = random.Random(f"{self._seed}/{number}"), 0
        while not self.stopped and life != lives:
            life += 1
            kind = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            await getattr(self, f"_{kind}")(chance, chance.choice(self._accounts), f"{number}-{life}")

    async def _deduct(self, chance, account_id, key):
        await self._settle(chance, "DeductCredits", account_id, key, amount_microcredits=chance.randint(1, 3) * CREDIT)

    async def _use(self, chance, account_id, key):
        read, written = chance.randint(1, 5_000), chance.randint(1, 2_000)
        usage = ParseDict(tokens(read, written), usage_pb2.Usage())
        asked = await self._settle(chance, "DeductCredits", account_id, key, usage=usage)
        assert asked.outcome == "refused" or asked.charged == cost(read, written)

    async def _hold(self, chance, account_id, key):
        amount = chance.randint(2, 8) * CREDIT
        held = await self._settle(chance, "HoldCredits", account_id, key, amount_microcredits=amount, ttl=HOUR)
        if held.outcome == "refused":
            return
        hold_id, captured = held.reply.hold.hold_id, 0
        about = {"hold_id": hold_id}
        for part in range(chance.randint(0, 2)):
            one = chance.randint(1, amount // 2)
            fields = {"amount_microcredits": one, "final": False, "over_hold": transactions_pb2.OVER_HOLD_UP_TO_HOLD}
            done = await self._settle(chance, "CaptureHold", account_id, f"{key}-{part}", **about, **fields)
            captured += done.charged
        fate = chance.random()
        if fate < 0.15:
            more = {"additional_microcredits": CREDIT, **about}
            await self._settle(chance, "ExtendHold", account_id, f"{key}-more", **more)
        if fate < 0.7:
            last = {"amount_microcredits": chance.randint(0, amount), "over_hold": chance.choice([2, 3, 4])}
            await self._settle(chance, "CaptureHold", account_id, f"{key}-last", **about, **last)
        elif fate < 0.9:
            await self._settle(chance, "ReleaseHold", account_id, f"{key}-back", **about)

    async def _settle(self, chance, rpc, account_id, key, **fields):
        """Asks until the answer is definite."""
        fields = {"account_id": account_id, "idempotency_key": key, **fields}
        ttl = fields.pop("ttl", None)
        asked = Asked(rpc, _REQUESTS[rpc](**fields))
        if ttl:
            asked.request.ttl.FromJsonString(ttl)
        self._journal.note(asked, "invoked")
        tries = 0
        while not await self._ask(chance, asked, patient=tries > 3):
            tries += 1
            await asyncio.sleep(self._pause_s)
        return asked

    async def _ask(self, chance, asked, *, patient):
        """One call; answers whether it is known what became of it."""
        call = getattr(chance.choice(self._stubs), asked.rpc)(asked.request, timeout=PATIENCE_S)
        hanging_up_s = None if patient else self._impatience(chance)
        if hanging_up_s is not None:
            asyncio.get_running_loop().call_later(hanging_up_s, call.cancel)
        try:
            reply = await call
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():
                raise
            self._journal.note(asked, "unknown")
            return False
        except grpc.aio.AioRpcError as error:
            return self._without_reply(asked, error)
        asked.reply = reply
        self._journal.note(asked, "ok")
        return True

    def _without_reply(self, asked, error):
        assert error.code() in REFUSED | UNKNOWN, f"{asked}: {error.code()}: {error.details()}"
        refused = error.code() in REFUSED
        assert not (refused and asked.reply), f"{asked} was acknowledged before, and now is refused"
        self._journal.note(asked, "refused" if refused else "unknown")
        return refused

    async def _session(self, chance, account_id, key):
        metering = SessionOwned(account_id, key)
        self._journal.sessions.append(metering)
        while metering.closed is None and not self.stopped:
            stream = Metered(SimpleNamespace(channel=chance.choice(self._channels), _metadata=()))
            hanging_up_s = self._impatience(chance)
            try:
                # Not the call but its task is given up: a write to a call that was cancelled early never ends.
                async with asyncio.timeout(None if hanging_up_s is None else hanging_up_s * 5):
                    if await self._meter(chance, metering, stream):
                        return
            except BillingError as error:
                if metering.opened is None and error.reason == "INSUFFICIENT_CREDITS":
                    return
                metering.lost_token |= error.reason == "HOLD_OWNED"
            except (grpc.RpcError, EndedEarlyError, TimeoutError, asyncio.InvalidStateError):
                pass  # the service is gone, or the caller has hung up
            self._journal.breaks += 1
            stream.cut()
            await asyncio.sleep(self._pause_s)

    async def _meter(self, chance, metering, stream):
        """Opens or resumes, ticks, closes. Whether the session is over."""
        if metering.opened is None or metering.lost_token:
            what, again = await stream.open_again(metering.account_id, metering.key)
        else:
            what, again = await stream.resume(metering.account_id, metering.opened)
        if what == "closed":
            metering.closed = again
            return True
        if metering.opened is None:
            metering.opened = again
        else:
            metering.opened, metering.lost_token = again, False
            assert again.charged_microcredits >= metering.acknowledged, "what was acknowledged is lost"
            assert again.charged_microcredits <= metering.said, "what nobody said is charged"
            metering.sequence = max(metering.sequence, again.sequence)
        for _ in range(chance.randint(1, 6)):
            metering.sequence += 1
            written = chance.randint(1, 200) * metering.sequence
            metering.said = max(metering.said, cost(0, written))
            told = await stream.tick(metering.sequence, tokens(0, written))
            assert told.charged_microcredits >= metering.acknowledged
            metering.acknowledged = told.charged_microcredits
        metering.said = max(metering.said, metering.acknowledged)
        metering.closed = await stream.close()
        return True

    async def finish(self):
        """Closes the sessions whose owners were told to stop."""
        for metering in self._journal.sessions:
            while metering.opened is not None and metering.closed is None:
                stream = Metered(SimpleNamespace(channel=self._channels[0], _metadata=()))
                with suppress(BillingError, grpc.RpcError):
                    await self._meter(random.Random(0), metering, stream)
