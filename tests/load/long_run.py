"""A thousand agents on one account that is nearly empty all the time: deductions, holds and captures, sessions. Not one
microcredit may be used that was not granted.

`python -m tests.load.long_run` makes a million calls of a service in a process of its own, prints one JSON object, and
ends with 1 when anything was over or the ledger says something else than the answers.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import grpc
from billing_client.errors import BillingError, OutcomeUnknown
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from prepaid.billing.v1 import admin_pb2, admin_pb2_grpc, billing_pb2_grpc, transactions_pb2, usage_pb2

from billing_service.integrity.verify import verify_ledger
from tests.support.client_journal import REFUSED, UNKNOWN, rows_of
from tests.support.databases import Database
from tests.support.metered import Metered, cost, tokens
from tests.support.service_process import NO_STRIPE, RECONNECT, running_forker, running_process
from tests.support.stack import CREDIT, environment

ACCOUNT = "everybody"
CALLS, AGENTS, CHANNELS = 1_000_000, 1_000, 50
"""A connection carries a hundred calls at once; what comes to one beyond that waits."""
SHARES = {"deduct": 6, "use": 3, "hold": 4, "session": 1}
GRANTED_A_CALL = CREDIT
"""On average; agents want more."""
CALLS_A_GRANT = 100
CALLS_A_REPORT = 10_000
PAUSE_S, FOR_EVER_S = 0.05, 1e9
TOKEN = 1_150
"""Microcredits of a token that was written, by the built-in card."""
_SQL = (
    "SELECT coalesce(sum(amount), 0) FROM entries WHERE destination = 'usage'",
    "SELECT balance, held, debt, holds_open, version FROM accounts",
    "SELECT coalesce(sum(amount), 0) FROM entries WHERE source = 'grants'",
)


class Agents:
    """All that call, and the sums of what they were told."""

    def __init__(self, channels, calls, seed, lasts_s):
        self._channels = channels
        self._billing = [billing_pb2_grpc.BillingServiceStub(channel) for channel in channels]
        self._admin = admin_pb2_grpc.AdminServiceStub(channels[0])
        self.left = calls
        self._seed = seed
        self._begun_s, self._lasts_s = time.monotonic(), lasts_s
        self.charged = self.granted = self.uncollected = 0
        """Microcredits; `uncollected` is what sessions had used when others had emptied the account."""
        self.told = Counter()
        """Calls by what came of them."""

    async def run(self, number):
        chance, lives = random.Random(f"{self._seed}/{number}"), 0
        while self.left > 0 and time.monotonic() < self._begun_s + self._lasts_s:
            lives += 1
            kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
            await getattr(self, f"_{kind}")(chance, f"{number}-{lives}")

    async def _call(self, stub, rpc, request):
        """The answer; None for a refusal. A grant comes with every so many calls."""
        self.left -= 1
        if self.left % CALLS_A_REPORT == 0:
            sys.stderr.write(f"{self.left} calls are left after {time.monotonic() - self._begun_s:.0f} s\n")
        if self.left % CALLS_A_GRANT == 0 and rpc != "GrantCredits":
            await self.grant(f"grant-{self.left}", CALLS_A_GRANT * GRANTED_A_CALL)
        while True:
            try:
                reply = await getattr(stub, rpc)(request, timeout=60)
            except grpc.aio.AioRpcError as error:
                if error.code() in REFUSED:
                    self.told["refused"] += 1
                    return None
                if error.code() not in UNKNOWN:
                    raise
                self.told["asked again"] += 1
                await asyncio.sleep(PAUSE_S)
                continue
            self.told[rpc] += 1
            shown = reply.balance
            assert shown.debt_microcredits == 0 <= shown.available_microcredits, "somebody spent what was not there"
            return reply

    async def grant(self, key, amount):
        request = admin_pb2.GrantCreditsRequest(
            account_id=ACCOUNT, amount_microcredits=amount, reason="long run", idempotency_key=key
        )
        await self._call(self._admin, "GrantCredits", request)
        self.granted += amount

    async def _deduct(self, chance, key):
        await self._charge(chance, key, amount_microcredits=chance.randint(1, 5 * CREDIT), mode=chance.choice([1, 2]))

    async def _use(self, chance, key):
        usage = ParseDict(tokens(chance.randint(1, 5_000), chance.randint(1, 4_000)), usage_pb2.Usage())
        await self._charge(chance, key, usage=usage)

    async def _charge(self, chance, key, **fields):
        request = transactions_pb2.DeductCreditsRequest(account_id=ACCOUNT, idempotency_key=key, **fields)
        reply = await self._call(chance.choice(self._billing), "DeductCredits", request)
        self.charged += reply.deducted_microcredits if reply else 0

    async def _hold(self, chance, key):
        stub, about = chance.choice(self._billing), {"account_id": ACCOUNT}
        amount = chance.randint(1, 8 * CREDIT)
        fields = {"amount_microcredits": amount, "mode": chance.choice([1, 2]), "ttl": Duration(seconds=86_400)}
        asked = transactions_pb2.HoldCreditsRequest(idempotency_key=key, **about, **fields)
        held = await self._call(stub, "HoldCredits", asked)
        if held is None:
            return
        about["hold_id"] = held.hold.hold_id
        for part in range(chance.randint(0, 2)):
            one = {"amount_microcredits": chance.randint(1, amount), "final": False, "over_hold": 2}
            await self._capture(stub, f"{key}-{part}", **about, **one)
        last = {"amount_microcredits": chance.randint(0, amount), "over_hold": chance.choice([1, 2, 3])}
        if chance.random() < 0.2 or not await self._capture(stub, f"{key}-last", **about, **last):
            asked = transactions_pb2.ReleaseHoldRequest(idempotency_key=f"{key}-back", **about)
            await self._call(stub, "ReleaseHold", asked)

    async def _capture(self, stub, key, **fields):
        asked = transactions_pb2.CaptureHoldRequest(idempotency_key=key, **fields)
        reply = await self._call(stub, "CaptureHold", asked)
        self.charged += reply.captured_microcredits if reply else 0
        return reply is not None

    async def _session(self, chance, key):
        """Uses no more than it is told is left, and stops when it is told to. Each message counts as a call. A stream
        that is too slow is left; the key of the opening takes the session over."""
        written, self.left = 0, self.left - 1
        while True:
            stream = Metered(SimpleNamespace(channel=chance.choice(self._channels), _metadata=()))
            try:
                what, closed = await stream.open_again(ACCOUNT, key)
                if what == "opened":
                    written = await self._meter(chance, stream, closed, written)
                    closing = stream.close(usage=tokens(0, written)) if written else stream.close("REFUSED")
                    closed = await closing
            except BillingError as refused:
                if refused.reason in ("INSUFFICIENT_CREDITS", "OVERLOADED"):
                    self.told["refused"] += 1
                    return
                if not isinstance(refused, OutcomeUnknown):
                    raise
                closed = None
            except TimeoutError:
                closed = None
            if closed is None:
                self.told["session left"] += 1
                stream.cut()
                continue
            self.left -= 1
            self.told["session closed"] += 1
            self.charged += closed.charged_microcredits
            self.uncollected += closed.uncollected_microcredits
            assert closed.charged_microcredits + closed.uncollected_microcredits == cost(0, written)
            return

    async def _meter(self, chance, stream, opened, written):
        """How many tokens it has written in the end."""
        left, first = opened.left_microcredits, opened.sequence + 1
        for sequence in range(first, first + chance.randint(1, 10)):
            more = min(chance.randint(1, 800), left // TOKEN - 1)
            if more < 1:
                break
            written += more
            self.left -= 1
            acknowledged, before = await self._tick(stream, sequence, written)
            left = acknowledged.left_microcredits
            self.told["tick"] += 1
            if "stop" in before:
                break
        return written

    async def _tick(self, stream, sequence, written):
        await stream.send(tick={"sequence": sequence, "usage": tokens(0, written)})
        return await stream.told("acknowledged")


async def spend(channels, *, calls, agents, seed, lasts_s=FOR_EVER_S):
    """Lets agents call until so many calls are made, or the time is over; answers the sums."""
    everybody = Agents(channels, calls, seed, lasts_s)
    await everybody.grant("first", 100 * CREDIT)
    async with asyncio.TaskGroup() as running:
        for number in range(agents):
            running.create_task(everybody.run(number))
    return everybody


def judge(everybody, database):
    """What is over, and what the ledger says besides; all of it is 0 when nothing is wrong."""
    ((used,),), ((balance, held, debt, holds_open, version),), ((granted,),) = rows_of(database, _SQL)
    return {
        "over": max(used - granted, 0) + debt,
        "used_otherwise": used - everybody.charged,
        "granted_otherwise": granted - everybody.granted,
        "lost": granted - used - balance,
        "held": held,
        "holds_open": holds_open,
    }, {"used": used, "granted": granted, "uncollected": everybody.uncollected, "transactions": version}


async def _run(chosen, database, log):
    settings = environment(database.url, NO_STRIPE, BILLING_LOG_LEVEL="ERROR")
    async with AsyncExitStack() as running:
        forker = running.enter_context(running_forker())
        service = await running.enter_async_context(running_process(forker, settings, log))
        options = [*RECONNECT, ("grpc.use_local_subchannel_pool", 1)]
        channels = [
            await running.enter_async_context(grpc.aio.insecure_channel(service.address, options))
            for _ in range(CHANNELS)
        ]
        begun = time.monotonic()
        everybody = await spend(
            channels, calls=chosen.calls, agents=chosen.agents, seed=chosen.seed, lasts_s=chosen.seconds
        )
        took_s = time.monotonic() - begun
        assert await service.stop() == 0
    store = await database.open()
    differences = (await verify_ledger(store)).differences
    await store.close()
    wrong, sums = judge(everybody, database)
    told = {"calls": chosen.calls - everybody.left, "agents": chosen.agents, "seconds": round(took_s), **wrong, **sums}
    json.dump(told | {"differences": len(differences), "told": dict(everybody.told)}, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return int(any(wrong.values()) or bool(differences))


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.load.long_run", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--seconds", type=float, default=FOR_EVER_S, help="end after as many, with fewer calls")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="billing-long-run-") as folder:
        database = Database("sqlite", f"sqlite:///{folder}/billing.db")
        return asyncio.run(_run(chosen, database, Path(folder) / "service.log"))


if __name__ == "__main__":
    sys.exit(main())
