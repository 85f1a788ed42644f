"""The SDK's httpx transport, without its habit of handing form bodies over in a way that httpx deprecates.

Where warnings are errors, as in a test run, that habit would make every POST fail as a broken connection.
"""

from collections.abc import Mapping
from typing import Any

import stripe


class FormTransport(stripe.HTTPXClient):
    """Sends encoded bodies as httpx's `content`. Were the SDK to stop calling this method, only the warning would be back."""

    def _get_request_args_kwargs(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any
    ) -> tuple[list[Any], dict[str, Any]]:
        args, kwargs = super()._get_request_args_kwargs(method, url, headers, post_data)
        if isinstance(kwargs.get("data"), str | bytes):
            kwargs["content"] = kwargs.pop("data")
        return args, kwargs
