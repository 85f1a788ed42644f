"""The product's own methods over a store that fails, with ids, random_bytes and time that a test decides."""

import hashlib
import hmac
import itertools
import json
import re
from collections import Counter
from types import SimpleNamespace
from typing import NamedTuple

import grpc
from google.protobuf import text_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from billing_service.api.admission import Admission
from billing_service.api.pipeline import Call
from billing_service.api.services import services_of
from billing_service.catalogs import load_catalog
from billing_service.commands.environment import Gathering, PurchaseTerms
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.catalogue.packages import CustomAmounts
from billing_service.domain.deployment import MARK_FIELD
from billing_service.domain.ledger.chain import SALT_BYTES
from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.refusals import Failure, Reason, Refusal
from tests.support.doubles import SECOND_US, START_US, FakeClock
from tests.support.environments import environment_of
from tests.support.fault_provider import FaultyProvider
from tests.support.methods import methods_of

SECRET = "whsec_" + "fault-tests-0123456789"
PAGE_SECRET = b"page-token-" + b"secret-of-tests"
PEPPER = b"pepper-" + b"0123456789abcdef" * 2
ID = re.compile(r"[a-z]+_run\d{5}x\d{4}")
TAG = re.compile(r"run\d{5}x")
FROM_CHANCE = re.compile(r"999[A-HJ-NP-Z2-9]{5}|777[a-z2-7]{5,}")
"""Referral codes and ids of API keys, as `Chance` makes them."""
MARK = re.compile(rf'(?<={MARK_FIELD})\\?": \\?"[0-9a-f]+')


class Told(NamedTuple):
    """An answer, in words that are the same in every run that was given the same answer."""

    text: str
    replayed: bool


class TaggedIds:
    """Ids that say which run made them, in the order of their making."""

    def __init__(self):
        self.begin("run00000x")

    def begin(self, tag):
        self.tag = tag
        self._numbers = itertools.count(1)

    def __call__(self, prefix):
        return f"{prefix}_{self.tag}{next(self._numbers):04d}"

    def salt(self):
        return next(self._numbers).to_bytes(SALT_BYTES, "big")


class Chance:
    """Bytes that differ each time, are the same in every execution of a test, and begin so that what is made of them is
    known."""

    def __init__(self):
        self._numbers = itertools.count()

    def __call__(self, size):
        number = next(self._numbers).to_bytes(3, "big")
        return b"\xff\xff" + number + hashlib.sha256(number).digest()[: size - 5]


class _Context:
    def invocation_metadata(self):
        return ()

    def peer(self):
        return "ipv4:127.0.0.1:1"


def renamed(text):
    """Without what differs from run to run: ids are numbered in the order in which they appear."""
    seen = {}
    text = ID.sub(lambda match: seen.setdefault(match[0], f"{match[0].partition('_')[0]}#{len(seen)}"), text)
    # A mark may look like anything from chance.
    return FROM_CHANCE.sub("CHANCE", MARK.sub("MARK", TAG.sub("RUN", text)))


class FaultService:
    """Every method of the product, called in this process. Made anew whenever the store is opened anew; `lasting`
    stays."""

    def __init__(self, store, lasting):
        self.store = store
        self.ids, self.clock, self.provider = lasting.ids, lasting.clock, lasting.provider
        self.environment = environment_of(
            store,
            self.clock,
            self.ids,
            provider=self.provider,
            gathering=Gathering(64, 0),
            catalog=load_catalog(),
            terms=PurchaseTerms(
                CustomAmounts(), "https://shop.test/ok", "https://shop.test/no", 3_600 * SECOND_US, False, False
            ),
            referrals=ReferralPolicy(bonus_microcredits=500, minimum_purchase_minor=100, vesting_delay_us=0),
            webhook_secrets=(SECRET,),
            api_key_pepper=PEPPER,
            random_bytes=lasting.random_bytes,
        )
        self._edge = SimpleNamespace(admission=Admission(1_000), metrics=SimpleNamespace(refusals=Counter()))
        self.writer, self.balances = self.environment.writer, self.environment.balances
        self._methods = methods_of(services_of(self.environment, PAGE_SECRET))

    async def close(self):
        await self.writer.close()
        await self.balances.close()
        await self.store.close()

    async def answer(self, method, request):
        """A method's answer as a message."""
        call = Call(method, _Context())
        call.caller, call.edge, call.scopes = "tests", self._edge, frozenset(Scope)
        answer = await self._methods[method](request, call)
        if isinstance(answer, Message):
            return answer
        name = type(request).DESCRIPTOR.full_name.removesuffix("Request") + "Response"
        return _message(request, name).FromString(answer)

    async def tell(self, method, request):
        """A method's answer in comparable words."""
        return told(await self.answer(method, request))

    async def deliver(self, event_id, event_type, fields):
        """An event from Stripe, signed."""
        from prepaid.billing.v1.stripe_events_pb2 import ProcessStripeEventRequest

        body = {
            "id": event_id,
            "object": "event",
            "type": event_type,
            "created": START_US // SECOND_US,
            "livemode": False,
        }
        payload = json.dumps({**body, "data": {"object": fields}}).encode()
        moment = self.clock() // SECOND_US
        signature = hmac.new(SECRET.encode(), b"%d." % moment + payload, "sha256").hexdigest()
        request = ProcessStripeEventRequest(payload=payload, stripe_signature=f"t={moment},v1={signature}")
        return await self.answer("process_stripe_event", request)


def told(message):
    replayed = bool(getattr(message, "replayed", False))
    if "replayed" in message.DESCRIPTOR.fields_by_name:
        message.ClearField("replayed")
    if "server_time" in message.DESCRIPTOR.fields_by_name:
        message.ClearField("server_time")  # the time of its sending, which is no part of what was done
    if "secret" in message.DESCRIPTOR.fields_by_name:
        message.ClearField("secret")  # said once, by design
    return Told(renamed(text_format.MessageToString(message)), replayed)


def outcome_told(outcome):
    """What became of one deduction of a batch, as if it had come by itself: an answer in words, or the exception."""
    if outcome.HasField("deducted"):
        return told(outcome.deducted)
    info = error_details_pb2.ErrorInfo()
    assert outcome.refused.details[0].Unpack(info)
    if info.reason == "INTERNAL":
        return RuntimeError(info.reason)
    refused = Failure if outcome.refused.code == grpc.StatusCode.UNAVAILABLE.value[0] else Refusal
    return refused(Reason(info.reason), outcome.refused.message)


def _message(request, full_name):
    from google.protobuf import message_factory

    pool = type(request).DESCRIPTOR.file.pool
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))


class Lasting:
    """What a restart of the service does not touch: time, the sources of ids and random_bytes, and the payment
    provider."""

    def __init__(self, points):
        self.clock = FakeClock()
        self.ids = TaggedIds()
        self.random_bytes = Chance()
        self.provider = FaultyProvider(points, self.ids)
