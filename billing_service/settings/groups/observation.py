"""What can be seen of a running service."""

from typing import Literal

from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.values import ListenAddress, split_listen


class ObservationSettings(SettingsGroup):
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "BILLING_LOG_LEVEL", "INFO", "Least level that is logged; DEBUG has a line per deduction"
    )
    log_format: Literal["json", "console"] = setting(
        "BILLING_LOG_FORMAT", "json", "`json`: one object a line; `console`: for people"
    )
    metrics_address: ListenAddress = setting(
        "BILLING_METRICS_ADDRESS", "", "Address of the Prometheus endpoint, `host:port`; empty: none"
    )

    @property
    def metrics_host_port(self) -> tuple[str, int] | None:
        return split_listen(self.metrics_address) if self.metrics_address else None
