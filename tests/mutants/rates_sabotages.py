"""Sabotages of what usage costs: cards, matching, prices and their records."""

from sabotage import Sabotage

CARDS = "billing_service/domain/catalogue/rate_cards.py"
VALUES = "billing_service/domain/catalogue/card_values.py"
DECIMALS = "billing_service/domain/catalogue/exact_decimals.py"
MOMENTS = "billing_service/domain/catalogue/moments.py"
CHECKS = "billing_service/domain/catalogue/rate_card_checks.py"
USAGE = "billing_service/domain/spending/usage.py"
PRICING = "billing_service/domain/spending/pricing.py"
RECORDS = "billing_service/domain/spending/price_records.py"
MATCHING = "domain/test_rate_cards.py"
FILES = "domain/test_rate_card_files.py"
PRICED = "domain/test_pricing.py"

RATES = (
    Sabotage(
        "each line is rounded up",
        "P54",
        PRICING,
        "sum(line.cost_e21 for line in self.lines)",
        "sum(-(-line.cost_e21 // 10**13) * 10**13 for line in self.lines)",
        (f"{PRICED}::test_a_price_is_exact_and_rounded_up_once",),
    ),
    Sabotage(
        "an amount is rounded down",
        "P54",
        PRICING,
        "return -(-self._exact_units // (PPM * _E21_PER_MICROCREDIT))",
        "return self._exact_units // (PPM * _E21_PER_MICROCREDIT)",
        (f"{PRICED}::test_prices_by_hand",),
    ),
    Sabotage(
        "numbers of a card file pass through floats",
        "P54",
        VALUES,
        "parse_float=Decimal",
        "parse_float=lambda number: Decimal(repr(float(number)))",
        (f"{FILES}::test_a_number_of_the_file_is_exact",),
    ),
    Sabotage(
        "a price that needs more decimals is cut",
        "P54",
        DECIMALS,
        """    if lost:
        raise NotExactError(f"needs more""",
        """    if lost and False:
        raise NotExactError(f"needs more""",
        ("domain/test_exact_decimals.py::test_a_price_that_one_unit_does_not_have_exactly",),
    ),
    Sabotage(
        "a cliff begins at its threshold",
        "P54",
        CARDS,
        "if prompt_tokens <= tier.above_tokens:",
        "if prompt_tokens < tier.above_tokens:",
        (
            f"{MATCHING}::test_a_prompt_tier_begins_strictly_above_its_threshold",
            f"{PRICED}::test_the_cliff_is_strictly_above_its_threshold_whatever_the_prompt_is_made_of",
        ),
    ),
    Sabotage(
        "the size of a prompt leaves out what was cached",
        "P54",
        USAGE,
        "if line.measure.kind in PROMPT_KINDS)",
        "if line.measure.kind in PROMPT_KINDS and line.measure.kind != UsageKind.CACHED_INPUT_TOKENS)",
        (f"{PRICED}::test_the_cliff_is_strictly_above_its_threshold_whatever_the_prompt_is_made_of",),
    ),
    Sabotage(
        "a model matches without its provider",
        "P54",
        CARDS,
        "            entry = self._by_rule[rule].get((provider, model))\n",
        "            found = self._by_rule[rule]\n"
        "            entry = found.get((provider, model)) or next((one for (_, name), one in found.items() if name == model), None)\n",
        (f"{MATCHING}::test_a_name_that_no_entry_is_for",),
    ),
    Sabotage(
        "a dated pattern matches any suffix",
        "P54",
        CARDS,
        "    yield model\n    prefixes = {",
        "    yield from (model[:length] for length in range(len(model), 0, -1))\n    prefixes = {",
        (f"{MATCHING}::test_a_name_that_no_entry_is_for",),
    ),
    Sabotage(
        "what has no price is billed as input",
        "P54",
        PRICING,
        """        unpriced = ", ".join(line.measure.word for line in usage.lines if line.measure not in prices)
        if unpriced:
""",
        """        prices = {line.measure: next(iter(prices.values())) for line in usage.lines} | dict(prices)
        unpriced = ""
        if unpriced:
""",
        (f"{PRICED}::test_a_fall_back_is_no_matter_of_pricing",),
    ),
    Sabotage(
        "a service tier without a price is the standard tier",
        "P54",
        PRICING,
        "    of_tier = [column for column in entry.columns if column.service_tier == tier]\n",
        "    of_tier = [column for column in entry.columns if column.service_tier == tier]\n"
        "    of_tier = of_tier or [column for column in entry.columns if not column.service_tier]\n",
        (f"{PRICED}::test_a_tier_that_the_card_does_not_price_is_never_the_standard_price",),
    ),
    Sabotage(
        "an attribute without a price costs nothing more",
        "P54",
        PRICING,
        "    if not with_attributes:\n",
        "    with_attributes = with_attributes or [column for column in of_tier if not column.attributes]\n    if not with_attributes:\n",
        (f"{PRICED}::test_what_the_card_does_not_price_is_refused",),
    ),
    Sabotage(
        "a usage picks its price from any time",
        "P54",
        PRICING,
        "if occur_time_us is not None and now_us - window_us <= occur_time_us <= now_us:",
        "if occur_time_us is not None:",
        (f"{PRICED}::test_whose_time_chooses_the_price",),
    ),
    Sabotage(
        "thousandths of seconds are seconds",
        "P54",
        PRICING,
        "self.unit_price_e18 * (THOUSANDTHS // self.measure.counts_per_unit)",
        "self.unit_price_e18 * THOUSANDTHS",
        (f"{PRICED}::test_prices_by_hand",),
    ),
    Sabotage(
        "a caller writes its own price",
        "P54",
        PRICING,
        "        if usage.provider_cost_e18 is not None:\n            raise invalid_field(",
        "        if usage.provider_cost_e18 is not None and False:\n            raise invalid_field(",
        (f"{PRICED}::test_what_the_card_does_not_price_is_refused",),
    ),
    Sabotage(
        "a usage of nothing is free",
        "P54",
        USAGE,
        "    if not kept and cost_e18 is None:\n",
        "    if not kept and cost_e18 is None and False:\n",
        ("domain/test_usage.py::test_a_field_that_is_wrong_is_named",),
    ),
    Sabotage(
        "hours forget the day of the week",
        "P54",
        MOMENTS,
        " and (day + _FIRST_DAY) % len(WEEK_DAYS) in self.days",
        "",
        (f"{PRICED}::test_hours_of_the_week", "domain/test_moments.py::test_hours_hold_on_their_days"),
    ),
    Sabotage(
        "hours that meet are no problem",
        "P54",
        CHECKS,
        "        if window.overlap(other):\n",
        "        if window == other:\n",
        (f"{FILES}::test_a_problem_is_named_by_its_path",),
    ),
    Sabotage(
        "a record's amount is believed",
        "P54",
        RECORDS,
        "if price.amount_microcredits != amount or encode_price(price) != record:",
        "if encode_price(price) is None:",
        ("domain/test_price_records.py::test_damage_shows",),
    ),
)
