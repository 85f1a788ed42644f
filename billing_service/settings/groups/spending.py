"""Bounds of deductions, and how many share a transaction."""

from billing_service.settings.groups.setting import SettingsGroup, setting
from billing_service.settings.values import OutcomePoliciesText, TimeZone


class SpendingSettings(SettingsGroup):
    debt_max_credits: int = setting(
        "BILLING_DEBT_MAX_CREDITS",
        10_000,
        "What ALLOW_DEBT may bring an account's debt to, in credits",
        ge=0,
        le=1_000_000_000,
    )
    returned_credits_lifetime_s: int = setting(
        "BILLING_RETURNED_CREDITS_LIFETIME_S",
        2_592_000,
        "How long credits last that come back of debt whose payer is not known",
        ge=1,
        le=31_536_000,
    )
    reversal_window_s: int = setting(
        "BILLING_REVERSAL_WINDOW_S",
        604_800,
        "How long a caller may reverse its deductions; `admin` may always",
        ge=0,
        le=31_536_000,
    )
    usage_age_max_s: int = setting(
        "BILLING_USAGE_AGE_MAX_S",
        86_400,
        "How long ago a usage may have been whose own time chooses its price; older usage costs what it costs now",
        ge=0,
        le=2_592_000,
    )
    late_capture_s: int = setting(
        "BILLING_LATE_CAPTURE_S",
        900,
        "How long after its end a hold may still be captured, once, as an ordinary charge",
        ge=0,
        le=86_400,
    )
    outcome_policies: OutcomePoliciesText = setting(
        "BILLING_OUTCOME_POLICIES",
        "",
        "What broken model calls cost, where not the default: `PROVIDER/MODEL OUTCOME CHARGE`, …",
    )
    time_zone: TimeZone = setting(
        "BILLING_TIME_ZONE",
        "UTC",
        "IANA zone in which the days and months of spend limits begin, such as `Europe/Berlin`",
    )
    batch_operations_max: int = setting(
        "BILLING_BATCH_OPERATIONS_MAX", 512, "Ledger operations in one transaction", ge=1, le=4096
    )
    batch_gather_ms: float = setting(
        "BILLING_BATCH_GATHER_MS", 5.0, "Longest wait for more operations to join a transaction", ge=0, le=10
    )
