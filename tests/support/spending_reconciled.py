"""A journal of spending held against the stored rows, by plain SQL."""

from collections import defaultdict

from tests.support.client_journal import CREDIT, rows_of

_USAGE = (
    "SELECT t.account_id, t.transaction_id, t.source_id, e.amount FROM transactions t JOIN entries e ON "
    "e.account_id = t.account_id AND e.transaction_id = t.transaction_id WHERE e.destination = 'usage'"
)
_SQL = (
    "SELECT account_id, idempotency_key, reply FROM idempotency_keys",
    _USAGE,
    "SELECT account_id, balance, held, debt FROM accounts",
    "SELECT hold_id, state, amount, captured, released FROM holds",
)


def reconcile(journal, database, granted):
    """Holds the journal against the stored rows; answers what each account has used."""
    assert not [each for each in journal.asked.values() if each.outcome not in ("ok", "refused")]
    keys, usage, accounts, holds = rows_of(database, _SQL)
    told = {(each.request.account_id, each.request.idempotency_key): each for each in journal.having("ok")}
    owners = {each.key for each in journal.sessions}
    found = {}
    for account_id, key, reply in keys:
        if not key.startswith(("g-", "ses_")) and key not in owners:
            found[account_id, key] = type(told[account_id, key].reply).FromString(reply).transaction_id
    assert found == {name: each.reply.transaction_id for name, each in told.items()}
    used = defaultdict(int)
    for _, transaction_id, _, amount in usage:
        used[transaction_id] += amount
    charged = {each.reply.transaction_id: each.charged for each in told.values() if each.charged}
    closed = {}
    for metering in journal.sessions:
        if metering.closed is not None and metering.closed.charged_microcredits:
            closed[metering.closed.transaction_id] = metering.closed.charged_microcredits
            assert metering.closed.charged_microcredits <= metering.said
    assert dict(used) == charged | closed
    _check_holds(journal, holds)
    by_account = defaultdict(int)
    for account_id, _, _, amount in usage:
        by_account[account_id] += amount
    for account_id, balance, _, _ in accounts:
        assert balance == granted[account_id] * CREDIT - by_account[account_id], account_id
    return dict(by_account)


def _check_holds(journal, rows):
    """What each hold reserved and let out is what its callers were told."""
    stored = {hold_id: (amount, captured, released) for hold_id, _, amount, captured, released in rows}
    last = {}
    for asked in journal.having("ok"):
        if asked.rpc != "DeductCredits":
            last[asked.reply.hold.hold_id] = asked.reply.hold
    for hold_id, hold in last.items():
        told = (hold.amount_microcredits, hold.captured_microcredits, hold.released_microcredits)
        assert stored.pop(hold_id) == told, hold_id
    sessions = {each.opened.session_id for each in journal.sessions if each.opened is not None}
    assert stored.keys() <= sessions, "a hold that nobody was told of"
