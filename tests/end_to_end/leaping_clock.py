"""The clock of the service, moved by hand."""

from billing_service.clock import TimeOrderedIds, system_clock_us


class LeapingClock:
    """True but for `off_us`."""

    def __init__(self):
        self.off_us = 0

    def __call__(self):
        return system_clock_us() + self.off_us

    def rule(self, monkeypatch):
        """Makes this the clock of every service that starts from now on."""
        monkeypatch.setattr("billing_service.bootstrap.system_clock_us", self)
        monkeypatch.setattr("billing_service.bootstrap.TimeOrderedIds", lambda: TimeOrderedIds(self))
        return self
