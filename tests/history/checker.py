"""Whether a concurrent history of accounts is linearizable, in O(n log n): versions say the order, so nothing is
searched.

Rules, lettered as violations report them; `after(v)` is the balance that the statement shows at version v:

    a   versions of an account are distinct and gapless, and each key has at most one
    b   after(v) = after(v-1) + delta(v), and an answer says what the statement says
    c   what was answered before another was invoked has the lower version
    d   a read is a real (version, balance), no older than what was answered before it and no newer than what was
        invoked after it
    e   a refusal for lack of funds was true at a version inside its window; what was not refused was covered
    f   an unknown outcome had its effect once, after its invocation, or never; a refused one never
    g   a replay is the original answer, and there is only one original
    h   what is held is what its holds have left, at every version that was seen; what is held is not available
    l   no charge passes the account's limit, and a refusal for want of room was true at a version inside its window
    bank  a snapshot of all accounts adds up, holds real pairs, and shows no debt where none is allowed

Moments are integers of one clock. Amounts are microcredits.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from types import MappingProxyType

from tests.history.holding import HoldsSeen
from tests.history.observations import FOREVER, BankRead, Operation, Posted, Violation


def check(
    operations: Iterable[Operation],
    statements: Mapping[str, Sequence[Posted]],
    bank: Sequence[BankRead] = (),
    *,
    may_owe: frozenset[str] = frozenset(),
    limits: Mapping[str, int] = MappingProxyType({}),
) -> list[Violation]:
    """Every violation found. `may_owe` names the accounts whose balance may be below zero, `limits` the most that
    accounts may spend and hold."""
    by_account: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        by_account[operation.account_id].append(operation)
    checks = {
        account_id: _AccountCheck(
            account_id,
            by_account[account_id],
            statements.get(account_id, ()),
            may_owe=account_id in may_owe,
            limit=limits.get(account_id),
        )
        for account_id in sorted(by_account.keys() | statements.keys())
    }
    found = [violation for account in checks.values() for violation in account.violations()]
    for read in bank:
        found.extend(_check_bank(read, checks))
    return found


def _check_bank(read: BankRead, checks: Mapping[str, "_AccountCheck"]) -> Iterator[Violation]:
    total = sum(balance for _, balance in read.accounts.values())
    if total != read.given:
        yield Violation(
            "bank",
            "*",
            f"balances add up to {total}, but the house gave out {read.given} net of what it took",
            read.invoked,
            read.answered,
        )
    for account_id, (version, balance) in read.accounts.items():
        one = Operation(-1, read.invoked, read.answered, account_id, version=version, balance=balance)
        if account_id in checks:
            for violation in checks[account_id].check_read(one):
                yield replace(violation, rule="bank")


@dataclass(slots=True)
class _Write:
    """One key's effect, and the window in which it must have happened."""

    key: str
    version: int
    invoked: int
    answered: int
    operation: Operation


@dataclass(slots=True)
class _Order:
    """Versions that were seen, by the moment of the answer and by the moment of the call."""

    answers: list[tuple[int, int]] = field(default_factory=list)
    calls: list[tuple[int, int]] = field(default_factory=list)
    _highest: list[int] = field(default_factory=list)
    _lowest: list[int] = field(default_factory=list)

    def close(self) -> None:
        self.answers.sort()
        self.calls.sort()
        self._highest = list(accumulate((version for _, version in self.answers), max))
        self._lowest = list(accumulate((version for _, version in reversed(self.calls)), min))

    def floor(self, moment: int) -> int:
        """The highest version that was answered before the moment."""
        seen = bisect_left(self.answers, (moment, 0))
        return self._highest[seen - 1] if seen else 0

    def ceiling(self, moment: int, newest: int) -> int:
        """The highest version that may exist at the moment: below every write invoked later."""
        later = len(self.calls) - bisect_right(self.calls, (moment, FOREVER))
        return self._lowest[later - 1] - 1 if later else newest


