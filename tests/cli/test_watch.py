"""`billing watch`: a line a change, for people and for programs, and an end that is clean."""

import json
import signal


def test_a_line_a_change_until_the_count(operate, account):
    operate("grant", account, "5", "--reason", "gift")
    title, line = operate("watch", account, "--count", "1").splitlines()
    assert title.split() == ["as", "of", "available", "held", "frozen", "debt"]
    assert line.split()[2:] == ["5", "0", "0", "0"]
    assert len(line) <= 80
    (shown,) = operate("watch", account, "--count", "1", "--json", "--after-version", "1").splitlines()
    assert json.loads(shown) == json.loads(operate("balance", account, "--json")) | {
        "as_of_time": json.loads(shown)["as_of_time"]
    }


def test_what_can_not_be_watched_is_said_in_a_line(operate, account):
    assert operate("watch", "nobody", code=1).startswith("ACCOUNT_NOT_FOUND: ")
    assert "version 0" in operate("watch", account, "--after-version", "7", code=1)


def test_ctrl_c_ends_it_without_a_word(operate, account, processes, dev_stack, tmp_path):
    process = processes.start("watch", account, "--json", cwd=tmp_path, BILLING_ADDRESS=dev_stack[0])
    assert '"available_microcredits":"0"' in process.read_until("}")
    operate("grant", account, "5", "--reason", "gift")
    assert '"available_microcredits":"5000000"' in process.read_until('"account_version":"1"')
    assert process.stop(signal.SIGINT) == 0
    assert "Traceback" not in process.said
    assert "Aborted" not in process.said
