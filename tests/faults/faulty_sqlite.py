"""SQLite's own connection, failing where it is told: stands in for the one that the store's aiosqlite connection
holds."""

import sqlite3

from tests.support.fault_modes import CANCEL, DISCONNECT, TWICE
from tests.support.fault_points import BEFORE, DATABASE


def error_of(name):
    """A real sqlite3 error, as the module raises it."""
    kind = sqlite3.IntegrityError if name.startswith("SQLITE_CONSTRAINT") else sqlite3.OperationalError
    error = kind(f"told to fail: {name}")
    error.sqlite_errorname = name
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error


class FaultySqliteConnection:
    """Passes everything on to the real connection; lives in that connection's thread."""

    def __init__(self, raw, points):
        self._raw = raw
        self._points = points

    def __getattr__(self, name):
        return getattr(self._raw, name)

    def execute(self, sql, *arguments):
        return self._at_point(sql, lambda: self._raw.execute(sql, *arguments))

    def executemany(self, sql, rows):
        return self._at_point(sql, lambda: self._raw.executemany(sql, rows))

    def _at_point(self, sql, run):
        name = " ".join(sql.split()[:3])
        if name == "ROLLBACK" and self._points.rollback_fails:
            self._points.rollback_fails = False
            raise error_of("SQLITE_IOERR")
        strike = self._points.reach(DATABASE, name)
        if strike is None:
            return run()
        if strike.when == BEFORE:
            self._strike(strike.mode)
            return run()
        cursor = run()
        if strike.mode.kind != CANCEL:
            cursor.close()  # an error in the middle of its rows ends a statement; left open it would hold its snapshot
        self._strike(strike.mode)
        return cursor

    def _strike(self, mode):
        if mode.kind == CANCEL:
            self._points.cancel_from_thread()
        elif mode.kind == DISCONNECT:
            self._raw.close()
            self._raw.execute("SELECT 1")
        else:
            if mode.kind == TWICE:
                self._points.rollback_fails = True
            if mode.code == "SQLITE_FULL" and self._raw.in_transaction:
                self._raw.execute("ROLLBACK")  # as SQLite itself does on some of these errors
            raise error_of(mode.code)


def put_faults(store, points):
    """Makes every statement of an open store a point."""
    for connection in (store._writer, *store._all_readers):
        connection._connection = FaultySqliteConnection(connection._connection, points)


def open_transactions(store):
    """Connections that are in a transaction although nothing runs."""
    return sum(connection.in_transaction for connection in (store._writer, *store._all_readers))
