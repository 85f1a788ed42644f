"""One seeded run: chance picks what happens next, the witness compares after every commit, the truth is checked at
quiet points."""

import hashlib
import random
import shutil
from collections import Counter

from tests.simulation.answers import Answers, Serving
from tests.simulation.batches import SHARE_OF_ASKED_AGAIN, Batch, Batches, Stream
from tests.simulation.kinds_of_worlds import has_batches, has_holds, has_streams, has_two, loses_events
from tests.simulation.model import Model
from tests.simulation.model_account import Contradiction
from tests.simulation.offers import note_offers
from tests.simulation.processes import start
from tests.simulation.quiet import quiet
from tests.simulation.receipts import check_money, check_receipts
from tests.simulation.service import BONUS, IN_FLIGHT_MAX, PRICES, SPENDING, VESTING_US
from tests.simulation.simulated_store import Faults
from tests.simulation.simulated_stripe import SimulatedStripe
from tests.simulation.streams import Streams
from tests.simulation.turns import Turns, until_quiet
from tests.simulation.unreliable_provider import UnreliableProvider
from tests.simulation.witness import Witness
from tests.simulation.workload import ACCOUNTS, Operation, Workload
from tests.simulation.workload_holds import HoldsWorkload
from tests.simulation.world import DAY_US, SECOND_US, Clock, Message, Network, Public, signed

AT_ONCE_MAX = 12
WEIGHTS = {
    "turn": 60,
    "ask": 12,
    "network": 20,
    "ask_again": 4,
    "stripe": 9,
    "tell_event": 7,
    "clock": 0.8,
    "fault": 1.2,
    "hang_up": 0.8,
    "sweep": 0.8,
    "crash": 0.4,
    "quiet": 0.3,
}
ASKED_WITH_HOLDS = 20
APART_S_MAX = 10
COUNTED = {"batches": "batch", "streams": "opened stream", "streamed": "streamed deduction"}
"""What is said of each run, beside its commits."""
PREPARED = 0.9
"""Of the runs, how many begin with accounts that have something."""


