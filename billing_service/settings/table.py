"""The table of settings in docs/settings.md, made from the settings themselves."""

from pydantic import SecretStr

from billing_service.settings.model import GROUPS


def settings_table() -> str:
    """Markdown: name, default, meaning, one row per setting, in order."""
    fields = [field for group in GROUPS for field in group.model_fields.values()]
    rows = [f"| `{field.validation_alias}` | {_shown(field.default)} | {field.description} |" for field in fields]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows, ""])


def _shown(default: object) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default is None or not str(default):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
