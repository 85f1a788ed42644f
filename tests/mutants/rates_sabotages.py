"""Sabotages of what usage costs: cards, matching, prices and their records."""

from tests.mutants.sabotage import Sabotage

CARDS = "billing_service.domain.catalogue.rate_cards"
VALUES = "billing_service.domain.catalogue.card_values"
DECIMALS = "billing_service.domain.catalogue.exact_decimals"
MOMENTS = "billing_service.domain.catalogue.moments"
CHECKS = "billing_service.domain.catalogue.rate_card_checks"
USAGE = "billing_service.domain.spending.usage"
PRICING = "billing_service.domain.spending.pricing"
RECORDS = "billing_service.domain.spending.price_records"
LITELLM_COLUMNS = "billing_service.rate_import.litellm_columns"
LITELLM_KEYS = "billing_service.rate_import.litellm_keys"
LITELLM_TOKENS = "billing_service.rate_import.litellm_tokens"
LITELLM_HOURS = "billing_service.rate_import.litellm_hours"
PRICE_LISTS = "billing_service.rate_import.price_lists"
GENAI = "billing_service.rate_import.genai_prices"
GENAI_NAMES = "billing_service.rate_import.genai_names"
KNOWN = "rate_import/test_known_costs.py::test_costs_are_the_library_s_own_to_the_last_digit"
IMPORTED = "rate_import/test_litellm_import.py"
MATCHING = "domain/test_rate_cards.py"
FILES = "domain/test_rate_card_files.py"
PRICED = "domain/test_pricing.py"

