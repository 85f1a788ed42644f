"""Metadata: its limits, and how an update merges into it."""

from billing_service.sandbox.engine.errors import Json, invalid

KEYS_MAX = 50
KEY_LENGTH_MAX = 40
VALUE_LENGTH_MAX = 500


def merged(current: Json, sent: Json | str | None) -> Json:
    """Stripe's rules: sent keys replace, an empty value removes its key, an empty `metadata` removes all."""
    if sent is None:
        return dict(current)
    if not isinstance(sent, dict):
        return {}
    for key, value in sent.items():
        if len(key) > KEY_LENGTH_MAX:
            raise invalid(f"Metadata keys can have up to {KEY_LENGTH_MAX} characters.", param="metadata")
        if len(value) > VALUE_LENGTH_MAX:
            raise invalid(f"Metadata values can have up to {VALUE_LENGTH_MAX} characters.", param=f"metadata[{key}]")
    result = {key: value for key, value in (current | sent).items() if value != ""}
    if len(result) > KEYS_MAX:
        raise invalid(f"Metadata can have up to {KEYS_MAX} keys.", param="metadata")
    return result


def fresh(params: Json) -> Json:
    """The metadata of a new object."""
    return merged({}, params.get("metadata"))
