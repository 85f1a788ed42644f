"""The ways in which a point fails, for each store and for the payment provider."""

from tests.support.fault_points import AFTER, BEFORE, DATABASE, PROVIDER, Mode

CLEAN, CANCELLED, UNPLANNED = "clean", "cancelled", "unplanned"
STORAGE, CONFLICT, STRIPE = "STORAGE_UNAVAILABLE", "CONFLICT", "STRIPE_UNAVAILABLE"
ERROR, DISCONNECT, CANCEL, TWICE, TERMINATE = "error", "disconnect", "cancel", "twice", "terminate"
UNREACHABLE, KEY_SPENT, DEFECT = "unreachable", "key spent", "defect"
MAY_LEAK = frozenset({DISCONNECT, CANCEL, TWICE, TERMINATE})
"""After which a store is closed, to see that closing does not wait for ever."""


def _database(name, when, kind, code, answer, **more):
    return Mode(name, DATABASE, when, kind, code, frozenset({answer}), **more)


def _both(name, kind, code, answer, **more):
    return tuple(_database(f"{name}, {when}", when, kind, code, answer, **more) for when in (BEFORE, AFTER))


_CANCELS = _both("caller cancelled", CANCEL, "", CANCELLED)

SQLITE = (
    # A defect of ours or of the driver: the only modes that may end in an unplanned exception.
    _database("unknown error", BEFORE, ERROR, "SQLITE_ERROR", UNPLANNED),
    _database("constraint", BEFORE, ERROR, "SQLITE_CONSTRAINT_PRIMARYKEY", UNPLANNED),
    *_both("SQLITE_IOERR", ERROR, "SQLITE_IOERR", STORAGE),
    _database("SQLITE_FULL", BEFORE, ERROR, "SQLITE_FULL", STORAGE),
    _database("SQLITE_BUSY", BEFORE, ERROR, "SQLITE_BUSY", CLEAN),
    _database("SQLITE_BUSY_SNAPSHOT", BEFORE, ERROR, "SQLITE_BUSY_SNAPSHOT", CLEAN),
    _database("SQLITE_BUSY for good", BEFORE, ERROR, "SQLITE_BUSY", CONFLICT, for_good=True),
    _database("rollback fails too", BEFORE, TWICE, "SQLITE_IOERR", STORAGE),
    # A connection to a file is not lost unless the process is: what heals it is a restart.
    *_both("disconnect", DISCONNECT, "", STORAGE, restart=True),
    *_CANCELS,
)

POSTGRESQL = (
    _database("unknown error", BEFORE, ERROR, "42601", UNPLANNED),
    _database("constraint", BEFORE, ERROR, "23505", UNPLANNED),
    *_both("58030", ERROR, "58030", STORAGE),
    _database("53100", BEFORE, ERROR, "53100", STORAGE),
    _database("40001", BEFORE, ERROR, "40001", CLEAN),
    _database("40P01", BEFORE, ERROR, "40P01", CLEAN),
    _database("55P03", BEFORE, ERROR, "55P03", CLEAN),
    _database("40001 for good", BEFORE, ERROR, "40001", CONFLICT, for_good=True),
    _database("rollback fails too", BEFORE, TWICE, "58030", STORAGE),
    *_both("57P01", TERMINATE, "57P01", STORAGE),
    *_both("disconnect", DISCONNECT, "", STORAGE),
    *_CANCELS,
)


def _provider(name, kind, *answers):
    return tuple(
        Mode(f"Stripe {name}, {when}", PROVIDER, when, kind, "", frozenset(answers)) for when in (BEFORE, AFTER)
    )


STRIPE_MODES = (
    *_provider("unreachable", UNREACHABLE, STRIPE, CLEAN),
    *_provider("key spent", KEY_SPENT, STRIPE, CLEAN),
    *_provider("client breaks", DEFECT, UNPLANNED),
    *_provider("caller cancelled", CANCEL, CANCELLED),
)

MODES = {"sqlite": (*SQLITE, *STRIPE_MODES), "postgresql": (*POSTGRESQL, *STRIPE_MODES)}

NOTHING = {domain: Mode("nothing", domain, BEFORE, "", "", frozenset()) for domain in (DATABASE, PROVIDER)}
"""Counts a domain's points without striking."""