RATES = (
    Sabotage(
        "each line is rounded up",
        "P54",
        f"{PRICING}:Price.__post_init__",
        "line.cost_e21",
        "-(-line.cost_e21 // 10**13) * 10**13",
        (f"{PRICED}::test_a_price_is_exact_and_rounded_up_once",),
    ),
    Sabotage(
        "an amount is rounded down",
        "P54",
        f"{PRICING}:Price.__post_init__",
        "-(-cost_e21 * (PPM + self.markup_ppm) // _E27_PER_MICROCREDIT)",
        "cost_e21 * (PPM + self.markup_ppm) // _E27_PER_MICROCREDIT",
        (f"{PRICED}::test_prices_by_hand",),
    ),
    Sabotage(
        "numbers of a card file pass through floats",
        "P54",
        f"{VALUES}:parsed",
        "Decimal",
        "lambda number: Decimal(repr(float(number)))",
        (f"{FILES}::test_a_number_of_the_file_is_exact",),
    ),
    Sabotage(
        "a price that needs more decimals is cut",
        "P54",
        f"{DECIMALS}:price_e18",
        "lost",
        "lost and False",
        ("domain/test_exact_decimals.py::test_a_price_that_one_unit_does_not_have_exactly",),
    ),
    Sabotage(
        "a cliff begins at its threshold",
        "P54",
        f"{CARDS}:Column.prices_of",
        "prompt_tokens <= tier.above_tokens",
        "prompt_tokens < tier.above_tokens",
        (
            f"{MATCHING}::test_a_prompt_tier_begins_strictly_above_its_threshold",
            f"{PRICED}::test_the_cliff_is_strictly_above_its_threshold_whatever_the_prompt_is_made_of",
        ),
    ),
    Sabotage(
        "the size of a prompt leaves out what was cached",
        "P54",
        f"{USAGE}:Usage.prompt_tokens",
        "line.measure.kind in PROMPT_KINDS",
        "line.measure.kind in PROMPT_KINDS and line.measure.kind != UsageKind.CACHED_INPUT_TOKENS",
        (f"{PRICED}::test_the_cliff_is_strictly_above_its_threshold_whatever_the_prompt_is_made_of",),
    ),
    Sabotage(
        "a model matches without its provider",
        "P54",
        f"{CARDS}:_Index.find",
        "entry = self._by_rule[rule].get((provider, model))",
        (
            "found = self._by_rule[rule]\n"
            "entry = found.get((provider, model)) or next((one for (_, name), one in found.items() if name "
            "== model), None)"
        ),
        (f"{MATCHING}::test_a_name_that_no_entry_is_for",),
    ),
    Sabotage(
        "a dated pattern matches any suffix",
        "P54",
        f"{CARDS}:_undated",
        "yield model",
        "yield from (model[:length] for length in range(len(model), 0, -1))",
        (f"{MATCHING}::test_a_name_that_no_entry_is_for",),
    ),
    Sabotage(
        "what has no price is billed as input",
        "P54",
        f"{PRICING}:price",
        'unpriced = ", ".join(line.measure.word for line in usage.lines if line.measure not in prices)',
        ('prices = {line.measure: next(iter(prices.values())) for line in usage.lines} | dict(prices)\nunpriced = ""'),
        (f"{PRICED}::test_a_fall_back_is_no_matter_of_pricing",),
    ),
    Sabotage(
        "a service tier without a price is the standard tier",
        "P54",
        f"{PRICING}:_columns",
        "of_tier = [column for column in entry.columns if column.service_tier == tier]",
        (
            "of_tier = [column for column in entry.columns if column.service_tier == tier]\n"
            "of_tier = of_tier or [column for column in entry.columns if not column.service_tier]"
        ),
        (f"{PRICED}::test_a_tier_that_the_card_does_not_price_is_never_the_standard_price",),
    ),
    Sabotage(
        "an attribute without a price costs nothing more",
        "P54",
        f"{PRICING}:_columns",
        "with_attributes = [column for column in of_tier if column.attributes == asked]",
        (
            "with_attributes = [column for column in of_tier if column.attributes == asked]\n"
            "with_attributes = with_attributes or [column for column in of_tier if not column.attributes]"
        ),
        (f"{PRICED}::test_what_the_card_does_not_price_is_refused",),
    ),
    Sabotage(
        "a usage picks its price from any time",
        "P54",
        f"{PRICING}:pricing_time",
        "occur_time_us is not None and now_us - window_us <= occur_time_us <= now_us",
        "occur_time_us is not None",
        (f"{PRICED}::test_whose_time_chooses_the_price",),
    ),
    Sabotage(
        "thousandths of seconds are seconds",
        "P54",
        f"{PRICING}:PricedLine.cost_e21",
        "per_unit if self.measure.kind is UsageKind.SECONDS else per_unit * THOUSANDTHS",
        "per_unit * THOUSANDTHS",
        (f"{PRICED}::test_prices_by_hand",),
    ),
    Sabotage(
        "a caller writes its own price",
        "P54",
        f"{PRICING}:price",
        "usage.provider_cost_e18 is not None",
        "usage.provider_cost_e18 is not None and False",
        (f"{PRICED}::test_what_the_card_does_not_price_is_refused",),
    ),
    Sabotage(
        "a usage of nothing is free",
        "P54",
        f"{USAGE}:usage_of",
        "not kept and cost_e18 is None",
        "not kept and cost_e18 is None and False",
        ("domain/test_usage.py::test_a_field_that_is_wrong_is_named",),
    ),
    Sabotage(
        "hours forget the day of the week",
        "P54",
        f"{MOMENTS}:Hours.hold",
        "self.from_s <= second < self.until_s and (day + _FIRST_DAY) % len(WEEK_DAYS) in self.days",
        "self.from_s <= second < self.until_s",
        (f"{PRICED}::test_hours_of_the_week", "domain/test_moments.py::test_hours_hold_on_their_days"),
    ),
    Sabotage(
        "hours that meet are no problem",
        "P54",
        f"{CHECKS}:_hours_problems",
        "window.overlap(other)",
        "window == other",
        (f"{FILES}::test_a_problem_is_named_by_its_path",),
    ),
    Sabotage(
        "a record's amount is believed",
        "P54",
        f"{RECORDS}:decode_record",
        "again != record",
        "again is None",
        ("domain/test_price_records.py::test_damage_shows",),
    ),
    Sabotage(
        "a key that nobody knows is left out of a price",
        "P54",
        f"{LITELLM_KEYS}:check_keys",
        "_SPEAKS_OF_PRICES.search(key)",
        "key == 'cost'",
        ("rate_import/test_litellm_refusals.py::test_a_model_that_can_not_be_priced_right_is_refused",),
    ),
    Sabotage(
        "the price of the peak is the price of the day",
        "P54",
        f"{LITELLM_COLUMNS}:columns",
        "hours = list(_hours(named, entry, priced, year))",
        "hours: list[ColumnRates] = []",
        (KNOWN, f"{IMPORTED}::test_off_peak_hours"),
    ),
    Sabotage(
        "days of off-peak hours are UTC's days",
        "P54",
        f"{LITELLM_HOURS}:off_peak_hours.offset_s",
        '_offset_s(block.get("weekday_timezone"), year)',
        '_offset_s(block.get("weekday_timezone"), year) * 0',
        (f"{IMPORTED}::test_off_peak_hours",),
    ),
    Sabotage(
        "xai's thresholds are like the others'",
        "P54",
        f"{LITELLM_COLUMNS}:_above",
        "threshold - 1 if named.provider in INCLUSIVE_PROVIDERS else threshold",
        "threshold",
        (f"{IMPORTED}::test_xai_bills_a_threshold_from_its_number_on", KNOWN),
    ),
    Sabotage(
        "writes for an hour are written for five minutes",
        "P54",
        f"{LITELLM_TOKENS}:TokenPrices.all",
        "self._lifetime(key) or _other(written, to.WRITTEN_5M)",
        "_other(written, to.WRITTEN_5M)",
        (f"{IMPORTED}::test_writes_by_their_lifetime", KNOWN),
    ),
    Sabotage(
        "a batch without a price of its own is billed as any call",
        "P54",
        f"{LITELLM_TOKENS}:batch_tokens",
        "prices.own(OUTPUT_KEY)",
        "prices.own(OUTPUT_KEY) or prices.standard(OUTPUT_KEY)",
        (f"{IMPORTED}::test_a_batch_has_its_own_prices_and_none_that_litellm_would_make_up",),
    ),
    Sabotage(
        "tokens are free where a query has the price",
        "P54",
        f"{LITELLM_COLUMNS}:without_zeros",
        "not zeros",
        "zeros",
        ("rate_import/test_litellm_units.py::test_what_is_counted_otherwise",),
    ),
    Sabotage(
        "prices are multiplied by a rounded product",
        "P54",
        f"{PRICE_LISTS}:product",
        "Decimal((0, tuple(map(int, str(digits))), left.exponent + right.exponent))",
        "Decimal(usd) * multiplier if digits else Decimal(0)",
        ("rate_import/test_price_lists.py::test_a_product_has_every_digit",),
    ),
    Sabotage(
        "a fall-back is imported as a price of its own",
        "P54",
        f"{PRICE_LISTS}:Rate.instead_of",
        "self if self.fallback else self._replace(fallback=word)",
        "self",
        (f"{IMPORTED}::test_every_fall_back_is_in_the_card_and_says_so",),
    ),
    Sabotage(
        "prices of a day to come are today's",
        "P54",
        f"{GENAI}:_has_begun",
        'date.fromisoformat(constraint["start_date"]) <= as_of',
        'date.fromisoformat(constraint["start_date"]) is not None',
        ("rate_import/test_genai_import.py::test_dated_prices_are_those_of_the_day",),
    ),
    Sabotage(
        "a wide name of a library is a dated pattern of the card",
        "P54",
        f"{GENAI_NAMES}:Names.is_dated",
        "all(self.find(name + suffix) is model for suffix in SAMPLE_SUFFIXES)",
        "True",
        ("rate_import/test_genai_names.py::test_a_name_of_exactly_one_spelling_has_no_dated_pattern",),
    ),
)
