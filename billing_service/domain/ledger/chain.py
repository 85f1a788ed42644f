"""The hash chain of an account's transactions: a changed, missing, added or reordered row no longer fits its
successors.

    hash = SHA-256( hash of the transaction before | canonical text, UTF-8 )

The canonical text holds every column and every entry, numbers in decimal, each word behind its length in code points,
so that no two different transactions have the same text. Unicode is taken as it is: two spellings of one word are two
words. Vectors in tests/domain fix it for ever.
"""

from hashlib import sha256

from billing_service.domain.ledger.entries import Transaction

GENESIS = bytes(32)
"""The hash before an account's first transaction."""


def canonical(transaction: Transaction) -> str:
    """What is hashed of a transaction, besides the hash before it."""
    t = transaction
    moved = "".join([f"{amount},{len(source)}:{source},{len(place)}:{place};" for source, place, amount in t.entries])
    return (
        f"{t.version},{int(t.kind)},{t.amount},{t.balance_after},{t.create_time_us},{len(t.entries)};"
        f"{len(t.account_id)}:{t.account_id};{len(t.transaction_id)}:{t.transaction_id};{len(t.previous_id)}:{t.previous_id};"
        f"{len(t.source_id)}:{t.source_id};{len(t.caller)}:{t.caller};{len(t.description)}:{t.description};{len(t.metadata)}:{t.metadata};"
        f"{moved}"
    )


def link(previous_hash: bytes, transaction: Transaction) -> bytes:
    """The hash of a transaction that follows the one of `previous_hash`."""
    return sha256(previous_hash + canonical(transaction).encode()).digest()
