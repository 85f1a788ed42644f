"""What an account held at each version, and what its limit had room for: from the answers that say what each hold has
left."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.history.observations import Operation, Posted

_Problem = tuple[tuple[str, str], list[Operation]]


class HoldsSeen:
    """Of one account. `held` is by version."""

    def __init__(self, posted: Sequence[Posted], operations: Sequence[Operation], limit: int | None) -> None:
        self._limit = limit
        self._operations = operations
        by_hold: dict[str, dict[int, Operation]] = defaultdict(dict)
        self._spending: dict[int, Operation] = {}
        for operation in operations:
            if operation.answered is None or operation.refused or not operation.key:
                continue
            if operation.hold_id:
                by_hold[operation.hold_id][operation.version] = operation
            if operation.spends:
                self._spending[operation.version] = operation
        moved: dict[int, int] = {}
        for changes in by_hold.values():
            in_order = [0, *sorted(changes)]
            for before, version in pairwise(in_order):
                moved[version] = changes[version].hold_left - (changes[before].hold_left if before else 0)
        self.held, self._used = {0: 0}, {0: 0}
        held = spent = 0
        for line in posted:
            held += moved.get(line.version, 0)
            spent -= line.delta if line.version in self._spending else 0
            self.held[line.version], self._used[line.version] = held, spent + held

    def room(self, version: int) -> int | None:
        """What the limit lets through after a version."""
        return None if self._limit is None else max(self._limit - self._used.get(version, 0), 0)

    def problems(self) -> Iterator[_Problem]:
        """(rule, words) and what it is about."""
        for operation in self._operations:
            if operation.held is not None and operation.held != self.held.get(operation.version):
                words = f"{operation} shows {operation.held} held, holds had {self.held.get(operation.version)} left"
                yield ("h", words), [operation]
        for version, operation in self._spending.items():
            if self._limit is not None and self._used[version] > self._limit and operation.delta <= 0:
                yield ("l", f"{operation} brought what was used to {self._used[version]}"), [operation]
        for version, held in self.held.items():
            if held < 0:
                yield ("h", f"{held} are held at version {version}"), []
