"""What the gateway counts of its answers and of what the service said."""

import re

import grpc
import pytest
from prometheus_client import REGISTRY, generate_latest

from tests.gateway.gateway_bench import OTHER_SECRET, PATH, event, signed
from webhook_gateway.answers import HTTP_STATUS


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.mark.parametrize("status", [status for status in HTTP_STATUS if status is not grpc.StatusCode.OK])
async def test_what_the_service_refused_is_counted_by_its_status(http, service, status):
    service.status = status
    code = "refused" if HTTP_STATUS[status] == 400 else "unavailable"
    answers = {"status": str(HTTP_STATUS[status]), "code": code}
    before = (
        counted("webhook_gateway_forward_failures_total", status=status.name),
        counted("webhook_gateway_answers_total", **answers),
    )
    async with http.post(PATH, data=event(), headers=signed(event())) as answer:
        assert answer.status == HTTP_STATUS[status]
    after = (
        counted("webhook_gateway_forward_failures_total", status=status.name),
        counted("webhook_gateway_answers_total", **answers),
    )
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


async def test_what_was_not_forwarded_is_no_failure_of_the_service(http):
    def failures():
        return sum(counted("webhook_gateway_forward_failures_total", status=status.name) for status in HTTP_STATUS)

    before = failures(), counted("webhook_gateway_answers_total", status="400", code="signature_invalid")
    async with http.post(PATH, data=event(), headers=signed(event(), OTHER_SECRET)) as answer:
        assert answer.status == 400
    assert (failures(), counted("webhook_gateway_answers_total", status="400", code="signature_invalid")) == (
        before[0],
        before[1] + 1,
    )


def test_the_gateway_says_which_it_is_and_not_when_its_counters_began():
    shown = generate_latest().decode()
    assert re.search(
        r'^webhook_gateway_build_info\{python="3\.\d+\.\d+",version="\d+\.\d+\.\d+"\} 1\.0$', shown, re.MULTILINE
    )
    assert "_created" not in shown
