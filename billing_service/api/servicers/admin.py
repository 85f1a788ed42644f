"""AdminService, accounts and events."""

from prepaid.billing.v1 import admin_pb2, transactions_pb2

from billing_service.api import translate, validation
from billing_service.api.page_tokens import decode_page_token, encode_page_token
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies, request_of
from billing_service.api.servicers.stripe_events import OUTCOMES
from billing_service.commands.access.read import EVENTS_NEWEST, kept_events
from billing_service.commands.accounts.operate import (
    AdjustCredits,
    GrantCredits,
    SetLimits,
    adjust_credits,
    grant_credits,
    set_limits,
)
from billing_service.commands.accounts.read import all_accounts
from billing_service.commands.environment import Environment
from billing_service.domain.accounts.profiles import StoredAccount
from billing_service.domain.inbox import EventStatus, InboxEvent
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.entries import Transaction
from billing_service.domain.ledger.lots import PRIORITY_DEFAULT, PRIORITY_MAX, Category
from billing_service.domain.refusals import invalid_field
from billing_service.integrity.verify import verify_ledger
from billing_service.integrity.verify_parts import START, Part, Place, verify_part
from billing_service.stripe_events.inbox import Outcome, ReplayEvent, replay_event

PART_TRANSACTIONS_MAX = 1_000_000
"""Of one part of a verification: more would not fit into any call."""
_STATUSES = {name.removeprefix("STRIPE_EVENT_STATUS_"): number for name, number in admin_pb2.StripeEventStatus.items()}
_STATUS_WORDS: dict[int, str] = {number: "" if number == 0 else word for word, number in _STATUSES.items()}
_CATEGORIES = frozenset(transactions_pb2.CreditCategory.values())
_granted = Replies(admin_pb2.GrantCreditsResponse)
_adjusted = Replies(admin_pb2.AdjustCreditsResponse)
_frozen = Replies(admin_pb2.FreezeAccountResponse)
_limited = Replies(admin_pb2.SetOverdraftLimitResponse)
_event_replayed = Replies(admin_pb2.ReplayStripeEventResponse)


def reason_of(text: str) -> str:
    if not text.strip():
        raise invalid_field("reason", "is required")
    return validation.text("reason", text)


def _encode_grant(transaction: Transaction, lot_id: str, shown: Balance) -> bytes:
    return admin_pb2.GrantCreditsResponse(
        transaction_id=transaction.transaction_id, lot_id=lot_id, balance=translate.balance(shown)
    ).SerializeToString()


def _encode_adjustment(transaction: Transaction, shown: Balance) -> bytes:
    return admin_pb2.AdjustCreditsResponse(
        transaction_id=transaction.transaction_id, balance=translate.balance(shown)
    ).SerializeToString()


def _encode_frozen(row: StoredAccount) -> bytes:
    return admin_pb2.FreezeAccountResponse(account=translate.account(row)).SerializeToString()


def _encode_limited(row: StoredAccount) -> bytes:
    return admin_pb2.SetOverdraftLimitResponse(account=translate.account(row)).SerializeToString()


def _event(kept: InboxEvent) -> admin_pb2.StripeEvent:
    return admin_pb2.StripeEvent(
        event_id=kept.event_id,
        event_type=kept.event_type,
        status=_STATUSES[kept.status.value],
        receive_time=translate.timestamp(kept.receive_time_us),
        process_time=translate.timestamp(kept.process_time_us),
        attempt_count=kept.attempt_count,
        error=kept.error,
        payload=kept.payload,
    )


def _encode_event(kept: InboxEvent, outcome: Outcome) -> bytes:
    return admin_pb2.ReplayStripeEventResponse(event=_event(kept), outcome=OUTCOMES[outcome]).SerializeToString()


def _verified(part: Part) -> admin_pb2.VerifyLedgerResponse:
    report = part.report
    return admin_pb2.VerifyLedgerResponse(
        account_count=report.accounts,
        transaction_count=report.transactions,
        entry_count=report.entries,
        erased_count=report.erased,
        differences=[
            admin_pb2.LedgerDifference(account_id=d.account_id, subject=d.subject, expected=d.expected, stored=d.stored)
            for d in report.differences
        ],
        transaction_total=part.transaction_total,
    )


