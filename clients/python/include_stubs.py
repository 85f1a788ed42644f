# ruff: noqa: INP001 - a build hook beside the package, not in it
"""Puts the generated stubs into the wheel, from the folder of the protos.

An editable installation finds them there (`dev-mode-dirs`): a copy would hide what `make proto` generates next.
"""

from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class IncludeStubs(BuildHookInterface[BuilderConfig]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"]["../../protos/prepaid"] = "prepaid"
