"""Sabotages of whose an object at Stripe is, and of what kind of money a ledger holds."""

from tests.mutants.sabotage import Sabotage

DEPLOYMENT = "billing_service.domain.deployment"
OWNERSHIP = "billing_service.stripe_events.ownership"
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
        f"{DEPLOYMENT}:Deployment.mark.said",
        "_encoded(self.deployment_id, kind, own_id)",
        "_encoded(kind, own_id)",
        (f"{MARKS}::test_a_mark_is_good_for_one_object_of_one_deployment", WHOSE),
    ),
    Sabotage(
        "a mark without the kind",
        "P49",
        f"{DEPLOYMENT}:Deployment.mark.said",
        "kind",
        '""',
        (f"{MARKS}::test_a_mark_is_good_for_one_object_of_one_deployment", WHOSE),
    ),
    Sabotage(
        "the parts of a mark run into each other",
        "P49",
        f"{DEPLOYMENT}:_encoded",
        'len(part).to_bytes(_LENGTH_BYTES, "big") + part',
        "part",
        (f"{MARKS}::test_no_two_sayings_are_one",),
    ),
    Sabotage(
        "marks are not checked",
        "P49",
        f"{DEPLOYMENT}:Deployment.made",
        "hmac.compare_digest(self.mark(kind, own_id).encode(), mark.encode())",
        "bool(mark)",
        (
            f"{MARKS}::test_what_is_not_the_mark_proves_nothing",
            WHOSE,
            f"{TWO}::test_the_same_account_in_two_deployments[sqlite]",
        ),
    ),
    Sabotage(
        "marks are compared with ==",
        "P49",
        f"{DEPLOYMENT}:Deployment.made",
        "hmac.compare_digest(self.mark(kind, own_id).encode(), mark.encode())",
        "self.mark(kind, own_id) == mark",
        ("security/test_secret_comparison.py::test_a_mark_is_compared_in_constant_time",),
    ),
    Sabotage(
        "a customer is whose account it names",
        "P49",
        f"{OWNERSHIP}:of_customer",
        ("if not deployment.made(MarkKind.CUSTOMER, claim.account_id, claim.mark):\n    return FOREIGN"),
        "",
        (WHOSE, f"{TWO}::test_a_stranger_s_customer_never_gets_onto_an_account[sqlite]"),
    ),
    Sabotage(
        "an unmarked payment of a new purchase is believed",
        "P49",
        f"{OWNERSHIP}:_made_before_marks",
        "purchase is not None and purchase.create_time_us < deployment.create_time_us",
        "purchase is not None",
        (WHOSE,),
    ),
    Sabotage(
        "an unmarked payment of an old purchase is not believed",
        "P49",
        f"{OWNERSHIP}:_known_or_named",
        "claim.mark",
        "claim.stripe_id",
        (WHOSE, f"{BEFORE_MARKS}::test_one_word_of_a_refund_is_enough[sqlite]"),
    ),
    Sabotage(
        "a payment that another deployment marked is believed by the purchase that it names",
        "P49",
        f"{OWNERSHIP}:_known_or_named",
        "known is None and not claim.mark",
        "known is None",
        (WHOSE,),
    ),
    Sabotage(
        "an id at Stripe that we know needs a mark",
        "P49",
        f"{OWNERSHIP}:of_checkout",
        "known = yield from _known(claim.stripe_id)",
        "known = (yield from _known(claim.stripe_id)) if claim.mark else None",
        (WHOSE, f"{BEFORE_MARKS}::test_a_purchase_that_was_open_at_the_upgrade_ends_as_any_other[sqlite]"),
    ),
    Sabotage(
        "what was lost is taken for a stranger's",
        "P49",
        f"{OWNERSHIP}:_marked_purchase",
        "return (yield from _known(claim.purchase_id)) or LOST",
        "return (yield from _known(claim.purchase_id))",
        (WHOSE, f"{TWO}::test_a_copy_that_is_not_renewed_takes_what_it_does_not_know_for_lost[sqlite]"),
    ),
    Sabotage(
        "what is lost raises no alarm",
        "P49",
        "billing_service.stripe_events.effect:_effect",
        "quarantined(LOST_NOTE) if _moves_money(event) else ignored(LOST_NOTE)",
        "ignored(LOST_NOTE)",
        (f"{TWO}::test_a_copy_that_is_not_renewed_takes_what_it_does_not_know_for_lost[sqlite]",),
    ),
    Sabotage(
        "a refund is the one whose id it names",
        "P49",
        "billing_service.commands.sales.refund_update:_find",
        "update.is_ours or not carries_mark(deployment, refund)",
        "True",
        (f"{BEFORE_MARKS}::test_a_stranger_s_refund_that_names_ours_is_another_one[sqlite]",),
    ),
    Sabotage(
        "a refund of an older program must have a mark",
        "P49",
        "billing_service.commands.sales.refund_update:_find",
        "update.is_ours or not carries_mark(deployment, refund)",
        "update.is_ours",
        (f"{BEFORE_MARKS}::test_a_refund_that_was_under_way_at_the_upgrade_is_one_refund[sqlite]",),
    ),
    Sabotage(
        "a stranger's object that can't be read is quarantined",
        "P49",
        "billing_service.stripe_events.effect:_effect",
        "owner.whose is Whose.FOREIGN",
        "owner.whose is Whose.FOREIGN and not isinstance(event, Unreadable)",
        (f"{STRANGERS}::test_strangers_are_ignored_whatever_they_say_and_leave_only_the_event[sqlite]",),
    ),
    Sabotage(
        "a wait for a payment leaves a row",
        "P49",
        "billing_service.storage.rows.purchases:await_reference",
        ("if (yield RELEASE_REFERENCE(reference)) == 1:\n    return None"),
        "",
        (f"{STRANGERS}::test_a_refund_of_nobody_s_payment_waits_and_leaves_only_the_event[sqlite]",),
    ),
    Sabotage(
        "who binds a payment does not wait for those that wait for it",
        "P49",
        "billing_service.storage.rows.purchases:await_reference",
        ('yield CLAIM_REFERENCE(reference, "", "")\nif (yield RELEASE_REFERENCE(reference)) == 1:\n    return None'),
        "",
        ("storage/test_awaited_references.py::test_whoever_binds_waits_for_an_event_that_is_about_to_wait",),
    ),
    Sabotage(
        "a renewed deployment keeps its key",
        "P49",
        "billing_service.storage.rows.deployment:RENEW",
        (
            "update(deployment).where(_ONLY).values(deployment_id=bindparam('deployment_id'), "
            "mark_key=bindparam('mark_key'), create_time_us=bindparam('create_time_us'))"
        ),
        (
            "update(deployment).where(_ONLY).values(deployment_id=bindparam('deployment_id'), "
            "create_time_us=bindparam('create_time_us'))"
        ),
        ("cli/test_cli_deployment.py::test_a_renewed_ledger_has_another_id_and_key_and_its_mode",),
    ),
    Sabotage(
        "the mode is not compared",
        "P51",
        "billing_service.commands.access.deployment:ensure_deployment",
        "found.mode is not new.mode",
        "False",
        STARTS,
    ),
    Sabotage(
        "the checkouts of an older ledger prove nothing",
        "P51",
        "billing_service.commands.access.deployment:_claim",
        "new.mode not in possible",
        "False",
        STARTS,
    ),
    Sabotage(
        "a stand-in is as good as Stripe",
        "P51",
        "billing_service.settings.values:is_stripes_own",
        "urlsplit(api_base).hostname == urlsplit(STRIPE_API).hostname",
        "True",
        (f"{MODES}::test_a_stand_in_is_known_by_its_address", *STARTS),
    ),
    Sabotage(
        "a stand-in is whatever does not begin as Stripe's address",
        "P51",
        "billing_service.settings.values:is_stripes_own",
        "urlsplit(api_base).hostname == urlsplit(STRIPE_API).hostname",
        "api_base.startswith(STRIPE_API)",
        (f"{MODES}::test_a_stand_in_is_known_by_its_address",),
    ),
    Sabotage(
        "a restore without a mode takes any ledger",
        "P51",
        "billing_service.integrity.restore:_confirm_mode",
        "mode is None and manifest.contents.mode",
        "False",
        (*RESTORES, f"{MODES}::test_play_money_of_the_sandbox_never_reaches_a_live_service"),
    ),
    Sabotage(
        "a restore compares no modes",
        "P51",
        "billing_service.integrity.restore:_confirm_mode",
        "mode is not None and mode not in possible",
        "False",
        RESTORES,
    ),
    Sabotage(
        "a manifest may say another mode than the ledger",
        "P51",
        "billing_service.integrity.manifest:contents",
        (
            "Contents(migration=migration, counts=counts, sums={name: _one_integer(connection, query) for "
            "name, query in _SUMS.items()}, heads=_heads(connection), **_deployment(connection, tables))"
        ),
        (
            "Contents(migration=migration, counts=counts, sums={name: _one_integer(connection, query) for "
            "name, query in _SUMS.items()}, heads=_heads(connection))"
        ),
        ("cli/test_backup.py", *RESTORES),
    ),
)
