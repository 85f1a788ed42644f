"""BILLING_TIME_ZONE on a machine without a time zone database, such as a small container."""

import sys
import zoneinfo

import pytest

from billing_service.settings import SettingsInvalid, load_settings
from billing_service.settings.values import time_zone, zone_of


@pytest.fixture
def no_database(monkeypatch):
    """Neither the system's files nor the distribution tzdata."""
    # also its packages, which another test may have loaded
    for name in ("tzdata", *(each for each in sys.modules if each.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=[])
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("no_database")
def test_utc_needs_none():
    assert time_zone("UTC") == "UTC"
    assert zone_of("UTC").utcoffset(None).total_seconds() == 0


@pytest.mark.usefixtures("no_database")
def test_another_zone_stops_the_start_and_says_what_is_missing():
    with pytest.raises(SettingsInvalid, match=r"BILLING_TIME_ZONE: .* time zone database") as caught:
        load_settings({"BILLING_TIME_ZONE": "Europe/Berlin"})
    assert "tzdata" in str(caught.value)


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "/etc/passwd", "../UTC", "Berlin", "CET\0"])
def test_a_zone_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="such as Europe/Berlin"):
        time_zone(name)
