"""Which of several addresses a call goes to: an account's calls go to one of them, as long as it is there.

The service answers right at every address. But what one process has in memory of an account is of use only as long as
the others leave the account alone.
"""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from billing_client.addresses import addresses_of, name_and_port

REFRESH_S: Final = 0.5
"""Age after which a name is looked up again, while calls are made."""
DOWN_S: Final = 0.5
"""How long an address that could not be used is left alone at first; then one call tries it."""
DOWN_MAX_S: Final = 8.0
PROBE_S: Final = 1.0
"""The longest that a call waits for a connection to one of several addresses."""
RANKED_MAX: Final = 16_384


def resolve(name: str, port: str) -> tuple[str, ...]:
    """All addresses of a name, in gRPC's words: IPv4 ones, or IPv6 ones where it has no others. OSError when nobody
    knows it."""
    found = socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
    numbers = {
        family: sorted({str(each[4][0]) for each in found if each[0] is family}) for family in socket.AddressFamily
    }
    return tuple(f"ipv4:{number}:{port}" for number in numbers[socket.AF_INET]) or tuple(
        f"ipv6:[{number}]:{port}" for number in numbers[socket.AF_INET6]
    )


def patience_s(remaining_s: float) -> float:
    """How long a call waits for one of several addresses, whose time is this."""
    return min(remaining_s / 2, PROBE_S)


class Named:
    """In the place of a service's stubs where a call is yet to be given its address: its methods are their names."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, name: str) -> tuple[str, str]:
        return self._service, name


class Addresses:
    """The addresses that a target has now. A list has always the same; those of a name are looked up again and again,
    in a thread, while they are asked for."""

    def __init__(self, target: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.authority, self._name = "", name_and_port(target)
        self._monotonic = monotonic
        self._known = addresses_of(target)
        self._looked_up_s = float("-inf")
        self._lock = threading.Lock()
        if self._name is not None:
            self.authority = ":".join(self._name)

    def now(self) -> tuple[str, ...]:
        """At least one. Until the first look-up has ended it is the target itself, in which gRPC finds one."""
        if (
            self._name is not None
            and self._monotonic() - self._looked_up_s > REFRESH_S
            and self._lock.acquire(blocking=False)
        ):
            self._looked_up_s = self._monotonic()
            threading.Thread(target=self._look_up, args=self._name, name="billing-addresses", daemon=True).start()
        return self._known

    def _look_up(self, name: str, port: str) -> None:
        try:
            self._known = resolve(name, port) or self._known
        except OSError:
            pass  # what was known is as good as anything
        finally:
            self._lock.release()


class Routes:
    """Chooses addresses. Safe to share among threads and event loops."""

    def __init__(
        self, addresses: Callable[[], tuple[str, ...]], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._addresses = addresses
        self._monotonic = monotonic
        self._down: dict[str, tuple[float, float]] = {}
        """Until when an address is left alone, and for how long that is."""
        self._turns = itertools.count()

    def choose(self, account_id: str, tried: Collection[str] = ()) -> str:
        """The address for a call of an account, or of none: of those that this call has not tried, the first one in the
        account's order that is not down. One that is down if there is no other."""
        ranked = self._ranked(account_id)
        left = [address for address in ranked if address not in tried] or ranked
        if not self._down:
            return left[0]
        now = self._monotonic()
        for address in left:
            until, pause_s = self._down.get(address, (now, 0.0))
            if until <= now:
                if pause_s:
                    self._down[address] = now + PROBE_S, pause_s  # this call finds out; others go elsewhere meanwhile
                return address
        return left[0]

    def goes_on(self, address: str, tried: set[str]) -> bool:
        """Takes an address for lost. Whether there is another one that the call has not tried; else all may be tried
        once more."""
        self.lost(address)
        tried.add(address)
        if any(other not in tried for other in self._addresses()):
            return True
        tried.clear()
        return False

    def lost(self, address: str) -> None:
        """A call could not be made there."""
        _, before_s = self._down.get(address, (0.0, 0.0))
        pause_s = min(2 * before_s, DOWN_MAX_S) if before_s else DOWN_S
        self._down[address] = self._monotonic() + pause_s, pause_s

    def answered(self, address: str) -> None:
        """A call got an answer there."""
        if self._down:
            self._down.pop(address, None)

    def without_gone(self, known: Collection[str]) -> list[str]:
        """The addresses of these that the target no longer has."""
        return [address for address in known if address not in self._addresses()]

    def split(self, accounts: Mapping[int, str]) -> list[list[int]]:
        """Positions, grouped by the address of their accounts, each group in order."""
        groups: dict[Hashable, list[int]] = {}
        for position, account_id in accounts.items():
            groups.setdefault(self.choose(account_id), []).append(position)
        return list(groups.values())

    def _ranked(self, account_id: str) -> Sequence[str]:
        addresses = self._addresses()
        if account_id:
            return ranked(addresses, account_id)
        turn = next(self._turns) % len(addresses)
        return addresses[turn:] + addresses[:turn]


@lru_cache(RANKED_MAX)
def ranked(addresses: tuple[str, ...], account_id: str) -> tuple[str, ...]:
    """The addresses in an account's order (rendezvous hashing): where one comes or goes, only its own accounts move."""
    return tuple(
        sorted(addresses, key=lambda address: blake2b(f"{address} {account_id}".encode(), digest_size=8).digest())
    )