class _AccountCheck:
    def __init__(
        self,
        account_id: str,
        operations: Sequence[Operation],
        statement: Sequence[Posted],
        *,
        may_owe: bool,
        limit: int | None = None,
    ) -> None:
        self._account_id = account_id
        self._operations = sorted(operations, key=lambda operation: operation.invoked)
        self._posted = sorted(statement, key=lambda posted: posted.version)
        self._may_owe = may_owe
        self._newest = self._posted[-1].version if self._posted else 0
        self._after = {0: 0} | {posted.version: posted.balance for posted in self._posted}
        self._holding = HoldsSeen(self._posted, self._operations, limit)
        self._by_key = {posted.key: posted for posted in self._posted if posted.key}
        self._versions_with: dict[int, list[int]] = defaultdict(list)
        for version, balance in self._after.items():
            self._versions_with[max(balance - self._holding.held[version], 0)].append(version)
        self._calls: dict[str, list[Operation]] = defaultdict(list)
        for operation in self._operations:
            if operation.key:
                self._calls[operation.key].append(operation)
        self._writes = [
            write for key, calls in self._calls.items() if (write := self._write_of(key, calls)) is not None
        ]
        # An answer that contradicts the statement is reported as such, and proves nothing about the order.
        self._order = _Order(
            [(write.answered, write.version) for write in self._writes],
            [(write.invoked, write.version) for write in self._writes],
        )
        self._order.close()
        self._seen = _Order(
            [
                *self._order.answers,
                *((one.answered, one.version) for one in self._operations if not one.key and one.answered is not None),
            ]
        )
        self._seen.close()

    def _write_of(self, key: str, calls: Sequence[Operation]) -> _Write | None:
        """The effect of a key. A fresh answer bounds it on both sides; else it came after the first call and before any
        answer."""
        posted = self._by_key.get(key)
        if posted is None:
            return None
        answers = [call for call in calls if call.answered is not None and not call.refused]
        fresh = [call for call in answers if not call.replayed]
        if fresh:
            first = fresh[0]
            assert first.answered is not None
            ended = min(call.answered for call in answers if call.answered is not None)
            return _Write(key, posted.version, first.invoked, min(first.answered, ended), first)
        ended = min((call.answered for call in answers if call.answered is not None), default=FOREVER)
        return _Write(key, posted.version, calls[0].invoked, ended, answers[0] if answers else calls[0])

    def violations(self) -> Iterator[Violation]:
        yield from self._check_statement()
        for key, calls in self._calls.items():
            yield from self._check_answers(key, calls)
        yield from self._check_order()
        for words, about in self._holding.problems():
            yield self._say(*words, *about)
        for operation in self._operations:
            if operation.answered is None:
                continue
            if operation.room is not None:
                yield from self._check_room(operation, operation.answered, operation.room)
            if not operation.key:
                yield from self.check_read(operation)
            elif operation.refused and operation.available is not None:
                yield from self._check_refusal(operation, operation.answered, operation.available)

    def _say(self, rule: str, words: str, *about: Operation) -> Violation:
        moments = [moment for one in about for moment in (one.invoked, one.answered) if moment is not None]
        return Violation(rule, self._account_id, words, min(moments, default=0), max(moments, default=0))

    def _check_statement(self) -> Iterator[Violation]:
        versions = [posted.version for posted in self._posted]
        previous = 0
        for version in versions:
            if version == previous:
                yield self._say("a", f"version {version} exists twice")
            elif version != previous + 1:
                yield self._say("a", f"version {previous + 1} is missing: {previous} is followed by {version}")
            previous = version
        keys: dict[str, Posted] = {}
        for before, posted in zip([Posted(0, "", 0, 0), *self._posted], self._posted, strict=False):
            if before.version + 1 == posted.version and before.balance + posted.delta != posted.balance:
                moves = f"version {posted.version} moves {posted.delta:+} from {before.balance}"
                words = f"{moves}, and yet leaves {posted.balance}: an update was lost"
                yield self._say("b", words, *self._calls.get(posted.key, ()))
            if posted.balance < 0 and not self._may_owe:
                yield self._say(
                    "e", f"version {posted.version} is overdrawn: {posted.balance}", *self._calls.get(posted.key, ())
                )
            if posted.key and posted.key in keys:
                words = (
                    f"key {posted.key!r} was applied twice: versions {keys[posted.key].version} and {posted.version}"
                )
                yield self._say("f", words, *self._calls.get(posted.key, ()))
            keys[posted.key] = posted

    def _check_answers(self, key: str, calls: Sequence[Operation]) -> Iterator[Violation]:
        posted = self._by_key.get(key)
        answers = [call for call in calls if call.answered is not None and not call.refused]
        fresh = [call for call in answers if not call.replayed]
        if len(fresh) > 1:
            yield self._say("g", f"key {key!r} has {len(fresh)} original answers: {fresh[0]}; {fresh[1]}", *fresh[:2])
        for answer in answers[1:]:
            if answer.reply != answers[0].reply:
                yield self._say("g", f"two answers to one key differ: {answers[0]}; {answer}", answers[0], answer)
        if posted is None:
            yield from (
                self._say("f", f"{answer}, yet the statement has no such key", answer) for answer in answers[:1]
            )
            return
        for answer in answers:
            if (answer.version, answer.delta, answer.balance) != (posted.version, posted.delta, posted.balance):
                words = f"{answer}; the statement says version {posted.version}: {posted.delta:+} to {posted.balance}"
                yield self._say("b", words, answer)
            before = self._after.get(posted.version - 1)
            if before is not None:
                before -= self._holding.held[posted.version - 1]
            if answer.required and before is not None and before < answer.required:
                yield self._say(
                    "e", f"{answer}, although {answer.required} were required and {before} were there", answer
                )
        if all(call.refused for call in calls):
            yield self._say("f", f"{calls[0]}, yet the statement has it as version {posted.version}", *calls)

    def _check_order(self) -> Iterator[Violation]:
        latest = -1
        for write in sorted(self._writes, key=lambda each: each.version):
            if latest > write.answered:
                yield self._inverted(write)
            latest = max(latest, write.invoked)

    def _inverted(self, high: _Write) -> Violation:
        """The nearest operation that was invoked after `high` was answered, and yet has a lower version."""
        lower = [write for write in self._writes if write.version < high.version and write.invoked > high.answered]
        low = min(lower, key=lambda each: each.invoked)
        words = f"{high.operation} was answered before {low.operation} was invoked, and yet has the higher version"
        return Violation("c", self._account_id, words, high.answered, low.invoked)

    def check_read(self, read: Operation) -> Iterator[Violation]:
        """Rule d; also for one account of a snapshot."""
        assert read.answered is not None
        if self._after.get(read.version) != read.balance:
            real = self._after.get(read.version)
            yield self._say("d", f"{read}; " + ("there is no such version" if real is None else f"it was {real}"), read)
            return
        floor, ceiling = self._seen.floor(read.invoked), self._order.ceiling(read.answered, self._newest)
        if read.version < floor:
            yield self._say("d", f"{read} is stale: version {floor} had been seen before it was invoked", read)
        elif read.version > ceiling:
            yield self._say("d", f"{read} is from the future: version {ceiling + 1} was invoked after its answer", read)
        if read.balance < 0 and not self._may_owe:
            yield self._say("d", f"{read}: an account that may not owe shows less than nothing", read)

    def _check_room(self, refusal: Operation, answered: int, room: int) -> Iterator[Violation]:
        floor, ceiling = self._seen.floor(refusal.invoked), self._order.ceiling(answered, self._newest)
        if room not in {self._holding.room(version) for version in range(floor, ceiling + 1)}:
            yield self._say("l", f"{refusal}, and that was true at no version from {floor} to {ceiling}", refusal)

    def _check_refusal(self, refusal: Operation, answered: int, available: int) -> Iterator[Violation]:
        floor, ceiling = self._seen.floor(refusal.invoked), self._order.ceiling(answered, self._newest)
        where = self._versions_with.get(available, [])
        nearest = bisect_left(where, floor)
        if nearest == len(where) or where[nearest] > ceiling:
            yield self._say("e", f"{refusal}, and that was true at no version from {floor} to {ceiling}", refusal)
        if refusal.required <= available:
            yield self._say("e", f"{refusal}: what was there would have been enough", refusal)
