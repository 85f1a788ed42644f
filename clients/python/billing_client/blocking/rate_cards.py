"""What usage costs: versions of the rate card."""

from collections.abc import Iterator
from datetime import datetime

from prepaid.billing.v1.rate_cards_pb2 import (
    CreateRateCardVersionRequest,
    CreateRateCardVersionResponse,
    GetRateCardRequest,
    GetRateCardResponse,
    ListRateCardsRequest,
    ListRateCardsResponse,
    RateCard,
)
from prepaid.billing.v1.rerating_pb2 import ReRateRequest, ReRateResponse

from billing_client.blocking.connection import Connection
from billing_client.headers import Headers
from billing_client.idempotency import key_or_new
from billing_client.messages import message
from billing_client.timestamps import timestamp_of


class RateCardMethods(Connection):
    def create_rate_card_version(
        self,
        *,
        card_file: bytes,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> CreateRateCardVersionResponse:
        """Store a rate card as a new version, which never changes. It prices usage from its `in_force_time` on: its own
        effective time, at the earliest 10 seconds from now.

        `card_file`: JSON in UTF-8, as it is or compressed by gzip; at most 1 MiB, and 16 MiB as JSON. Raises
        RateCardExists for a version that is there. Raises InvalidField for a card with faults: `violations` names the
        place of each, at most 10 of them.

            made = client.create_rate_card_version(card_file=card_file)
            print(made.rate_card.version, made.rate_card.in_force_time.ToDatetime())
        """
        request = message(
            CreateRateCardVersionRequest, card_file=card_file, idempotency_key=key_or_new(idempotency_key)
        )
        return self._call(self._admin.CreateRateCardVersion, request, timeout_s, headers)

    def list_rate_cards(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ListRateCardsResponse:
        """Read one page of the rate cards without their prices, newest first. See `iter_rate_cards`, which reads all
        pages. `version_in_force` is the one that prices usage now.

            page = client.list_rate_cards(page_size=10)
            print([card.version for card in page.rate_cards], page.version_in_force)
        """
        request = message(ListRateCardsRequest, page_size=page_size, page_token=page_token)
        return self._call(self._admin.ListRateCards, request, timeout_s, headers)

    def iter_rate_cards(
        self,
        *,
        page_size: int = 0,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[RateCard]:
        """Read all rate cards without their prices, newest first, page by page as consumed; `timeout_s` is for each
        page.

        Replaced cards, and cards that are not in force yet, are among them.

            for card in client.iter_rate_cards():
                print(card.version, card.source, card.entry_count)
        """
        page_token = ""
        while True:
            page = self.list_rate_cards(
                page_size=page_size, page_token=page_token, timeout_s=timeout_s, headers=headers
            )
            yield from page.rate_cards
            page_token = page.next_page_token
            if not page_token:
                return

    def get_rate_card(
        self,
        *,
        version: str = "",
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> GetRateCardResponse:
        """Read a rate card with its prices. `card_file_gzip` is its JSON, compressed by gzip.

        `version`: empty for the one that prices usage now.
        Raises RateCardNotFound.

            found = client.get_rate_card()
            print(found.rate_card.version, len(gzip.decompress(found.card_file_gzip)))
        """
        request = message(GetRateCardRequest, version=version)
        return self._call(self._admin.GetRateCard, request, timeout_s, headers)

    def re_rate(
        self,
        *,
        to_rate_card_version: str,
        start_time: datetime,
        end_time: datetime,
        from_rate_card_version: str = "",
        dry_run: bool = True,
        reason: str = "",
        page_size: int = 0,
        page_token: str = "",
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> ReRateResponse:
        """Read what the priced usage of a past window costs by another version of the rate card: one part of it. See
        `iter_re_rating`, which reads all parts. Nothing is changed unless `dry_run` is False.

        `to_rate_card_version`: the version to price by; it need not be in force.
        `start_time`, `end_time`: of the charges, the second excluded; at most 92 days, with their zones.
        `from_rate_card_version`: only what that version priced; empty: everything.
        `dry_run`: False corrects each charge, once for each version. `end_time` is then at least 20 minutes ago.
        `reason`: for history and audit log, 1 to 500 characters, where charges are corrected.
        Raises RateCardNotFound, ValueError for a time without a zone.

            now, week = datetime.now(UTC), timedelta(days=7)
            found = client.get_rate_card()
            part = client.re_rate(
                to_rate_card_version=found.rate_card.version, start_time=now - week, end_time=now
            )
            print(sum(model.totals.difference_microcredits for model in part.models))
        """
        request = message(
            ReRateRequest,
            from_rate_card_version=from_rate_card_version,
            to_rate_card_version=to_rate_card_version,
            start_time=timestamp_of(start_time),
            end_time=timestamp_of(end_time),
            page_size=page_size,
            page_token=page_token,
            dry_run=dry_run,
            reason=reason,
            idempotency_key=key_or_new(idempotency_key),
        )
        return self._call(self._admin.ReRate, request, timeout_s, headers)

    def iter_re_rating(
        self,
        *,
        to_rate_card_version: str,
        start_time: datetime,
        end_time: datetime,
        from_rate_card_version: str = "",
        dry_run: bool = True,
        reason: str = "",
        page_size: int = 0,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        headers: Headers | None = None,
    ) -> Iterator[ReRateResponse]:
        """Read a re-rating part by part; `timeout_s` is for each part. Add up their sums: they are exact. An account
        may be in several parts.

        `to_rate_card_version`, `start_time`, `end_time`, `from_rate_card_version`, `dry_run`, `reason`: as `re_rate`
        takes them.
        Raises RateCardNotFound, ValueError for a time without a zone. Each part has a key of its own, made of
        `idempotency_key`: the same key again goes through the same parts.

            since = datetime.now(UTC) - timedelta(days=7)
            found = client.get_rate_card()
            difference = 0
            for part in client.iter_re_rating(
                to_rate_card_version=found.rate_card.version, start_time=since, end_time=datetime.now(UTC)
            ):
                difference += sum(model.totals.difference_microcredits for model in part.models)
            print(difference)
        """
        key, number, page_token = key_or_new(idempotency_key), 0, ""
        while True:
            page = self.re_rate(
                to_rate_card_version=to_rate_card_version,
                start_time=start_time,
                end_time=end_time,
                from_rate_card_version=from_rate_card_version,
                dry_run=dry_run,
                reason=reason,
                page_size=page_size,
                page_token=page_token,
                idempotency_key=f"{key}.{number}",
                timeout_s=timeout_s,
                headers=headers,
            )
            yield page
            page_token, number = page.next_page_token, number + 1
            if not page_token:
                return
