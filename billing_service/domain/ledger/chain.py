"""The hash chain of an account's transactions: a changed, missing, added or reordered row no longer fits its
successors.

    hash = SHA-256( hash of the transaction before | canonical text, UTF-8 )

The canonical text holds every column and every entry, numbers in decimal, each word behind its length in code points,
so that no two different transactions have the same text. Unicode is taken as it is: two spellings of one word are two
words. Vectors in tests/domain fix both formats for ever.

Format 1 holds description and metadata themselves, so that erasing either breaks the chain. Format 2 holds their
salted digest instead, the digest of the price record, and behind the entries the time as of which the transaction
counts, where it has one. A digest alone proves nothing of an erased text: whoever
guesses the text still lacks the salt.
"""

from hashlib import sha256
from typing import Final

from billing_service.domain.ledger.entries import Transaction

GENESIS = bytes(32)
"""The hash before an account's first transaction."""
SALT_BYTES: Final = 16


def canonical(transaction: Transaction) -> str:
    """What is hashed of a transaction, besides the hash before it."""
    t = transaction
    moved = "".join([f"{amount},{len(source)}:{source},{len(place)}:{place};" for source, place, amount in t.entries])
    columns = (
        f"{t.version},{int(t.kind)},{t.amount},{t.balance_after},{t.create_time_us},{len(t.entries)};"
        f"{len(t.account_id)}:{t.account_id};{len(t.transaction_id)}:{t.transaction_id};{len(t.previous_id)}:{t.previous_id};"
        f"{len(t.source_id)}:{t.source_id};{len(t.caller)}:{t.caller};"
    )
    if t.chain_format == 1:
        return f"{columns}{len(t.description)}:{t.description};{len(t.metadata)}:{t.metadata};{moved}"
    texts = texts_digest(t).hex()
    price = sha256(t.price_record).hexdigest() if t.price_record else ""
    effective = f"@{t.effective_time_us};" if t.effective_time_us else ""
    return f"{t.chain_format};{columns}{len(texts)}:{texts};{len(price)}:{price};{moved}{effective}"


def texts_digest(transaction: Transaction) -> bytes:
    """Stands for description and metadata: SHA-256( salt | description | metadata ), each text behind its length. Empty
    where there are neither. Of erased texts, the digest that was kept."""
    t = transaction
    if not (t.salt or t.description or t.metadata):
        return t.erased_digest
    texts = f"{len(t.description)}:{t.description};{len(t.metadata)}:{t.metadata};"
    return sha256(t.salt + texts.encode()).digest()


def link(previous_hash: bytes, transaction: Transaction) -> bytes:
    """The hash of a transaction that follows the one of `previous_hash`."""
    return sha256(previous_hash + canonical(transaction).encode()).digest()
