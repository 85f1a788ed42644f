"""What a streamed model call costs when it did not end as it should: a table by outcome, with entries of a deployment
for providers and models before it.

Providers bill a prompt once they have read it, and what they streamed until it broke off. The defaults follow that, but
for a caller that got nothing at all the prompt is not charged either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from billing_service.domain.catalogue.usage_kinds import PROMPT_KINDS, Measure, UsageKind
from billing_service.domain.spending.usage import Measurement, Usage


class GenerationOutcome(IntEnum):
    """How a model call ended. The numbers are the wire's."""

    COMPLETE = 1
    """To its final marker, and the provider said its usage."""
    REFUSED = 2
    """The provider refused the request before the first byte."""
    RATE_LIMITED = 3
    """429 before the first byte."""
    PROVIDER_FAILED = 4
    """5xx before the first byte."""
    TIMED_OUT = 5
    """Nothing came before the caller's time-out."""
    CUT = 6
    """The connection broke in the middle."""
    ENDED_EARLY = 7
    """The body ended cleanly, without a final marker."""
    CANCELED = 8
    """The caller stopped reading."""
    EMPTY = 9
    """Complete, and without any content."""
    FILTERED = 10
    """The provider refused or filtered the answer."""
    STOPPED_BY_LENGTH = 11
    COMPLETE_WITHOUT_USAGE = 12
    """To its final marker, and the provider said no usage."""
    RETRIED = 13
    """Complete after attempts that failed; the usage is the last attempt's."""


class Charge(StrEnum):
    """What of a usage is charged. The words are those of the setting."""

    RELEASE = "release"
    """Nothing."""
    INPUT = "charge_input"
    """What the provider read: the prompt, audio or video that was sent, and the fee of the request."""
    STREAMED = "charge_streamed"
    """All of it: the usage that the close names, else the last acknowledged one."""


DEFAULT_CHARGES: Final[Mapping[GenerationOutcome, Charge]] = MappingProxyType(
    {
        GenerationOutcome.COMPLETE: Charge.STREAMED,
        GenerationOutcome.REFUSED: Charge.RELEASE,
        GenerationOutcome.RATE_LIMITED: Charge.RELEASE,
        GenerationOutcome.PROVIDER_FAILED: Charge.RELEASE,
        GenerationOutcome.TIMED_OUT: Charge.RELEASE,
        GenerationOutcome.CUT: Charge.STREAMED,
        GenerationOutcome.ENDED_EARLY: Charge.STREAMED,
        GenerationOutcome.CANCELED: Charge.STREAMED,
        GenerationOutcome.EMPTY: Charge.INPUT,
        GenerationOutcome.FILTERED: Charge.INPUT,
        GenerationOutcome.STOPPED_BY_LENGTH: Charge.STREAMED,
        GenerationOutcome.COMPLETE_WITHOUT_USAGE: Charge.STREAMED,
        GenerationOutcome.RETRIED: Charge.STREAMED,
    }
)


ESTIMATED_OUTCOMES: Final = frozenset(
    {
        GenerationOutcome.TIMED_OUT,
        GenerationOutcome.CUT,
        GenerationOutcome.ENDED_EARLY,
        GenerationOutcome.CANCELED,
        GenerationOutcome.COMPLETE_WITHOUT_USAGE,
    }
)
"""A provider says the usage at the end, which these did not reach: whatever the caller states is counted by itself."""

_READ: Final = PROMPT_KINDS | {UsageKind.REQUESTS}
WRITTEN_TOKENS: Final = frozenset(
    {
        UsageKind.OUTPUT_TOKENS,
        UsageKind.REASONING_TOKENS,
        UsageKind.OUTPUT_AUDIO_TOKENS,
        UsageKind.OUTPUT_IMAGE_TOKENS,
    }
)


def is_input(measure: Measure) -> bool:
    """Whether a line counts what the provider read rather than what it made or did."""
    return measure.kind in _READ or measure == Measure(UsageKind.SECONDS, "in")


def input_of(usage: Usage) -> Usage | None:
    """The usage without what was made of it; None where nothing is left. A provider's own cost is of the whole, and
    stays."""
    lines = tuple(line for line in usage.lines if is_input(line.measure))
    if not lines and usage.provider_cost_e18 is None:
        return None
    return replace(usage, lines=lines)


def measured(outcome: GenerationOutcome, stated: Measurement) -> Measurement:
    """Who counted the usage of a call that ended so, whatever its caller states."""
    return Measurement.ESTIMATED if outcome in ESTIMATED_OUTCOMES else stated


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """One row of a deployment's table. `model` ends in `*` for all that begin so; provider and model `*` are any."""

    provider: str
    model: str
    outcome: GenerationOutcome
    charge: Charge

    def matches(self, provider: str, model: str) -> bool:
        if self.provider not in ("*", provider):
            return False
        return model.startswith(self.model[:-1]) if self.model.endswith("*") else model == self.model

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The more exact entry is the greater one: a provider's before any, a literal model before a pattern, a long
        pattern before a short one."""
        return (self.provider != "*", not self.model.endswith("*"), len(self.model))


class OutcomePolicies(NamedTuple):
    """A deployment's entries, the most exact first, and the defaults behind them."""

    entries: Sequence[PolicyEntry] = ()

    def charge_of(self, provider: str, model: str, outcome: GenerationOutcome) -> Charge:
        """What a call of that model is charged when it ends so."""
        for entry in self.entries:
            if entry.outcome is outcome and entry.matches(provider, model):
                return entry.charge
        return DEFAULT_CHARGES[outcome]


DEFAULT_POLICIES: Final = OutcomePolicies()


def parse_policies(text: str) -> OutcomePolicies:
    """The table that a setting says: `PROVIDER/MODEL OUTCOME CHARGE`, entries separated by commas, as in
    `anthropic/claude-* empty release, */* filtered charge_streamed`. Raises ValueError, which counts entries from 1 and
    quotes none."""
    numbered = enumerate(filter(None, (part.strip() for part in text.split(","))), 1)
    entries = [_entry(part, f"entry {number}") for number, part in numbered]
    seen: dict[tuple[str, str, GenerationOutcome], int] = {}
    for number, entry in enumerate(entries, 1):
        named = (entry.provider, entry.model, entry.outcome)
        if named in seen:
            raise ValueError(f"entry {number} is for the same as entry {seen[named]}")
        if entry.outcome is GenerationOutcome.COMPLETE and entry.charge is not Charge.STREAMED:
            raise ValueError(f"entry {number}: a complete call is charged for its usage")
        seen[named] = number
    return OutcomePolicies(tuple(sorted(entries, key=lambda entry: entry.rank, reverse=True)))


def _entry(text: str, called: str) -> PolicyEntry:
    try:
        named, ended, charged = text.split()
    except ValueError:
        raise ValueError(f"{called} is not PROVIDER/MODEL OUTCOME CHARGE") from None
    provider, _, model = named.partition("/")
    if not (provider and model):
        raise ValueError(f"{called} does not begin with PROVIDER/MODEL")
    if "*" in model[:-1] or ("*" in provider and provider != "*"):
        raise ValueError(f"{called} has a * that is not at the model's end")
    outcomes = {outcome.name.lower(): outcome for outcome in GenerationOutcome}
    charges = {charge.value: charge for charge in Charge}
    if ended not in outcomes:
        raise ValueError(f"{called} names no outcome; there are {', '.join(outcomes)}")
    if charged not in charges:
        raise ValueError(f"{called} names no charge; there are {', '.join(charges)}")
    return PolicyEntry(provider, model, outcomes[ended], charges[charged])