class Administration:
    """Methods of AdminService."""

    def __init__(self, environment: Environment, page_token_secret: bytes) -> None:
        self._environment = environment
        self._page_token_secret = page_token_secret

    async def grant_credits(self, request: admin_pb2.GrantCreditsRequest, call: Call) -> bytes:
        account_id = validation.account_id(request.account_id)
        amount = validation.amount_microcredits(request.amount_microcredits)
        category = Category(validation.known_value("category", request.category, _CATEGORIES) or Category.PROMOTIONAL)
        expires = (
            validation.timestamp_us("expire_time", request.expire_time) if request.HasField("expire_time") else None
        )
        effective = (
            validation.timestamp_us("effective_time", request.effective_time)
            if request.HasField("effective_time")
            else None
        )
        priority = request.priority if request.HasField("priority") else PRIORITY_DEFAULT
        if not 0 <= priority <= PRIORITY_MAX:
            raise invalid_field("priority", f"must be from 0 to {PRIORITY_MAX}")
        reason = reason_of(request.reason)
        meaning = (amount, category.value, expires, effective, priority, reason)
        keyed = request_of(call, account_id, request.idempotency_key, *meaning)
        command = GrantCredits(keyed, account_id, amount, category, expires, effective, priority, reason, _encode_grant)
        return _granted(await grant_credits(self._environment, command))

    async def adjust_credits(self, request: admin_pb2.AdjustCreditsRequest, call: Call) -> bytes:
        account_id = validation.account_id(request.account_id)
        amount = request.amount_microcredits
        if not 0 < abs(amount) <= AMOUNT_MAX:
            raise invalid_field("amount_microcredits", f"must be from 1 to {AMOUNT_MAX}, or its negative")
        reason = reason_of(request.reason)
        keyed = request_of(call, account_id, request.idempotency_key, amount, reason)
        return _adjusted(
            await adjust_credits(
                self._environment, AdjustCredits(keyed, account_id, amount, reason, _encode_adjustment)
            )
        )

    async def freeze_account(self, request: admin_pb2.FreezeAccountRequest, call: Call) -> bytes:
        account_id, reason = validation.account_id(request.account_id), reason_of(request.reason)
        keyed = request_of(call, account_id, request.idempotency_key, request.frozen, reason)
        command = SetLimits(keyed, account_id, request.frozen, None, None, reason, _encode_frozen)
        return _frozen(await set_limits(self._environment, command))

    async def set_overdraft_limit(self, request: admin_pb2.SetOverdraftLimitRequest, call: Call) -> bytes:
        account_id, reason = validation.account_id(request.account_id), reason_of(request.reason)
        limit = request.overdraft_limit_microcredits
        if not 0 <= limit <= AMOUNT_MAX:
            raise invalid_field("overdraft_limit_microcredits", f"must be from 0 to {AMOUNT_MAX}")
        debt_max = request.debt_max_microcredits if request.HasField("debt_max_microcredits") else None
        if debt_max is not None and not -1 <= debt_max <= AMOUNT_MAX:
            raise invalid_field("debt_max_microcredits", f"must be from 0 to {AMOUNT_MAX}, or -1")
        # Without it, the request means what it meant before there was the field.
        meaning = (limit, reason) if debt_max is None else (limit, reason, debt_max)
        keyed = request_of(call, account_id, request.idempotency_key, *meaning)
        command = SetLimits(keyed, account_id, None, limit, debt_max, reason, _encode_limited)
        return _limited(await set_limits(self._environment, command))

    async def list_accounts(self, request: admin_pb2.ListAccountsRequest, call: Call) -> admin_pb2.ListAccountsResponse:
        del call
        size, secret = validation.page_size(request.page_size), self._page_token_secret
        # Account ids are the callers' own and may be any Unicode; a token's position is ASCII.
        after = (
            bytes.fromhex(decode_page_token(secret, request.page_token, ("accounts",))).decode()
            if request.page_token
            else ""
        )
        rows, last = await all_accounts(self._environment, after, size)
        return admin_pb2.ListAccountsResponse(
            accounts=[translate.account(row) for row in rows],
            next_page_token=encode_page_token(secret, last.encode().hex(), ("accounts",)) if last else "",
        )

    async def list_stripe_events(
        self, request: admin_pb2.ListStripeEventsRequest, call: Call
    ) -> admin_pb2.ListStripeEventsResponse:
        del call
        status = _STATUS_WORDS[validation.known_value("status", request.status, frozenset(_STATUS_WORDS))]
        size, binding, secret = validation.page_size(request.page_size), ("events", status), self._page_token_secret
        before = EVENTS_NEWEST
        if request.page_token:
            moment, _, event_id = decode_page_token(secret, request.page_token, binding).partition(" ")
            before = (int(moment), event_id)
        page, last = await kept_events(
            self._environment,
            EventStatus(status) if status else None,
            before,
            size,
            with_payload=request.include_payload,
        )
        return admin_pb2.ListStripeEventsResponse(
            events=[_event(kept) for kept in page],
            next_page_token=encode_page_token(secret, f"{last[0]} {last[1]}", binding) if last else "",
        )

    async def replay_stripe_event(self, request: admin_pb2.ReplayStripeEventRequest, call: Call) -> bytes:
        event_id = validation.identifier("event_id", request.event_id)
        keyed = request_of(call, "", request.idempotency_key, event_id)
        return _event_replayed(
            await replay_event(self._environment, ReplayEvent(keyed, event_id, _encode_event, call.note))
        )

    async def verify_ledger(self, request: admin_pb2.VerifyLedgerRequest, call: Call) -> admin_pb2.VerifyLedgerResponse:
        del call
        store, account_id = (
            self._environment.store,
            validation.account_id(request.account_id) if request.account_id else "",
        )
        if request.page_size < 0:
            raise invalid_field("page_size", "must not be negative")
        binding, secret, place = ("verification", account_id), self._page_token_secret, START
        if request.page_token:
            what, _, after = decode_page_token(secret, request.page_token, binding).partition(" ")
            place = Place(what, bytes.fromhex(after).decode())
        if account_id or not (request.page_size or request.page_token):
            return _verified(Part(await verify_ledger(store, account_id), 0, None))
        part = await verify_part(store, place, min(request.page_size or PART_TRANSACTIONS_MAX, PART_TRANSACTIONS_MAX))
        found = _verified(part)
        if part.next is not None:
            found.next_page_token = encode_page_token(
                secret, f"{part.next.what} {part.next.after.encode().hex()}", binding
            )
        return found
