"""Sabotages of what credits may do: spending, lots, debt, refunds, referrals."""

from sabotage import Sabotage

SPENDING = "billing_service/domain/spending.py"
LOTS = "billing_service/domain/lots.py"
REFUND = "billing_service/commands/refund.py"
COMPLETION = "billing_service/commands/completion.py"
REFERRAL = "billing_service/commands/apply_referral.py"
PURCHASES = "billing_service/domain/purchases.py"
DEDUCTING = "domain/test_spending.py"
REFUNDING = "end_to_end/test_refunds_by_callers.py"
REFERRING = "end_to_end/test_referral_rules.py"
RULES = "end_to_end/test_rules_of_money.py"
SEED = "simulation/test_simulation.py::test_a_seed_that_failed_once"

MONEY = (
    Sabotage(
        "no guard against overdraft",
        "P2",
        SPENDING,
        "    if owed > room:",
        "    if owed > room + BALANCE_MAX:",
        (f"{DEDUCTING}::test_short_of_credits",),
    ),
    Sabotage(
        "debt without end",
        "P2",
        SPENDING,
        "            room = max(bound - still_owed, 0)\n",
        "            room = max(bound - still_owed, 0) if mode is DeductionMode.REJECT else owed\n",
        (f"{DEDUCTING}::test_debt_has_an_end", f"{RULES}::test_a_debt_that_is_allowed_has_a_bound[sqlite]"),
    ),
    Sabotage(
        "the bound of debt that was set is not the one that counts",
        "P2",
        SPENDING,
        "self.debt_max if own_debt_max < 0 else own_debt_max",
        "self.debt_max",
        (f"{DEDUCTING}::test_debt_has_an_end",),
    ),
    Sabotage(
        "the bound of debt in the settings is never looked at",
        "P2",
        "billing_service/bootstrap.py",
        "writer=LedgerWriter(store, system_clock_us, ids, terms=spending, **bounds)",
        "writer=LedgerWriter(store, system_clock_us, ids, **bounds)",
        (f"{RULES}::test_the_bound_of_debt_is_a_setting[sqlite]",),
    ),
    Sabotage(
        "frozen accounts spend",
        "P2",
        SPENDING,
        "    if account.frozen:\n        raise account_frozen()\n",
        "",
        (f"{DEDUCTING}::test_a_frozen_account_spends_nothing",),
    ),
    Sabotage(
        "amounts without a limit",
        "P3",
        "billing_service/api/validation.py",
        "AMOUNT_MICROCREDITS_MAX: Final = 1_000_000_000_000_000",
        "AMOUNT_MICROCREDITS_MAX: Final = 2**63 - 1",
        ("api/test_validation.py::test_amounts_out_of_range",),
    ),
    Sabotage(
        "balances without a limit",
        "P3",
        "billing_service/domain/granting.py",
        "    if held + lot.amount > BALANCE_MAX:",
        "    if lot.amount > BALANCE_MAX:",
        ("domain/test_granting.py::test_an_account_holds_no_more_than_its_limit",),
    ),
    Sabotage(
        "a lot is spendable at its last moment",
        "P41",
        LOTS,
        "self.expire_time_us > now_us)",
        "self.expire_time_us >= now_us)",
        ("domain/test_burn_down.py::test_a_lot_is_spendable_from_its_begin_to_before_its_end",),
    ),
    Sabotage(
        "expiry is booked a moment late",
        "P41",
        LOTS,
        "self.expire_time_us <= now_us\n",
        "self.expire_time_us < now_us\n",
        ("domain/test_burn_down.py::test_a_lot_is_spendable_from_its_begin_to_before_its_end",),
    ),
    Sabotage(
        "paid credits go first",
        "P4",
        LOTS,
        "return (lot.priority, expiry, lot.category,",
        "return (lot.priority, expiry, -lot.category,",
        ("domain/test_burn_down.py::test_free_credits_go_first_and_paid_ones_stay",),
    ),
    Sabotage(
        "a grant leaves debt standing",
        "P41",
        "billing_service/domain/granting.py",
        "    posting.into_new_lot(lot, source)\n    posting.settle_debt()\n",
        "    posting.into_new_lot(lot, source)\n",
        ("domain/test_granting.py::test_a_grant_settles_debt_first",),
    ),
    Sabotage(
        "debt paid without its entry's effect",
        "P1",
        "billing_service/domain/account.py",
        "            account.debt -= paid\n            account.balance += paid\n",
        "            account.debt -= paid\n",
        ("domain/test_granting.py::test_a_grant_settles_debt_first",),
    ),
    Sabotage(
        "a deduction is reversed again and again",
        "P4",
        SPENDING,
        "for part in parts) - deduction.already_reversed",
        "for part in parts)",
        ("domain/test_spending_reversals.py::test_never_more_than_was_taken",),
    ),
    Sabotage(
        "a reversal is not remembered",
        "P4",
        "billing_service/commands/reverse_deduction.py",
        "command.transaction_id, before + reversal.amount)",
        "command.transaction_id, reversal.amount)",
        ("end_to_end/test_spending_by_callers.py::test_reversals_in_parts_return_to_where_it_came_from[sqlite]",),
    ),
    Sabotage(
        "reversal targets rounded down",
        "P4",
        "billing_service/domain/reversals.py",
        "return -(-credits_microcredits * reversed_minor // paid_minor)",
        "return credits_microcredits * reversed_minor // paid_minor",
        ("domain/test_reversals.py::test_target_is_the_share_rounded_up",),
    ),
    Sabotage(
        "credits not set aside before Stripe is asked",
        "P4",
        REFUND,
        "unit, purchase, set_aside=True, caller=",
        "unit, purchase, set_aside=False, caller=",
        (f"{REFUNDING}::test_frozen_while_stripe_is_at_it_and_back_when_it_fails[sqlite]",),
    ),
    Sabotage(
        "credits given back though Stripe's answer is unknown",
        "P4",
        REFUND,
        "    except ProviderUnavailable as unavailable:\n        raise stripe_unavailable() from unavailable\n",
        "    except ProviderUnavailable as unavailable:\n"
        "        await environment.store.write(lambda: _give_back(environment, request, refund))\n"
        "        raise stripe_unavailable() from unavailable\n",
        ("end_to_end/test_stripe_is_down.py::test_refunds_are_made_once_whatever_stripe_does[sqlite]",),
    ),
    Sabotage(
        "a resumed refund does not look for itself at Stripe",
        "P4",
        REFUND,
        "await _find_made(provider, purchase, refund) if begun.resumed else None",
        "None",
        ("end_to_end/test_stripe_is_down.py::test_a_refund_resumed_after_stripe_forgot_the_key_is_not_made_again[sqlite]",),
    ),
    Sabotage(
        "a refund asks for the payment seen when its call came",
        "P8",
        REFUND,
        "    return _Begun(purchase, refund, resumed=False)\n",
        "    return _Begun(seen, refund, resumed=False)\n",
        (f"{SEED}[55]",),
    ),
    Sabotage(
        "credits wait for the clock that gave them",
        "P47",
        "billing_service/domain/granting.py",
        "effective_time_us=AT_ONCE_US if effective_time_us is None or effective_time_us <= now_us else",
        "effective_time_us=now_us if effective_time_us is None or effective_time_us <= now_us else",
        (f"{SEED}[29]",),
    ),
    Sabotage(
        "old news of a refund counts",
        "P30b",
        "billing_service/commands/refund_news.py",
        "if named_now or news.status.rank > refund.status.rank:",
        "if named_now or news.status.rank >= 0:",
        ("end_to_end/test_event_orders.py::test_a_refund_of_ours_ends_as_stripe_says_whatever_the_order[sqlite-failed-end1]",),
    ),
    Sabotage(
        "completed purchases can be undone",
        "P5",
        PURCHASES,
        "completed: (completed,) * len(columns),",
        "completed: (completed, awaiting, failed, completed, expired, canceled),",
        ("domain/test_purchases.py::test_money_always_completes_and_nothing_undoes_it",),
    ),
    Sabotage(
        "a completed purchase grants again",
        "P5",
        COMPLETION,
        " and before is not PurchaseStatus.COMPLETED:",
        ":",
        ("end_to_end/test_event_orders.py::test_delayed_money_in_every_order[sqlite-succeeded-3-1100]",),
    ),
    Sabotage(
        "both bonuses with every purchase",
        "P6",
        COMPLETION,
        "if referral is not None and referral.state is ReferralState.PENDING:",
        "if referral is not None:",
        (f"{REFERRING}::test_one_first_purchase_is_rewarded_however_many_are_paid_at_once[sqlite]",),
    ),
    Sabotage(
        "an account refers itself",
        "P6",
        REFERRAL,
        "    if referrer == account_id:\n",
        "    if not referrer:\n",
        (f"{REFERRING}::test_no_circle_closes[sqlite-1]",),
    ),
    Sabotage(
        "circles of referrals",
        "P6",
        REFERRAL,
        "    if account_id in above or len(above)",
        "    if len(above)",
        (f"{REFERRING}::test_no_circle_closes[sqlite-3]",),
    ),
    Sabotage(
        "a second referrer replaces the first",
        "P6",
        REFERRAL,
        "    if (yield from count_completed(account_id)):\n",
        "    if (yield from count_completed(account_id)) < 0:\n",
        (f"{REFERRING}::test_bound_once_and_in_time[sqlite]",),
    ),
)
