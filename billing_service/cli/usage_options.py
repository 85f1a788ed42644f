"""What commands that price a usage are told of it."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from billing_service.cli.display import EXIT_MISCONFIGURED, fail

WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)

Provider = Annotated[str, typer.Option(help="As the card names it.")]
Model = Annotated[str, typer.Option(help="As the provider names it.")]
InputTokens = Annotated[int, typer.Option(min=0, help="Fresh text of the prompt.")]
CachedInputTokens = Annotated[int, typer.Option(min=0)]
OutputTokens = Annotated[int, typer.Option(min=0, help="Without reasoning.")]
ReasoningTokens = Annotated[int, typer.Option(min=0)]
Lines = Annotated[
    list[str] | None,
    typer.Option(
        "--line", metavar="MEASURE=N", help="Any other: cache_write_tokens:1h=40, seconds:in=1500, units:pages=3."
    ),
]
ServiceTier = Annotated[str, typer.Option(help="Of the reply: priority, flex, batch, …")]
Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", metavar="NAME=VALUE", help="region=us, speed=fast, …")
]
ProviderCost = Annotated[str, typer.Option(metavar="USD", help="What the provider says that the call cost.")]


def usage_lines(counts: Mapping[str, int], line: list[str] | None) -> list[tuple[int, str, int]]:
    """Kind, variant and quantity of each line that is above 0; ends the command where a measure is none."""
    named = {word: count for word, count in counts.items() if count}
    return [*_lines(named), *_lines(pairs(line, "--line"))]


def pairs(written: list[str] | None, option: str) -> dict[str, str]:
    """The names and values of an option that is given several times; ends the command where one is none."""
    found: dict[str, str] = {}
    for text in written or ():
        name, sign, value = text.partition("=")
        if not name or not sign or name in found:
            fail(f"{option} {text}: must be NAME=VALUE, each name once", code=EXIT_MISCONFIGURED)
        found[name] = value
    return found


def _lines(counts: dict[str, Any]) -> Iterator[tuple[int, str, int]]:
    from billing_service.domain.catalogue.usage_kinds import measure_of_word

    for word, count in counts.items():
        try:
            measure = measure_of_word(word)
            if WHOLE_NUMBER.fullmatch(str(count)) is None:
                raise ValueError("must be a whole number of at least 0")  # noqa: TRY301 - one message for both faults
            yield measure.kind, measure.variant, int(count)
        except ValueError as error:
            fail(f"--line {word}={count}: {error}", code=EXIT_MISCONFIGURED)
