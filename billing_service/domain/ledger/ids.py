"""Where ids and salts come from."""

from typing import Protocol


class Ids(Protocol):
    """Where ids come from, time-ordered and unguessable, and the salts of texts. Injected."""

    def __call__(self, prefix: str) -> str: ...

    def salt(self) -> bytes:
        """SALT_BYTES random bytes."""
        ...
