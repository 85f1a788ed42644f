"""Commands on a terminal, as a person has one."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from fcntl import ioctl


def in_a_terminal(columns, *arguments, **env):
    """All that a command says on a terminal of this many columns, with what moves the cursor."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "billing_service.cli", *arguments],
        env={**plain, "TERM": "xterm", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):  # the other side of the terminal is closed
        while piece := os.read(ours, 65_536):
            said += piece
    os.close(ours)
    assert process.wait(60) == 0, said
    return said.decode()


def lines_of(said):
    """Lines without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()
