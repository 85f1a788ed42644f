"""One connection as DATABASE_URL asks for it, or the line that says why there is none."""

import pytest

from billing_service.storage.database_url import parse_database_url
from billing_service.storage.postgres.connect import CannotConnectError, connect
from tests.support.postgres_programs import PASSWORD


async def look(url, question="SELECT 1"):
    """(whether the connection is encrypted on the client's side, the answer)."""
    connection = await connect(parse_database_url(url))
    try:
        encrypted = connection._transport.get_extra_info("ssl_object") is not None
        return encrypted, await connection.fetchval(question)
    finally:
        await connection.close()


async def refusal(url):
    """What is said of a URL by which nobody can be reached."""
    with pytest.raises(CannotConnectError) as caught:
        await connect(parse_database_url(url))
    words = str(caught.value)
    assert PASSWORD not in words
    assert "\n" not in words
    return words
