#!/usr/bin/env bash
# asyncpg 0.31.0 and psycopg 3.3.3: a list of two hosts, the first of which accepts and says nothing.
# Behaviour: psycopg gives connect_timeout to each host, as libpq does, and goes on to the second.
# asyncpg's timeout is for the whole list: the silent
# first host uses it up, and the second is never tried, however long the timeout is.
# Output seen: "asyncpg reached the second host: False, psycopg: True"
# Lesson: with asyncpg a fail-over list helps against hosts that refuse, not against hosts that hang; try the hosts one
# by one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "asyncpg==0.31.0" "psycopg[binary]==3.3.3"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio

import asyncpg
import psycopg

reached = set()


async def reaches_second(name, connect):
    """Whether the client comes to the second host; that one closes at once, which is enough to see it come."""
    silent = []

    async def say_nothing(reader, writer):
        silent.append(writer)

    async def note(reader, writer):
        reached.add(name)
        writer.close()

    first = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    second = await asyncio.start_server(note, "127.0.0.1", 0)
    try:
        await connect(*(server.sockets[0].getsockname()[1] for server in (first, second)))
    except (OSError, TimeoutError, asyncpg.PostgresError, psycopg.OperationalError):
        pass
    for writer in silent:
        writer.close()
    return name in reached


def by_asyncpg(*ports):
    return asyncpg.connect(host=["127.0.0.1"] * 2, port=list(ports), user="u", database="d", ssl=False, timeout=2)


def by_psycopg(*ports):
    hosts = f"host=127.0.0.1,127.0.0.1 port={ports[0]},{ports[1]} user=u dbname=d sslmode=disable gssencmode=disable"
    return psycopg.AsyncConnection.connect(hosts, connect_timeout=2)


async def main():
    return [await reaches_second(name, connect) for name, connect in (("asyncpg", by_asyncpg), ("psycopg", by_psycopg))]


line = "asyncpg reached the second host: {}, psycopg: {}".format(*asyncio.run(main()))
print(line)
assert line == "asyncpg reached the second host: False, psycopg: True", line
PYTHON
