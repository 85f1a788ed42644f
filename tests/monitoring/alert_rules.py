"""The alert rules, what real services say to Prometheus, and what Prometheus makes of the two."""

import base64
import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
RULES_FILE = ROOT / "deploy" / "monitoring" / "alerts.yml"
RULES = {rule["alert"]: rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]}
WEBHOOKS = {
    "BILLING_WEBHOOK_URL": "http://127.0.0.1:9",
    "BILLING_WEBHOOK_SECRETS": "whsec_" + base64.b64encode(b"an example key of 32 bytes, long").decode(),
}
"""Of a deployment with a backend for business events, which is away."""
METRIC = re.compile(r"\b(?:billing|grpc_server|webhook_gateway)_[a-z_]+\b")
UNPACKED = ROOT / "build" / "prometheus" / "usr" / "bin" / "promtool"
BEFORE_MIN = 10
AFTER_MIN = 100
"""Minutes on the time line of a rule test: first the samples of before, then those of after, for longer than any rule
waits."""
OVERDUE_MIN = {"BillingVerificationOverdue": 62, "BillingHeadsOverdue": 2}
"""How long something that is due every second must be away before the rule begins to count."""
_UNITS_MIN = {"m": 1, "h": 60}


def metrics_of(rule):
    """Names of the metrics that a rule asks for."""
    return set(METRIC.findall(rule["expr"]))


WATCHED = set().union(*(metrics_of(rule) for rule in RULES.values()))


def waits_min(rule):
    text = rule.get("for", "0m")
    return int(text[:-1]) * _UNITS_MIN[text[-1]]


@dataclass
class Scrape:
    """Samples of the metrics that rules ask for, by name and labels, and when they were taken."""

    samples: dict[str, float] = field(default_factory=dict)
    at_s: float = field(default_factory=time.time)

    def add(self, text):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in WATCHED:
                    labels = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(sample.labels.items()))
                    self.samples[f"{sample.name}{{{labels}}}"] = sample.value
        return self

    def values(self, series, minute, minutes, *, goes_on):
        """This sample from `minute` on. What is due again and again stays as late as it was while all goes on, else
        later and later. A rule test begins at 1970, so times move with it."""
        value, step = self.samples[series], 0
        if series.partition("{")[0].endswith("_timestamp_seconds"):
            value, step = value - self.at_s + minute * 60, 60 if goes_on else 0
        return f"{value:.6f}+{step}x{minutes - 1}"


def scrape(*ports):
    """One sample of everything that is served on these ports; what is not served has none."""
    taken = Scrape()
    for port in ports:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            taken.add(answer.read().decode())
    return taken


def promtool():
    found = str(UNPACKED) if UNPACKED.exists() else shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not here: `make test-tools` brings it from Debian's package prometheus")
    return found


def _series(before, after, *, goes_on):
    for name in sorted(before.samples.keys() | after.samples.keys()):
        first = before.values(name, 0, BEFORE_MIN, goes_on=True) if name in before.samples else f"_x{BEFORE_MIN}"
        then = after.values(name, BEFORE_MIN, AFTER_MIN, goes_on=goes_on) if name in after.samples else "stale"
        yield {"series": name, "values": f"{first} {then}"}


def _expect(alert, state, minute, *, there):
    return {
        "expr": f'group(ALERTS{{alertname="{alert}",alertstate=~"{state}"}})',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": "{}", "value": 1}] if there else [],
    }


def check(tmp_path, before, after, *, fired=(), quiet=()):
    """Lets Prometheus judge: each of `fired` fires after what was done, and was not even pending before; `quiet` never
    is."""
    expected = []
    for alert in fired:
        expected.append(_expect(alert, ".*", BEFORE_MIN - 1, there=False))
        expected.append(
            _expect(alert, "firing", BEFORE_MIN + OVERDUE_MIN.get(alert, 0) + waits_min(RULES[alert]), there=True)
        )
    expected += [
        _expect(alert, ".*", minute, there=False)
        for alert in quiet
        for minute in (BEFORE_MIN - 1, BEFORE_MIN + 1, BEFORE_MIN + 30)
    ]
    test = {
        "rule_files": [str(RULES_FILE)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": list(_series(before, after, goes_on=not fired)),
                "promql_expr_test": expected,
            }
        ],
    }
    path = tmp_path / "rule-test.yml"
    path.write_text(yaml.safe_dump(test, width=10_000))
    result = subprocess.run(
        [promtool(), "test", "rules", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
