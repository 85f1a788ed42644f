"""Refusals in the shape of Stripe's error bodies."""

from typing import Any

Json = dict[str, Any]

DOCUMENTATION_URL = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """A refusal that becomes an HTTP answer: status, and the members of Stripe's `error` object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        details: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.details = details or {}

    def body(self, request_id: str) -> Json:
        error: Json = {"message": self.message, "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = DOCUMENTATION_URL + self.code.replace("_", "-")
        if self.param is not None:
            error["param"] = self.param
        error |= self.details
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, param=param, code=code)


def missing(param: str) -> ApiError:
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def no_such(label: str, object_id: str, param: str) -> ApiError:
    return ApiError(404, f"No such {label}: '{object_id}'", param=param, code="resource_missing")


def not_offered(param: str) -> ApiError:
    """Stripe takes this, the sandbox can't play it: better a loud no than a silent difference."""
    return invalid(f"The sandbox does not play '{param}'.", param=param, code="not_offered_by_sandbox")


def redacted_key(key: str) -> str:
    """Enough of a key to recognise it, as Stripe prints it: the prefix and the last four characters."""
    prefix_length = len("sk_live_")
    hidden = max(len(key) - prefix_length - 4, 0)
    return key if hidden == 0 else f"{key[:prefix_length]}{'*' * hidden}{key[-4:]}"
