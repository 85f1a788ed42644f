"""How a key of litellm's map names a provider and its model."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from billing_service.rate_import.price_lists import is_literal
from billing_service.rate_import.reports import NotImportableError

PROVIDERS: Final = {
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "text-completion-codestral": "codestral",
    "text-completion-inception": "inception",
    "text-completion-openai": "openai",
}
"""Names that litellm gives to APIs of one provider. All that begin with `vertex_ai-` are vertex_ai."""
ROUTER_FEES: Final = frozenset({"model-router", "model_router"})
SIZE_CLASSES: Final = ("fireworks-ai-", "together-ai-")
NO_LITERAL: Final = "its name is none that a card takes literally"


class Named(NamedTuple):
    """The name of a model in a card, and the key of the map that it comes from."""

    key: str
    written: str
    """The provider as the map writes it."""
    provider: str
    model: str

    @property
    def is_full(self) -> bool:
        """Whether the key has the provider before the model."""
        return self.key.startswith(f"{self.provider}/")


def named_by(key: str, values: Mapping[str, Any]) -> Named:
    """The provider and the model that a key of the map is for."""
    written = str(values.get("litellm_provider", ""))
    provider = "vertex_ai" if written.startswith("vertex_ai-") else PROVIDERS.get(written, written)
    for prefix in (f"{written}/", f"{provider}/"):
        if key.startswith(prefix) and len(key) > len(prefix):
            return Named(key, written, provider, key.removeprefix(prefix))
    return Named(key, written, provider, key)


def check_name(named: Named) -> None:
    """Raises NotImportableError for what is no model, and for a name that a card can't have literally."""
    if not named.provider:
        raise NotImportableError("it names no provider")
    if not is_literal(named.provider) or not is_literal(named.model):
        raise NotImportableError(NO_LITERAL)
    if named.model in ROUTER_FEES:
        raise NotImportableError("a fee on top of the price of the model that it routes to")
    if named.model.startswith(SIZE_CLASSES):
        raise NotImportableError("a size class of models, no model")
