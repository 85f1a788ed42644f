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
LITELLM_COLUMNS = "billing_service/rate_import/litellm_columns.py"
LITELLM_KEYS = "billing_service/rate_import/litellm_keys.py"
LITELLM_TOKENS = "billing_service/rate_import/litellm_tokens.py"
LITELLM_HOURS = "billing_service/rate_import/litellm_hours.py"
PRICE_LISTS = "billing_service/rate_import/price_lists.py"
GENAI = "billing_service/rate_import/genai_prices.py"
GENAI_NAMES = "billing_service/rate_import/genai_names.py"
KNOWN = "rate_import/test_known_costs.py::test_costs_are_the_library_s_own_to_the_last_digit"
IMPORTED = "rate_import/test_litellm_import.py"
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
    Sabotage(
        "a key that nobody knows is left out of a price",
        "P54",
        LITELLM_KEYS,
        "if not is_known(key) and _SPEAKS_OF_PRICES.search(key) and",
        "if not is_known(key) and key == 'cost' and",
        ("rate_import/test_litellm_refusals.py::test_a_model_that_can_not_be_priced_right_is_refused",),
    ),
    Sabotage(
        "the price of the peak is the price of the day",
        "P54",
        LITELLM_COLUMNS,
        "    hours = list(_hours(named, entry, priced, year))\n",
        "    hours: list[ColumnRates] = []\n",
        (KNOWN, f"{IMPORTED}::test_off_peak_hours"),
    ),
    Sabotage(
        "days of off-peak hours are UTC's days",
        "P54",
        LITELLM_HOURS,
        '    offset_s = _offset_s(block.get("weekday_timezone"), year)\n',
        '    offset_s = _offset_s(block.get("weekday_timezone"), year) * 0\n',
        (f"{IMPORTED}::test_off_peak_hours",),
    ),
    Sabotage(
        "xai's thresholds are like the others'",
        "P54",
        LITELLM_COLUMNS,
        "return threshold - 1 if named.provider in INCLUSIVE_PROVIDERS else threshold",
        "return threshold",
        (f"{IMPORTED}::test_xai_bills_a_threshold_from_its_number_on", KNOWN),
    ),
    Sabotage(
        "writes for an hour are written for five minutes",
        "P54",
        LITELLM_TOKENS,
        "{measure: self._lifetime(key) or _other(written, to.WRITTEN_5M) for measure, key in LIFETIMES.items()}",
        "{measure: _other(written, to.WRITTEN_5M) for measure, key in LIFETIMES.items()}",
        (f"{IMPORTED}::test_writes_by_their_lifetime", KNOWN),
    ),
    Sabotage(
        "a batch without a price of its own is billed as any call",
        "P54",
        LITELLM_TOKENS,
        "    fresh, out = prices.own(INPUT_KEY), prices.own(OUTPUT_KEY)\n",
        "    fresh, out = prices.own(INPUT_KEY), prices.own(OUTPUT_KEY) or prices.standard(OUTPUT_KEY)\n",
        (f"{IMPORTED}::test_a_batch_has_its_own_prices_and_none_that_litellm_would_make_up",),
    ),
    Sabotage(
        "tokens are free where a query has the price",
        "P54",
        LITELLM_COLUMNS,
        "    if not zeros or tokens & paid or not paid:\n",
        "    if zeros or tokens & paid or not paid:\n",
        (f"{IMPORTED}::test_what_is_counted_otherwise",),
    ),
    Sabotage(
        "prices are multiplied by a rounded product",
        "P54",
        PRICE_LISTS,
        "    return Decimal((0, tuple(map(int, str(digits))), left.exponent + right.exponent))\n",
        "    return Decimal(usd) * multiplier if digits else Decimal(0)\n",
        ("rate_import/test_price_lists.py::test_a_product_has_every_digit",),
    ),
    Sabotage(
        "a fall-back is imported as a price of its own",
        "P54",
        PRICE_LISTS,
        "return self if self.fallback else self._replace(fallback=word)",
        "return self",
        (f"{IMPORTED}::test_every_fall_back_is_in_the_card_and_says_so",),
    ),
    Sabotage(
        "prices of a day to come are today's",
        "P54",
        GENAI,
        'return date.fromisoformat(constraint["start_date"]) <= as_of',
        'return date.fromisoformat(constraint["start_date"]) is not None',
        ("rate_import/test_genai_import.py::test_dated_prices_are_those_of_the_day",),
    ),
    Sabotage(
        "a wide name of a library is a dated pattern of the card",
        "P54",
        GENAI_NAMES,
        "return all(self.find(name + suffix) is model for suffix in SAMPLE_SUFFIXES)",
        "return True",
        ("rate_import/test_genai_import.py::test_a_name_of_exactly_one_spelling_has_no_dated_pattern",),
    ),
)
