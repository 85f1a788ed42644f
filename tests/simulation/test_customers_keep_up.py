"""An account and its Stripe customer end alike, and no answer of UpdateAccount is undone, whatever is lost, late,
doubled or out of order."""

import hashlib
import hmac
import itertools
import os
import random
from contextlib import suppress

import pytest
from prepaid.billing.v1 import accounts_pb2, purchases_pb2

from billing_service.api.servicers.sales import Selling
from billing_service.clock import TimeOrderedIds
from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.refusals import Failure
from billing_service.payments.objects.customer import CONTACT_VERSION_FIELD
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.storage.rows.profiles import read_profile
from billing_service.stripe_events.inbox import process_event
from tests.simulation.service import CATALOG, TERMS, WEBHOOK_SECRET
from tests.simulation.simulated_stripe import SimulatedStripe
from tests.support.doubles import DEPLOYMENT, FakeClock
from tests.support.environments import environment_of
from tests.support.provider_line import ProviderLine

STEPS = 60
LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
SEEDS = range(1_000) if LONG else (*range(25), 159)
"""159 meets a customer that Stripe changed twice in one second, the second time by a call that was late."""


class FickleLine(ProviderLine):
    """A provider whose calls are lost, lose their answers, or are executed much later."""

    def __init__(self, stripe, chance):
        super().__init__(stripe)
        self._chance = chance
        self.reliable = False
        self.delayed = []
        self._made = {}

    async def carry(self, call):
        def perform():
            made, said_first = self._made.get(call.key, (None, call.arguments))
            if call.arguments != said_first:
                raise ProviderUnavailable("the key was used with other parameters")
            if made is None:
                made = call.effect()
                if call.name == "create_customer":
                    self._made[call.key] = made, call.arguments
            return made

        if self.reliable:
            return perform()
        match self._chance.choices(("heard", "lost", "unanswered", "late"), (6, 2, 2, 2))[0]:
            case "heard":
                return perform()
            case "unanswered":
                perform()
            case "late":
                self.delayed.append(perform)
        raise ProviderUnavailable("no answer")

    def catch_up(self):
        """Executes the oldest of the calls that are late."""
        if self.delayed:
            with suppress(ProviderRefused, ProviderUnavailable):  # whoever asked is long gone
                self.delayed.pop(0)()


class World:
    """One account, one Stripe, and whatever happens to them."""

    def __init__(self, store, seed):
        self.account_id = f"ada-{seed}"
        self.chance = random.Random(seed)
        self.clock = FakeClock()
        self.stripe = SimulatedStripe(self.clock, ids_from=seed * 1_000_000)
        self.line = FickleLine(self.stripe, self.chance)
        self.environment = environment_of(
            store,
            self.clock,
            TimeOrderedIds(self.clock, self.chance.randbytes),
            provider=self.line,
            deployment=DEPLOYMENT,
            catalog=CATALOG,
            terms=TERMS,
            referrals=ReferralPolicy(),
            webhook_secrets=(WEBHOOK_SECRET,),
            random_bytes=self.chance.randbytes,
        )
        self.selling = Selling(self.environment, b"page tokens")
        self.numbers = itertools.count(1)
        self.updates = []
        self.delivered = set()
        self.said = {}
        """E-mail and name that customers ever had at Stripe, by version."""

    async def call(self, method, request):
        call = type("Call", (), {"caller": "tests", "peer": "memory", "method": method, "scopes": frozenset()})()
        try:
            return await getattr(self.selling, method)(request, call)
        except Failure:
            return None  # to be repeated, or not

    async def create(self):
        await self.call(
            "create_account",
            accounts_pb2.CreateAccountRequest(account_id=self.account_id, name="first", idempotency_key="made"),
        )

    async def update(self):
        fields = {
            field: f"{field}{next(self.numbers)}@b.co" for field in ("email", "name") if self.chance.random() < 0.7
        }
        key = f"update{next(self.numbers)}"
        if fields:
            self.updates.append(
                accounts_pb2.UpdateAccountRequest(account_id=self.account_id, idempotency_key=key, **fields)
            )
            await self.call("update_account", self.updates[-1])

    async def repeat(self):
        if self.updates:
            await self.call("update_account", self.chance.choice(self.updates[-3:]))

    async def purchase(self):
        key = f"purchase{next(self.numbers)}"
        await self.call(
            "create_purchase",
            purchases_pb2.CreatePurchaseRequest(account_id=self.account_id, package_code="odd", idempotency_key=key),
        )

    async def dashboard(self):
        if self.stripe.customers:
            delete = self.chance.random() < 0.1
            self.stripe.change_customer(self.chance.choice(sorted(self.stripe.customers)), delete=delete)

    async def deliver(self):
        if self.stripe.events:
            await self.hand_over(*self.chance.choice(self.stripe.events))

    async def hand_over(self, event_id, payload):
        moment = self.clock() // 1_000_000
        signature = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % moment + payload, hashlib.sha256).hexdigest()
        try:
            await process_event(self.environment, payload, f"t={moment},v1={signature}")
        except Failure:
            return
        self.delivered.add(event_id)

    async def catch_up(self):
        self.line.catch_up()

    async def step(self):
        self.clock.advance_s(self.chance.choice([0, 0, 1, 2]))
        kinds = (self.update, self.repeat, self.purchase, self.dashboard, self.deliver, self.catch_up)
        await self.chance.choices(kinds, (5, 2, 3, 3, 10, 3))[0]()
        self.note()

    def note(self):
        for about in self.stripe.customers.values():
            self.said.setdefault(int(about["metadata"][CONTACT_VERSION_FIELD]), set()).add(
                (about["email"], about["name"])
            )

    async def end(self):
        """All that is late arrives, nothing is lost any more, and somebody buys."""
        while self.line.delayed:
            self.line.catch_up()
        self.line.reliable = True
        await self.purchase()
        while waiting := [event for event in self.stripe.events if event[0] not in self.delivered]:
            await self.hand_over(*self.chance.choice(waiting))

    async def profile(self):
        return await self.environment.store.read(lambda: read_profile(self.account_id))


def undone(world, profile, updated):
    """Whether the account has anything else than its newest update, or what Stripe's customer had of that update or
    later."""
    contact = profile.email, profile.name
    return contact != updated and contact not in world.said.get(profile.contact_version, ())


@pytest.mark.timeout(3_600 if LONG else 120)
async def test_customers_keep_up(store):
    for seed in SEEDS:
        await one_world(store, seed)


async def one_world(store, seed):
    world = World(store, seed)
    await world.create()
    updated, version = None, 0
    for number in range(STEPS):
        await world.step()
        profile = await world.profile()
        if profile.contact_version != version:
            updated, version = (profile.email, profile.name), profile.contact_version
        assert updated is None or not undone(world, profile, updated), (seed, number)
    await world.end()
    profile = await world.profile()
    at_stripe = world.stripe.get_customer(profile.stripe_customer_id)
    assert not at_stripe.deleted, seed
    assert (at_stripe.email, at_stripe.name) == (profile.email, profile.name), seed
    assert not undone(world, profile, updated or (profile.email, profile.name)), seed
