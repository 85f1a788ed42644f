"""Metadata as Stripe takes it: ours, and as much of the caller's as there is room for."""

from collections.abc import Mapping
from typing import Final

PAIRS_MAX: Final = 50
NAME_CHARACTERS_MAX: Final = 40
VALUE_CHARACTERS_MAX: Final = 500


def with_callers(ours: Mapping[str, str], callers: Mapping[str, str]) -> dict[str, str]:
    """Ours whole, then the caller's pairs in order of their names, up to Stripe's limits. A name of ours is never the
    caller's.

    What Stripe would refuse stays behind, so that no call is refused on its account. The same two maps give the same
    answer in any order.
    """
    room = PAIRS_MAX - len(ours)
    fitting = [name for name in sorted(callers) if name not in ours and _is_taken(name, callers[name])]
    return {**{name: callers[name] for name in fitting[:room]}, **ours}


def _is_taken(name: str, value: str) -> bool:
    """Brackets would be read as another structure; an empty value means to Stripe that the pair is to go."""
    return (
        0 < len(name) <= NAME_CHARACTERS_MAX and not {"[", "]"} & set(name) and 0 < len(value) <= VALUE_CHARACTERS_MAX
    )
