"""Migrates the database that it is given, once for each line of standard input. A line is a number N: the migrating
process is killed at its Nth statement or commit. Answers how each ended, as a line."""

import os
import signal
import sys

from sqlalchemy import Engine, event

from billing_service.storage.migrate import migrate_now


def arm(point):
    seen = []

    def reached(*_):
        seen.append(None)
        if len(seen) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", reached)
    event.listen(Engine, "commit", reached)


def main():
    for line in sys.stdin:
        migrating = os.fork()
        if not migrating:
            try:
                arm(int(line))
                migrate_now(sys.argv[1])
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 - told by the exit code
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(1)
        _, status = os.waitpid(migrating, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
