"""What a sabotage is, and how it is done to a tree."""

from pathlib import Path
from typing import NamedTuple


class StaleSabotageError(Exception):
    """The text to replace is not in its file exactly once: the code has moved on, and the sabotage must follow."""


class Sabotage(NamedTuple):
    """One defect, put in on purpose. At least one of `tests` must fail with it; all of them pass without it."""

    name: str
    promise: str
    """The promise that it breaks."""
    path: str
    text: str
    """In its file exactly once."""
    replacement: str
    tests: tuple[str, ...]
    """Node ids under tests/, whole parametrisations or single cases."""

    def sabotaged(self, root: Path) -> str:
        """The file's text with the defect in it. Raises StaleSabotageError."""
        source = (root / self.path).read_text(encoding="utf-8")
        found = source.count(self.text)
        if found != 1:
            raise StaleSabotageError(f"{self.name}: the text is {found} times in {self.path}")
        return source.replace(self.text, self.replacement)
