"""The garbage collector of a process that is the service, and of one that only has it inside."""

import gc
import weakref

import pytest

from billing_service import collector
from billing_service.collector import YOUNG_OBJECTS_MAX, collector_spared, keep_for_good


class Ring:
    """Dead, it is garbage that only the collector finds."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def as_found():
    """What the tests' own process had frozen is frozen again."""
    frozen = gc.get_freeze_count()
    gc.collect()
    yield
    if frozen:
        gc.freeze()


def test_what_was_there_is_frozen_and_the_young_are_looked_through_seldom():
    thresholds, before = gc.get_threshold(), Ring()
    with collector_spared():
        assert gc.get_threshold()[0] == YOUNG_OBJECTS_MAX > thresholds[0]
        assert not any(each is before for each in gc.get_objects())
        after = Ring()
        assert any(each is after for each in gc.get_objects())
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0


def test_it_ends_with_an_error_too():
    thresholds = gc.get_threshold()
    with pytest.raises(RuntimeError), collector_spared():
        raise RuntimeError
    assert (gc.get_threshold(), gc.get_freeze_count(), collector._spared) == (thresholds, 0, False)


def test_what_is_kept_for_good_is_looked_through_no_more_and_what_is_dead_goes():
    with collector_spared():
        kept, dead = Ring(), Ring()
        gone = weakref.ref(dead)
        del dead
        keep_for_good()
        assert gone() is None
        assert not any(each is kept for each in gc.get_objects())


def test_a_program_that_has_the_service_inside_keeps_its_own_collector():
    gc.unfreeze()
    kept = Ring()
    keep_for_good()
    assert gc.get_freeze_count() == 0
    assert any(each is kept for each in gc.get_objects())
