"""What reaches the log: one line per event, nothing forged, nothing endless, no secrets."""

import io
import json
import logging

import pytest
import structlog

from billing_service.logs import configure_logs
from billing_service.settings import load_settings

STRIPE_KEY = "sk_" + "live_" + "canary4242canary4242canary"
WEBHOOK_SECRET = "whsec_" + "canary4242canary4242"
API_KEY = "bill_" + "a" * 16 + "_" + "b" * 39


@pytest.fixture
def restored_logging():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configured(log_format: str = "json", level: str = "DEBUG") -> io.TextIOWrapper:
    settings = load_settings({"BILLING_LOG_FORMAT": log_format, "BILLING_LOG_LEVEL": level}, purpose="operate")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)
    configure_logs(settings, stream)
    return stream


def lines(stream: io.TextIOWrapper) -> list[str]:
    stream.flush()
    return stream.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]


HOSTILE = [
    "a\nb",
    "a\r\nb",
    "\x1b[31mred\x1b[0m",
    "nul\x00",
    "del\x7f",
    "c1\x9b31m",
    "line\u2028separator",
    "bidi\u202eoverride",
    "lone\ud800",
]


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("source", ["event", "field", "name", "stdlib"])
@pytest.mark.usefixtures("restored_logging")
def test_one_event_is_one_line_without_control_characters(log_format, text, source):
    stream = configured(log_format)
    match source:
        case "event":
            structlog.get_logger().info(text)
        case "field":
            structlog.get_logger().info("rpc", caller=text, nested={"value": [text]})
        case "name":
            structlog.get_logger().info("rpc", **{text: 1.5, f"{text}2": "x"})
        case "stdlib":
            logging.getLogger("grpc").warning("%s", text)
    (line,) = lines(stream)
    assert line.isprintable()


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.usefixtures("restored_logging")
def test_long_values_and_many_fields_are_cut(log_format):
    stream = configured(log_format)
    structlog.get_logger().info("rpc", caller="x" * 1_048_576, **{f"field{n}": n for n in range(1000)})
    (line,) = lines(stream)
    assert len(line) < 4000
    assert "(1048576 characters)" in line


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("secret", [STRIPE_KEY, WEBHOOK_SECRET, API_KEY])
@pytest.mark.usefixtures("restored_logging")
def test_secrets_are_masked_wherever_they_stray(log_format, secret):
    stream = configured(log_format)
    log = structlog.get_logger()
    refused, long = f"key {secret} refused", "x" * 490 + secret
    log.info(refused, field=f"Bearer {secret}", nested=[secret], authorization="anything at all")
    log.info(long)
    log.info("reached", url="postgres://owner:x@canary4242@db/billing?sslmode=require&password=canary4242&port=1")
    logging.getLogger("some.library").error("request with %s failed", secret)
    try:
        raise RuntimeError(f"postgresql://owner:canary4242@db/billing and {secret}")  # noqa: TRY301
    except RuntimeError as error:
        log.exception("defect", cause=repr(error))
    everything = "\n".join(lines(stream))
    assert "canary4242" not in everything
    assert "b" * 20 not in everything
    assert "anything at all" not in everything
    assert "defect" in everything


ADDRESSES = [
    "ada@example.com",
    "ada.l+x@mail.example.co.uk",
    "ädä@exämple.com",
    "a=b/c@example.com",
    "x" * 300 + "@example.com",
]
AROUND = [
    "{}",
    "no such customer: '{}'",
    'invalid email "{}".',
    "<{}>",
    "email={}",
    "to {}, and others",
    "({})",
    "mailto:{}",
    '{{"email":"{}"}}',
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("source", ["event", "field", "stdlib", "exception"])
@pytest.mark.usefixtures("restored_logging")
def test_e_mail_addresses_are_masked_wherever_they_stray(address, around, source):
    stream, text = configured(), around.format(address)
    match source:
        case "event":
            structlog.get_logger().info(text)
        case "field":
            structlog.get_logger().info("refused", message=text, nested=[text], **{text: 1})
        case "stdlib":
            logging.getLogger("some.library").warning("said %s", text)
        case "exception":
            structlog.get_logger().error("defect", exc_info=RuntimeError(text))
    everything = "\n".join(lines(stream))
    assert "***" in everything
    assert not [part for part in (address, address.partition("@")[0][-3:] + "@", "example.co") if part in everything]


@pytest.mark.parametrize(
    "text", ["@property", "a @ b", "user@", "@example.com", "ipv4:127.0.0.1:40718", "pur_1@2", "x" * 400 + "@"]
)
@pytest.mark.usefixtures("restored_logging")
def test_what_is_no_e_mail_address_is_logged_as_it_is(text):
    stream = configured()
    structlog.get_logger().info("said", text=text)
    assert json.loads(lines(stream)[0])["text"] == text


@pytest.mark.usefixtures("restored_logging")
def test_a_line_has_the_id_of_the_call_in_which_it_is_written():
    stream = configured()
    with structlog.contextvars.bound_contextvars(correlation_id="mine"):
        structlog.get_logger().info("within")
        logging.getLogger("some.library").warning("within")
        structlog.get_logger().info("rpc", correlation_id="its own")
    structlog.get_logger().info("after")
    assert [json.loads(line).get("correlation_id") for line in lines(stream)] == ["mine", "mine", "its own", None]


@pytest.mark.usefixtures("restored_logging")
def test_json_lines_carry_level_time_and_fields():
    stream = configured(level="INFO")
    structlog.get_logger().debug("not logged")
    structlog.get_logger().info("rpc", method="DeductCredits", duration_ms=1.25, hot=True, huge=2**70)
    logging.getLogger("grpc").warning("from %s", "grpc")
    first, second = map(json.loads, lines(stream))
    assert (
        first.items()
        >= {"event": "rpc", "level": "info", "method": "DeductCredits", "duration_ms": 1.25, "hot": True}.items()
    )
    assert first["timestamp"].endswith("Z")
    assert second.items() >= {"event": "from grpc", "level": "warning", "logger": "grpc"}.items()


@pytest.mark.usefixtures("restored_logging")
def test_a_traceback_is_one_field_of_one_line():
    stream = configured()
    try:
        raise ValueError("first\x1b[31m")  # noqa: TRY301
    except ValueError:
        structlog.get_logger().exception("defect")
    (line,) = lines(stream)
    exception = json.loads(line)["exception"]
    assert "Traceback" in exception
    assert "\x1b" not in exception
