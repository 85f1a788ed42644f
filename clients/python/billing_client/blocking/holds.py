"""Reserving credits, and charging what was used."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from prepaid.billing.v1.transactions_pb2 import (
    HOLD_MODE_REJECT,
    OVER_HOLD_REJECT,
    CaptureHoldRequest,
    CaptureHoldResponse,
    ExtendHoldRequest,
    ExtendHoldResponse,
    GetHoldRequest,
    GetHoldResponse,
    Hold,
    HoldCreditsRequest,
    HoldCreditsResponse,
    HoldMode,
    ListHoldsRequest,
    ListHoldsResponse,
    OverHold,
    ReleaseHoldRequest,
    ReleaseHoldResponse,
)
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.holds import check_cost, duration_of, still_held
from billing_client.idempotency import key_or_new
from billing_client.messages import message


class HoldMethods(Connection):
    def hold_credits(
        self,
        *,
        account_id: str,
        amount_microcredits: int | None = None,
        usage: Usage | None = None,
        mode: HoldMode.ValueType = HOLD_MODE_REJECT,
        minimum_microcredits: int = 0,
        ttl: timedelta | None = None,
        expiry_capture_microcredits: int = 0,
        description: str = "",
        metadata: Mapping[str, str] | None = None,
        spender_ids: Sequence[str] = (),
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> HoldCreditsResponse:
        """Reserve credits before a model call, so that nothing else spends them. The hold is on disk when this returns.

        `amount_microcredits`: 1 to 10^15; 1 credit is 1,000,000. Or `usage`: an estimate, whose price is reserved.
        `mode`: when less is available, REJECT refuses (the default), UP_TO_AVAILABLE reserves what is there, at least
        `minimum_microcredits` (0 means 1).
        `ttl`: how long the hold lives, 1 s to 24 h; None is 10 minutes.
        `expiry_capture_microcredits`: what is charged when that time is up; the rest is released then.
        `description`, `metadata`, `spender_ids`: as for `deduct_credits`.
        Raises InsufficientCredits (with the amounts), AccountNotFound, AccountFrozen, TooManyHolds; UnknownModel and
        PriceMissing of a usage. Raises HoldExpired
        where an earlier request of this key made the hold, and it has ended since: run nothing on it.

            held = client.hold_credits(account_id="user-1", amount_microcredits=500_000)
            print(held.hold.hold_id, held.balance.held_microcredits)
        """
        check_cost(amount_microcredits, usage)
        request = message(
            HoldCreditsRequest,
            account_id=account_id,
            amount_microcredits=amount_microcredits,  # type: ignore[arg-type]  # None leaves it out
            usage=usage,
            mode=mode,
            minimum_microcredits=minimum_microcredits,
            ttl=duration_of(ttl),
            expiry_capture_microcredits=expiry_capture_microcredits,
            description=description,
            metadata=metadata,
            spender_ids=spender_ids,
            idempotency_key=key_or_new(idempotency_key),
        )
        answer = self._call(self._billing.HoldCredits, request, timeout_s, headers)
        return still_held(answer, request.idempotency_key)

    def capture_hold(
        self,
        *,
        account_id: str,
        hold_id: str,
        amount_microcredits: int | None = None,
        usage: Usage | None = None,
        final: bool = True,
        over_hold: OverHold.ValueType = OVER_HOLD_REJECT,
        description: str = "",
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CaptureHoldResponse:
        """Charge what was used of a hold. A final capture gives back the rest. On disk when this returns.

        `hold_id`: `hold_…`, of this account.
        `amount_microcredits`: 0 to 10^15. 0 needs a final capture, and is a release. Or `usage`: what was used. It is
        priced by the card of the hold. Where no card has its price, all of the hold is charged.
        `final`: False leaves the hold open for more captures.
        `over_hold`: when more was used than is left, REJECT refuses (the default), UP_TO_HOLD charges what is left,
        FROM_AVAILABLE charges the rest to what is available, ALLOW_DEBT also records debt.
        `description`, `metadata`: as for `deduct_credits`.
        `idempotency_key`: one of the keys of `deduct_credits`: a usage is not charged by both.
        Raises HoldNotFound, HoldClosed, HoldExpired, InsufficientCredits, AccountNotFound, AccountFrozen (for what is
        above the hold).

            held = client.hold_credits(account_id="user-1", amount_microcredits=500_000)
            charged = client.capture_hold(
                account_id="user-1", hold_id=held.hold.hold_id, amount_microcredits=320_000
            )
            print(charged.captured_microcredits, charged.balance.available_microcredits)
        """
        check_cost(amount_microcredits, usage)
        request = message(
            CaptureHoldRequest,
            account_id=account_id,
            hold_id=hold_id,
            amount_microcredits=amount_microcredits,  # type: ignore[arg-type]  # None leaves it out
            usage=usage,
            final=final,
            over_hold=over_hold,
            description=description,
            metadata=metadata,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._billing.CaptureHold, request, timeout_s, headers)

    def release_hold(
        self,
        *,
        account_id: str,
        hold_id: str,
        description: str = "",
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ReleaseHoldResponse:
        """End a hold: what is left of it returns to the lots that it came from.

        `hold_id`: `hold_…`, of this account.
        `description`: for the history, at most 500 characters.
        Raises HoldNotFound, HoldClosed, HoldExpired, AccountNotFound.

            held = client.hold_credits(account_id="user-1", amount_microcredits=500_000)
            back = client.release_hold(account_id="user-1", hold_id=held.hold.hold_id)
            print(back.hold.released_microcredits)
        """
        request = message(
            ReleaseHoldRequest,
            account_id=account_id,
            hold_id=hold_id,
            description=description,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._billing.ReleaseHold, request, timeout_s, headers)

    def extend_hold(
        self,
        *,
        account_id: str,
        hold_id: str,
        additional_microcredits: int = 0,
        ttl: timedelta | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ExtendHoldResponse:
        """Let a hold reserve more, or live longer; one of the two is wanted.

        `hold_id`: `hold_…`, of this account.
        `additional_microcredits`: all of it is reserved, or none.
        `ttl`: from now, 1 s to 24 h. A hold never lives for less than before, nor beyond 24 h from its creation.
        Raises HoldNotFound, HoldClosed, HoldExpired, InsufficientCredits, AccountNotFound, AccountFrozen.

            held = client.hold_credits(account_id="user-1", amount_microcredits=500_000)
            longer = client.extend_hold(
                account_id="user-1", hold_id=held.hold.hold_id, ttl=timedelta(hours=1)
            )
            print(longer.hold.expire_time.ToDatetime())
        """
        request = message(
            ExtendHoldRequest,
            account_id=account_id,
            hold_id=hold_id,
            additional_microcredits=additional_microcredits,
            ttl=duration_of(ttl),
            idempotency_key=key_or_new(idempotency_key),
        )
        answer = self._call(self._billing.ExtendHold, request, timeout_s, headers)
        return still_held(answer, request.idempotency_key)

    def get_hold(
        self, *, account_id: str, hold_id: str, timeout_s: float | None = None, headers: Headers | None = None
    ) -> GetHoldResponse:
        """Read a hold as it is now.

        `hold_id`: `hold_…`, of this account.
        Raises AccountNotFound, HoldNotFound.

            held = client.hold_credits(account_id="user-1", amount_microcredits=500_000)
            read = client.get_hold(account_id="user-1", hold_id=held.hold.hold_id)
            print(read.hold.captured_microcredits)
        """
        request = message(GetHoldRequest, account_id=account_id, hold_id=hold_id)
        return self._call(self._billing.GetHold, request, timeout_s, headers)

    def list_holds(
        self,
        *,
        account_id: str,
        open_only: bool = False,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListHoldsResponse:
        """Read one page of an account's holds, newest first. See `iter_holds`, which reads all pages.

        `open_only`: only those that are open now.
        Raises AccountNotFound.

            page = client.list_holds(account_id="user-1", open_only=True)
            print([hold.hold_id for hold in page.holds])
        """
        request = message(
            ListHoldsRequest, account_id=account_id, open_only=open_only, page_size=page_size, page_token=page_token
        )
        return self._call(self._billing.ListHolds, request, timeout_s, headers)

    def iter_holds(
        self,
        *,
        account_id: str,
        open_only: bool = False,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[Hold]:
        """Read an account's holds, newest first, page by page as they are consumed; `timeout_s` is for each page.

        `open_only`: only those that are open now.
        Raises AccountNotFound.

            for hold in client.iter_holds(account_id="user-1"):
                print(hold.hold_id, hold.amount_microcredits)
        """
        page_token = ""
        while True:
            page = self.list_holds(
                account_id=account_id,
                open_only=open_only,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
                headers=headers,
            )
            yield from page.holds
            page_token = page.next_page_token
            if not page_token:
                return
