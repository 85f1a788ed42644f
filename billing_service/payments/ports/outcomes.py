"""How a call ends that has no answer. The words on repeating are the package's."""


class ProviderRefused(Exception):  # noqa: N818 - a "no" of the provider, not an error of the program
    """A definite no: the call had no effect, and would have none if repeated. `param` names the parameter at fault,
    where known."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.param = param


class ProviderUnavailable(Exception):  # noqa: N818 - as above
    """No answer to rely on: the call may or may not have had its effect. The package says what may be repeated."""

    def __init__(self, message: str, *, key_spent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.key_spent = key_spent


class ProviderKeyRefused(ProviderUnavailable):
    """The provider refused our own key, or the key may not do this. The call had no effect; earlier ones of the same
    step may have had theirs, so what was set aside is kept here too."""


class ProviderBusy(ProviderUnavailable):
    """Too much was asked of the provider in a short time. The call had no effect; slower, it may be repeated."""
