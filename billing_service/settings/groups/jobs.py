"""What runs in the background, and how often."""

from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.values import ExistingDirectory


class JobSettings(SettingsGroup):
    expiry_sweep_interval_s: float = setting(
        "BILLING_EXPIRY_SWEEP_INTERVAL_S", 60.0, "Time between bookings of expired credits", ge=1, le=86_400
    )
    heads_directory: ExistingDirectory | None = setting(
        "BILLING_HEADS_DIRECTORY",
        None,
        "Where the heads of all chains are exported to, for `billing verify --heads`; none when absent",
    )
    heads_interval_s: float = setting(
        "BILLING_HEADS_INTERVAL_S", 3600.0, "Time between exports of the heads", ge=1, le=86_400
    )
    verify_interval_s: float = setting(
        "BILLING_VERIFY_INTERVAL_S",
        3600.0,
        "Time between verifications of all balances, in the background; 0: none",
        ge=0,
        le=604_800,
    )
    verify_freeze: bool = setting(
        "BILLING_VERIFY_FREEZE", True, "Freeze an account whose balance the ledger does not prove"
    )
    reconcile_interval_s: float = setting(
        "BILLING_RECONCILE_INTERVAL_S",
        3600.0,
        "Time between comparisons with Stripe, which repair what its webhooks did not bring; 0: none",
        ge=0,
        le=604_800,
    )
    reconcile_requests_per_s: float = setting(
        "BILLING_RECONCILE_REQUESTS_PER_S",
        10.0,
        "Requests to Stripe a second at most, of a process, for comparisons",
        gt=0,
        le=100,
    )
