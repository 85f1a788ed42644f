"""Whatever a list of prices holds, an importer makes a card that a file can have, and says of each model what became of
it."""

from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.rate_card_checks import checked
from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.rate_import import litellm_keys
from tests.rate_import.price_samples import TOKENS, genai_report, litellm_report, loaded

UNITS = loaded("genai_sample.json")["units"]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10) | st.decimals(places=3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["range", "hours_utc", "windows", "us", "input_cost_per_token", "search_context_size_low"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(
    [
        "alias_of",
        "litellm_provider",
        "mode",
        *litellm_keys.TOKEN_KEYS,
        "input_cost_per_token_above_0_tokens",
        "input_cost_per_token_above_5_tokens",
        "input_cost_per_token_above_9999999999k_tokens",
        "input_cost_per_token_batches",
        *litellm_keys.UNIT_KEYS,
        *litellm_keys.MODE_KEYS,
        *litellm_keys.MULTIPLIERS,
        *litellm_keys.OTHER_KEYS,
        *litellm_keys.IGNORED,
    ]
)


NAMES = ["", "a", "b", "p/b", "p/", "p/a", "c*", "é b", "\u200b", "n" * 257, "fireworks-ai-x"]
SHAPES = (
    st.dictionaries(KEYS, VALUES, max_size=5)
    | st.fixed_dictionaries({"alias_of": VALUES | st.sampled_from(NAMES)})
    | st.dictionaries(KEYS, st.integers(0, 9), max_size=4).map(lambda more: TOKENS | more)
    | st.sampled_from([TOKENS, TOKENS | {"litellm_provider": "p" * 257}, TOKENS | {"litellm_provider": "p "}])
    | VALUES
)


@given(st.dictionaries(st.sampled_from(NAMES), SHAPES, max_size=4))
def test_no_map_of_litellm_makes_the_importer_fail(price_map):
    """And its card is one that a file can have."""
    report = litellm_report(price_map)
    text = card_text(checked(report.card))
    assert card_text(read_card(text)) == text
    assert set(report.outcomes) == set(price_map)


CLAUSE_VALUES = st.recursive(
    st.none() | st.integers(-1, 9) | st.decimals(places=2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "equals",
                    "or",
                    "base",
                    "tiers",
                    "start",
                    "price",
                    "prices",
                    "constraint",
                    "start_date",
                    "when",
                    "input_mtok",
                    "output_mtok",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
MODEL_NAMES = ["m", "M", "n*", "o", "m-2099-12-31", "", "\u200b", "n" * 257]
STEPS = st.fixed_dictionaries(
    {
        "base": st.just(1),
        "tiers": st.lists(
            st.fixed_dictionaries({"start": st.sampled_from([0, 1, 9, 10**12, 10**13]), "price": st.integers(0, 9)}),
            max_size=3,
        ),
    }
)
PRICED = st.dictionaries(
    st.sampled_from(["input_mtok", "output_mtok", "requests_kcount"]),
    STEPS | st.integers(0, 9) | CLAUSE_VALUES,
    max_size=2,
)
CONTEXTS = st.dictionaries(
    st.sampled_from(["service_tier", "processing", "region", ""]),
    st.sampled_from(["batch", "default", "us", ""]) | CLAUSE_VALUES,
)
CLAUSES = st.fixed_dictionaries({"equals": st.sampled_from(MODEL_NAMES)}) | st.fixed_dictionaries(
    {"starts_with": st.sampled_from(MODEL_NAMES)}
)
MODELS = st.fixed_dictionaries(
    {"id": st.sampled_from(MODEL_NAMES)},
    optional={
        "match": CLAUSES | st.lists(CLAUSES, max_size=3).map(lambda clauses: {"or": clauses}) | CLAUSE_VALUES,
        "prices": PRICED | CLAUSE_VALUES,
        "price_variants": st.lists(st.fixed_dictionaries({"when": CONTEXTS, "prices": PRICED}), max_size=2)
        | CLAUSE_VALUES,
    },
)


@given(st.lists(MODELS, max_size=3, unique_by=lambda found: found["id"]))
def test_no_data_of_genai_prices_make_the_importer_fail(models):
    """And its card is one that a file can have."""
    report = genai_report([{"id": "p", "models": models}], UNITS)
    text = card_text(checked(report.card))
    assert card_text(read_card(text)) == text
    assert set(report.outcomes) == {f"p/{found['id']}" for found in models}
