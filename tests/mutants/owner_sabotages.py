"""Sabotages of whose an object at Stripe is, and of what kind of money a ledger holds."""

from sabotage import Sabotage

DEPLOYMENT = "billing_service/domain/deployment.py"
OWNERSHIP = "billing_service/stripe_events/ownership.py"
MARKS = "domain/test_deployment.py"
WHOSE = "stripe_events/test_ownership.py::test_whose_it_is[sqlite]"
TWO = "end_to_end/test_two_deployments.py"
STRANGERS = "end_to_end/test_events_of_strangers.py"
BEFORE_MARKS = "end_to_end/test_objects_before_marks.py"
MODES = "cli/test_modes.py"
STARTS = (f"{MODES}::test_a_service_starts_on_a_ledger_of_its_mode_alone",)
RESTORES = (f"{MODES}::test_a_backup_goes_back_where_its_mode_is_said",)

OWNERS = (
    Sabotage(
        "a mark without the deployment's id",
        "P49",
        DEPLOYMENT,
        "_encoded(self.deployment_id, kind, own_id)",
        "_encoded(kind, own_id)",
        (f"{MARKS}::test_a_mark_is_good_for_one_object_of_one_deployment", WHOSE),
    ),
    Sabotage(
        "a mark without the kind",
        "P49",
        DEPLOYMENT,
        "_encoded(self.deployment_id, kind, own_id)",
        '_encoded(self.deployment_id, "", own_id)',
        (f"{MARKS}::test_a_mark_is_good_for_one_object_of_one_deployment", WHOSE),
    ),
    Sabotage(
        "the parts of a mark run into each other",
        "P49",
        DEPLOYMENT,
        'return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part',
        'return b"".join(part for part',
        (f"{MARKS}::test_no_two_sayings_are_one",),
    ),
    Sabotage(
        "marks are not checked",
        "P49",
        DEPLOYMENT,
        "return hmac.compare_digest(self.mark(kind, own_id).encode(), mark.encode())",
        "return bool(mark)",
        (f"{MARKS}::test_what_is_not_the_mark_proves_nothing", WHOSE, f"{TWO}::test_the_same_account_in_two_deployments[sqlite]"),
    ),
    Sabotage(
        "marks are compared with ==",
        "P49",
        DEPLOYMENT,
        "return hmac.compare_digest(self.mark(kind, own_id).encode(), mark.encode())",
        "return self.mark(kind, own_id) == mark",
        ("security/test_secret_comparison.py::test_a_mark_is_compared_in_constant_time",),
    ),
    Sabotage(
        "a customer is whose account it names",
        "P49",
        OWNERSHIP,
        "    if not deployment.made(MarkKind.CUSTOMER, claim.account_id, claim.mark):\n        return FOREIGN\n",
        "",
        (WHOSE, f"{TWO}::test_a_stranger_s_customer_never_gets_onto_an_account[sqlite]"),
    ),
    Sabotage(
        "an unmarked payment of a new purchase is believed",
        "P49",
        OWNERSHIP,
        "return known if purchase is not None and purchase.create_time_us < deployment.create_time_us else None",
        "return known if purchase is not None else None",
        (WHOSE,),
    ),
    Sabotage(
        "an unmarked payment of an old purchase is not believed",
        "P49",
        OWNERSHIP,
        "    if known is None and not claim.mark:\n",
        "    if known is None and not claim.stripe_id:\n",
        (WHOSE, f"{BEFORE_MARKS}::test_one_word_of_a_refund_is_enough[sqlite]"),
    ),
    Sabotage(
        "a payment that another deployment marked is believed by the purchase that it names",
        "P49",
        OWNERSHIP,
        "    if known is None and not claim.mark:\n",
        "    if known is None:\n",
        (WHOSE,),
    ),
    Sabotage(
        "an id at Stripe that we know needs a mark",
        "P49",
        OWNERSHIP,
        "    known = yield from _known(claim.stripe_id)\n",
        "    known = (yield from _known(claim.stripe_id)) if claim.mark else None\n",
        (WHOSE, f"{BEFORE_MARKS}::test_a_purchase_that_was_open_at_the_upgrade_ends_as_any_other[sqlite]"),
    ),
    Sabotage(
        "what was lost is taken for a stranger's",
        "P49",
        OWNERSHIP,
        "return (yield from _known(claim.purchase_id)) or LOST",
        "return (yield from _known(claim.purchase_id))",
        (WHOSE, f"{TWO}::test_a_copy_that_is_not_renewed_takes_what_it_does_not_know_for_lost[sqlite]"),
    ),
    Sabotage(
        "what is lost raises no alarm",
        "P49",
        "billing_service/stripe_events/effect.py",
        "return quarantined(_LOST) if _money_moved(fact) else ignored(_LOST)",
        "return ignored(_LOST)",
        (f"{TWO}::test_a_copy_that_is_not_renewed_takes_what_it_does_not_know_for_lost[sqlite]",),
    ),
    Sabotage(
        "a refund is the one whose id it names",
        "P49",
        "billing_service/commands/refund_news.py",
        "if news.is_ours or not carries_mark(deployment, refund)",
        "if True",
        (f"{BEFORE_MARKS}::test_a_stranger_s_refund_that_names_ours_is_another_one[sqlite]",),
    ),
    Sabotage(
        "a refund of an older program must have a mark",
        "P49",
        "billing_service/commands/refund_news.py",
        "if news.is_ours or not carries_mark(deployment, refund)",
        "if news.is_ours",
        (f"{BEFORE_MARKS}::test_a_refund_that_was_under_way_at_the_upgrade_is_one_refund[sqlite]",),
    ),
    Sabotage(
        "a stranger's object that can't be read is quarantined",
        "P49",
        "billing_service/stripe_events/effect.py",
        "    if owner.whose is Whose.FOREIGN:\n",
        "    if owner.whose is Whose.FOREIGN and not isinstance(fact, Unreadable):\n",
        (f"{STRANGERS}::test_strangers_are_ignored_whatever_they_say_and_leave_only_the_event[sqlite]",),
    ),
    Sabotage(
        "a wait for a payment leaves a row",
        "P49",
        "billing_service/storage/purchase_rows.py",
        "    if (yield RELEASE_REFERENCE(reference)) == 1:\n        return None\n",
        "",
        (f"{STRANGERS}::test_a_refund_of_nobody_s_payment_waits_and_leaves_only_the_event[sqlite]",),
    ),
    Sabotage(
        "who binds a payment does not wait for those that wait for it",
        "P49",
        "billing_service/storage/purchase_rows.py",
        '    yield CLAIM_REFERENCE(reference, "", "")\n    if (yield RELEASE_REFERENCE(reference)) == 1:\n        return None\n'
        "    return (yield from find_purchase(reference))\n",
        "    return (yield from find_purchase(reference))\n",
        ("storage/test_awaited_references.py::test_whoever_binds_waits_for_an_event_that_is_about_to_wait",),
    ),
    Sabotage(
        "a renewed deployment keeps its key",
        "P49",
        "billing_service/storage/deployment_rows.py",
        '.values(deployment_id=bindparam("deployment_id"), mark_key=bindparam("mark_key"), create_time_us=bindparam("create_time_us")),\n'
        '    "deployment_id",\n    "mark_key",\n    "create_time_us",\n',
        '.values(deployment_id=bindparam("deployment_id"), create_time_us=bindparam("create_time_us")),\n'
        '    "deployment_id",\n    "mark_key",\n    "create_time_us",\n',
        ("cli/test_cli_deployment.py::test_a_renewed_ledger_has_another_id_and_key_and_its_mode",),
    ),
    Sabotage(
        "the mode is not compared",
        "P51",
        "billing_service/commands/deployment.py",
        "    if found.mode is not new.mode:\n",
        "    if False:\n",
        STARTS,
    ),
    Sabotage(
        "the checkouts of an older ledger prove nothing",
        "P51",
        "billing_service/commands/deployment.py",
        "    if new.mode not in possible:\n",
        "    if False:\n",
        STARTS,
    ),
    Sabotage(
        "a stand-in is as good as Stripe",
        "P51",
        "billing_service/settings/values.py",
        "return urlsplit(api_base).hostname == urlsplit(STRIPE_API).hostname",
        "return True",
        (f"{MODES}::test_a_stand_in_is_known_by_its_address", *STARTS),
    ),
    Sabotage(
        "a stand-in is whatever does not begin as Stripe's address",
        "P51",
        "billing_service/settings/values.py",
        "return urlsplit(api_base).hostname == urlsplit(STRIPE_API).hostname",
        "return api_base.startswith(STRIPE_API)",
        (f"{MODES}::test_a_stand_in_is_known_by_its_address",),
    ),
    Sabotage(
        "a restore without a mode takes any ledger",
        "P51",
        "billing_service/operations/restore.py",
        "    if mode is None and manifest.contents.mode:\n",
        "    if False:\n",
        (*RESTORES, f"{MODES}::test_play_money_of_the_sandbox_never_reaches_a_live_service"),
    ),
    Sabotage(
        "a restore compares no modes",
        "P51",
        "billing_service/operations/restore.py",
        "    if mode is not None and mode not in possible:\n",
        "    if False:\n",
        RESTORES,
    ),
    Sabotage(
        "a manifest may say another mode than the ledger",
        "P51",
        "billing_service/operations/manifest.py",
        "        **_deployment(connection, tables),\n",
        "",
        ("cli/test_backup.py", *RESTORES),
    ),
)
