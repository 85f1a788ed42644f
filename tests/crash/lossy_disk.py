"""The disk that a recorded process wrote to, as power loss at any moment would leave it: what was synced is there, the
rest may not be."""

import struct
from itertools import pairwise

HEAD = struct.Struct("=cc q q")
SUFFIXES = {b"d": "", b"w": "-wal", b"j": "-journal"}
SECTOR = 512
"""What a disk writes whole or not at all."""


def read_records(path):
    """(kind, file, offset, bytes, position after it) of each record."""
    log = path.read_bytes()
    at = 0
    while at < len(log):
        kind, file, offset, length = HEAD.unpack_from(log, at)
        begin = at + HEAD.size
        at = begin + (length if kind == b"w" else 0)
        yield kind, file, offset, log[begin:at], at


class LossyFile:
    """What of one file is safe, and what waits for a sync."""

    def __init__(self, content=b""):
        self.safe = bytearray(content)
        self.waiting = []

    def sync(self):
        for step in self.waiting:
            _apply(self.safe, *step)
        self.waiting.clear()

    def after_loss(self, chance):
        """Without `chance` all that was not synced is lost; with it, any sectors of it, the later ones before the
        earlier too."""
        left = bytearray(self.safe)
        if chance is not None:
            for kind, offset, content in self.waiting:
                bounds = _sectors(offset, len(content))
                parts = (
                    [(kind, offset, content)]
                    if kind == b"t"
                    else [(kind, a, content[a - offset : b - offset]) for a, b in bounds]
                )
                for part in parts:
                    if chance.random() < 0.5:
                        _apply(left, *part)
        return bytes(left)


def _sectors(offset, length):
    end = offset + length
    return pairwise([offset, *range((offset // SECTOR + 1) * SECTOR, end, SECTOR), end])


def _apply(content, kind, offset, written):
    if kind == b"t":
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(written)] = written


class LossyDisk:
    """Follows the records; `lose_power` may be asked between any two."""

    def __init__(self, database):
        self._files = {b"d": LossyFile(database)}
        self._named = dict(self._files)
        """As the directory was last synced: a file made since has no name yet, and one that was removed has it
        still."""
        self.syncs = 0
        self.checkpoints = 0
        """Syncs of the database's own file."""

    def follow(self, kind, file, offset, written):
        if file == b".":
            self._named = dict(self._files)
        elif kind == b"u":
            self._files.pop(file, None)
        elif kind == b"s":
            self.syncs += 1
            self.checkpoints += file == b"d"
            self._files.setdefault(file, LossyFile()).sync()
        else:
            self._files.setdefault(file, LossyFile()).waiting.append((kind, offset, written))

    def lose_power(self, path, chance=None):
        """Writes the files that are left."""
        path.parent.mkdir(parents=True)
        for file, left in self._named.items():
            path.with_name(path.name + SUFFIXES[file]).write_bytes(left.after_loss(chance))
