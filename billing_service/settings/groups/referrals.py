"""What a referral brings to both sides."""

from billing_service.settings.groups.setting import SettingsGroup, setting


class ReferralSettings(SettingsGroup):
    referral_bonus_credits: int = setting(
        "BILLING_REFERRAL_BONUS_CREDITS", 1000, "Bonus of each of the two, in credits", ge=0, le=1_000_000
    )
    referral_purchase_min_minor: int | None = setting(
        "BILLING_REFERRAL_PURCHASE_MIN_MINOR",
        None,
        "First purchase that earns the bonus; in usd 1,000 when absent",
        ge=0,
    )
    referral_rewards_max: int = setting(
        "BILLING_REFERRAL_REWARDS_MAX", 0, "Bonuses that one referrer may earn; 0: no limit", ge=0
    )
    referral_vesting_delay_s: int = setting(
        "BILLING_REFERRAL_VESTING_DELAY_S",
        1_209_600,
        "Time from the purchase until its bonuses can be spent",
        ge=0,
        le=31_536_000,
    )