class Simulation:
    """A world with one service in it."""

    def __init__(self, seed, directory, template):
        self.seed = seed
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.turns = Turns(self.chance)
        self.faults = Faults(self.chance, ["lasting conflict"] if has_batches(seed) else ())
        self.network = Network(self.chance)
        self.stripe = SimulatedStripe(self.clock.true)
        self.provider = UnreliableProvider(self.stripe, self.turns, self.chance)
        self.public = Public(self.chance, self.stripe)
        self.workload = (HoldsWorkload if has_holds(seed) else Workload)(self.chance, self.clock)
        self.batches = Batches(self.chance, self.workload, seed)
        self.streams = Streams(self) if has_streams(seed) else None
        self.has_holds, self.loses_events = has_holds(seed), loses_events(seed)
        self.skew_us = self.chance.randint(-APART_S_MAX, APART_S_MAX) * SECOND_US if has_two(seed) else None
        """How far the second process's clock is ahead; None where there is one process."""
        self.calm = False
        """Whether whatever could still fail has ended."""
        self.vesting_us = self.chance.choice([0, VESTING_US])
        self.model = Model(bonus=BONUS, vesting_us=self.vesting_us, spending=SPENDING, prices=PRICES)
        self.model.requests = self.workload.operations
        self.model.may_complete = self._is_paid
        self.witness = Witness(self.model, self._note_offers)
        self.serving = []
        self.told = set()
        """Numbers of the events that Stripe knows to have arrived."""
        self.contradiction = None
        """What the witness saw. The service takes it for a defect of one request, and may well get over it."""
        self.counts = Counter()
        self.answers = Answers(self.model, self.workload, self.network, self.public, self.counts)
        self._trace = hashlib.sha256()
        path = directory / f"{seed}.0"
        shutil.copyfile(template, path)
        self.process = start(self, path)

    def __str__(self):
        many = " ".join(f"{name}={self.counts[count]}" for name, count in COUNTED.items())
        return f"seed={self.seed} commits={self.witness.commits} {many} fingerprint={self.fingerprint}"

    @property
    def fingerprint(self):
        """Of all that happened."""
        return self._trace.hexdigest()[:16]

    def _is_paid(self, purchase_id):
        return any(
            each.purchase_id == purchase_id and each.payment_status == "paid" for each in self.stripe.sessions.values()
        )

    def committed(self, raw):
        try:
            self.witness(raw)
        except Contradiction as contradiction:
            self.contradiction = contradiction
            raise
        self._note_offers()

    def _note_offers(self, decided_us=None):
        servings = [*self.serving, *(self.streams.orphans if self.streams else ())]
        for ahead_us in {0, self.skew_us or 0} if decided_us is None else (0,):
            note_offers(servings, self.model.accounts, (decided_us or self.clock()) + ahead_us)

    async def run(self, steps):
        """Raises Contradiction, or whatever else the product should not have raised."""
        try:
            if self.chance.random() < PREPARED:
                await self._prepare()
            for _ in range(steps):
                await self._step(self._next())
            await self._step("quiet")
            if self.has_holds:
                await check_receipts(self)
                check_money(self)
        finally:
            await self.process.die()
            self.process.store.survivor.unlink(missing_ok=True)
            self.process.store.survivor.with_name(self.process.store.survivor.name + "-wal").unlink(missing_ok=True)

    async def _prepare(self):
        for account_id in ACCOUNTS:
            for operation in (self.workload.create_account(account_id), self.workload.grant(account_id)):
                self.network.send(Message("request", operation))
        await self._step("quiet")

    def _next(self):
        """What happens next, among what can."""
        weights = WEIGHTS | {"ask": ASKED_WITH_HOLDS} if self.has_holds else WEIGHTS
        possible = self.streams.possible(weights) if self.streams else dict(weights)
        if not self.turns.waiting():
            del possible["turn"]
        if not self.network.messages:
            del possible["network"]
        return self.chance.choices(list(possible), list(possible.values()))[0]

    async def _step(self, kind):
        self.clock.true_us += self.chance.randrange(SECOND_US)
        self._note_offers()
        done = getattr(self, f"_{kind}")()
        if done is not None:
            await done
        await self._let_run()
        self.counts[kind] += 1
        lines = f" {self.streams}" if self.streams else ""
        seen = (
            f"{kind} {self.clock()} {self.witness.commits} {self.turns.waiting()} {len(self.network.messages)}{lines};"
        )
        self._trace.update(seen.encode())

    async def _let_run(self):
        await until_quiet()
        if self.contradiction is not None:
            raise self.contradiction
        if self.process.store.survivor is not None:
            await self._restart()
        if self.streams:
            self.streams.settle()
        for serving in [each for each in self.serving if each.task.done()]:
            self.serving.remove(serving)
            self.answers.ended(serving)

    async def _restart(self):
        self.counts["restart"] += 1
        await self.process.die()
        self.serving.clear()
        if self.streams:
            self.streams.lose()
        self.process = start(self, self.process.store.survivor)
        if self.streams and not self.calm:
            self.streams.begin_rough()
        self.witness(self.process.store.raw)

    def _turn(self):
        if self.turns.waiting():
            self.turns.release()

    def _ask(self):
        if len(self.serving) + len(self.network.messages) < AT_ONCE_MAX:
            self.workload.codes = [
                row[0] for row in self.process.store.raw.execute("SELECT referral_code FROM profiles").fetchall()
            ]
            batched = self.batches and self.chance.random() < self.batches.share_of_asked
            wanted = self.batches.next() if batched else self.workload.next()
            if wanted is not None:
                self.network.send(Message("request", wanted))

    def _ask_again(self):
        """A caller that has no answer asks again; one that has may still do."""
        if self.batches and self.batches.made and self.chance.random() < SHARE_OF_ASKED_AGAIN:
            self.network.send(Message("request", self.batches.again()))
        elif self.workload.operations:
            operation = self.chance.choice(list(self.workload.operations.values())[-25:])
            self.network.send(Message("request", operation))

    def _network(self):
        if not self.network.messages:
            return
        message = self.network.arrive()
        if message is None:
            return
        if message.kind == "request":
            self._serve(message.subject)
        elif isinstance(message.subject, Operation | Batch):
            message.subject.hear(message.definite)
        elif message.definite:
            self.told.add(message.subject)

    def _serve(self, subject):
        if isinstance(subject, Stream):
            self.streams.open(subject)
            return
        if isinstance(subject, Operation | Batch):
            task = self.process.either(self.chance).begin(
                subject.method, subject.request, admin=getattr(subject, "admin", True)
            )
        else:
            task = self.process.either(self.chance).begin(
                "process_stripe_event", signed(self.stripe.events[subject][1], self.clock())
            )
        few = self.process.admission.in_flight_max < IN_FLIGHT_MAX
        self.begin(Serving(subject, task, calm=self.calm, may_be_shed=few))

    def begin(self, serving):
        """The service has been handed a request."""
        self.answers.begun(serving, self.serving)
        self.serving.append(serving)
        self._note_offers()

    def _stripe(self):
        self.public.act()

    def _tell_event(self):
        untold = [number for number in range(len(self.stripe.events)) if number not in self.told]
        if untold and self.chance.random() < 0.85:
            self.network.send(Message("request", self.chance.choice(untold)))
        elif self.stripe.events:
            self.network.send(Message("request", self.chance.randrange(len(self.stripe.events))))

    def _clock(self):
        """A jump, of up to a day in either direction, or back to the truth; or a day passes and Stripe forgets its
        keys."""
        fate = self.chance.random()
        if fate < 0.3 and self.has_holds:
            self._pass_days(fate)
        elif fate < 0.3:
            self.clock.off_us = self.chance.randint(-DAY_US, DAY_US)
        elif fate < 0.6:
            self.clock.off_us = self.chance.randint(-5, 5) * SECOND_US
        elif fate < 0.9:
            self.clock.off_us = 0
        elif not self.provider.calls:
            self._pass_day()
        self._note_offers()

    def _pass_days(self, fate):
        """Holds end, and windows of limits. A clock that is a day ahead by mistake would count in windows to come."""
        self.clock.true_us += 0 if self.provider.calls else int(DAY_US * (20 if fate < 0.02 else fate))

    def _pass_day(self):
        self.clock.true_us += DAY_US
        self.provider.forget_keys()

    def _fault(self):
        self.faults.arm()

    def _hang_up(self):
        if self.serving:
            chosen = self.chance.choice(self.serving)
            (chosen.task.cancel if chosen.line is None else chosen.line.cut)()

    def _sweep(self):
        self.serving.append(Serving(None, self.process.either(self.chance).begin_sweep()))

    def _crash(self):
        self.process.store.crash()

    def _stream(self):
        if self.streams.lines:
            self.streams.act()

    def _drain(self):
        self.streams.drain()

    def _quiet(self):
        return quiet(self)
