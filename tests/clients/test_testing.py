"""`billing_service.testing`: the service in this process, for users' tests."""

import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from billing_client import MICROCREDITS_PER_CREDIT, errors

from billing_service.pytest_plugin import prepaid_billing_account_id
from billing_service.testing import running_billing_service, running_billing_service_async
from tests.support.fake_service import running_fake_service


def database_of(settings) -> Path:
    return Path(settings["DATABASE_URL"].removeprefix("sqlite:///"))


@pytest.fixture
def stand_in(monkeypatch):
    """Takes the place of the service and its settings, to see how they are used."""
    seen = SimpleNamespace(settings=[], events=[], fail_start=None, fail_stop=None, address="127.0.0.1:1")

    @asynccontextmanager
    async def open_service(settings):
        if seen.fail_start:
            raise seen.fail_start
        seen.settings.append(settings)
        database_of(settings).touch()
        seen.events.append("open")
        yield SimpleNamespace(address=seen.address)
        seen.events.append("closed")
        if seen.fail_stop:
            raise seen.fail_stop

    monkeypatch.setattr("billing_service.testing.open_service", open_service)
    monkeypatch.setattr("billing_service.testing.load_settings", dict)
    return seen


def test_a_project_s_conftest_comes_before_grpc(tmp_path):
    """gRPC reads its environment when it is imported, and pytest imports the fixtures at every start."""
    conftest = "import sys\nassert 'billing_service.pytest_plugin' in sys.modules\nassert 'grpc' not in sys.modules\n"
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_nothing.py").write_text("def test_nothing(prepaid_billing_service): ...\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--collect-only",
        "-c",
        "/dev/null",
        "--rootdir",
        tmp_path,
        tmp_path,
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_service_that_does_not_start_says_why_and_leaves_no_thread(stand_in):
    stand_in.fail_start = RuntimeError("no port")
    with pytest.raises(RuntimeError, match="no port"), running_billing_service():
        pass
    assert "billing-service" not in {thread.name for thread in threading.enumerate() if thread.is_alive()}


def test_a_service_that_does_not_stop_says_why(stand_in):
    stand_in.fail_stop = RuntimeError("stuck")
    with pytest.raises(RuntimeError, match="stuck"), running_billing_service():
        pass


def test_the_tests_own_failure_comes_through_and_the_service_is_closed(stand_in):
    with pytest.raises(KeyError), running_billing_service():
        raise KeyError
    assert stand_in.events == ["open", "closed"]


async def test_memory_is_gone_afterwards(stand_in):
    with running_billing_service():
        first = database_of(stand_in.settings[0])
        assert first.exists()
    async with running_billing_service_async():
        second = database_of(stand_in.settings[1])
        assert second.exists()
    assert not first.parent.exists()
    assert not second.parent.exists()
    assert first != second


async def test_a_path_stays_and_settings_are_passed_on(stand_in, tmp_path):
    with running_billing_service(tmp_path / "ledger.db", {"FRONTEND_URL": "https://shop.example"}):
        pass
    assert (tmp_path / "ledger.db").exists()
    assert stand_in.settings[0]["FRONTEND_URL"] == "https://shop.example"


async def test_its_clients_call_it(stand_in):
    with running_fake_service() as fake:
        stand_in.address = fake.address
        with running_billing_service() as service, service.client() as client:
            client.list_packages()
        async with running_billing_service_async() as service, service.async_client() as client:
            await client.list_packages()
        assert len(fake.attempts) == 2


def test_the_real_service_spends_and_refuses(prepaid_billing_client):
    client = prepaid_billing_client
    client.grant_credits(account_id="user-1", amount_microcredits=5 * MICROCREDITS_PER_CREDIT, reason="test")
    spent = client.deduct_credits(account_id="user-1", amount_microcredits=2 * MICROCREDITS_PER_CREDIT)
    assert spent.balance.available_microcredits == 3 * MICROCREDITS_PER_CREDIT
    with pytest.raises(errors.InsufficientCredits) as raised:
        client.deduct_credits(account_id="user-1", amount_microcredits=4 * MICROCREDITS_PER_CREDIT)
    assert raised.value.shortfall_microcredits == MICROCREDITS_PER_CREDIT


SHARED = """
import pytest

seen = []

@pytest.mark.parametrize("number", range(30))
def test_each_has_an_account_of_its_own(
    prepaid_billing_shared_client, prepaid_billing_shared_service, prepaid_billing_account_id, number
):
    spent = prepaid_billing_shared_client.grant_credits(
        account_id=prepaid_billing_account_id, amount_microcredits=5, reason="test"
    )
    assert spent.balance.available_microcredits == 5
    seen.append((prepaid_billing_shared_service.address, prepaid_billing_account_id))
    assert len({address for address, _ in seen}) == 1
    assert len({account for _, account in seen}) == len(seen) == number + 1
"""


def test_one_service_is_shared_by_a_run_and_each_test_has_its_own_account(tmp_path):
    (tmp_path / "test_shared.py").write_text(SHARED)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "/dev/null",
        "--rootdir",
        tmp_path,
        "--basetemp",
        tmp_path / "base",
        tmp_path,
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "30 passed" in run.stdout


def test_an_account_id_fits_whatever_the_test_is_called():
    """A name of letters that the service would refuse, and one that is too long."""
    node = SimpleNamespace(node=SimpleNamespace(name="test_größe[a b]" + "x" * 300))
    made = prepaid_billing_account_id.__wrapped__(node)
    assert len(made) <= 128
    assert made.startswith("test-gr--e-a-b-xxx")


def test_a_bare_script_has_its_standard_output_for_itself():
    script = (
        "from billing_service.testing import running_billing_service\nwith running_billing_service(): print('mine')"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "mine\n"
    assert "serving" in ran.stderr
