"""Dead letters, listed and tried once more."""

from functools import partial

from billing_service.domain.deliveries import GIVEN_UP_AFTER_US, DeliveryState
from billing_service.storage.rows.dead_letters import list_deliveries, revive
from billing_service.storage.rows.webhooks import read_figures
from tests.jobs.test_webhooks import deliver, happen, receiver

__all__ = ["deliver", "happen", "receiver"]


async def test_a_dead_letter_is_tried_once_more_when_an_operator_asks(deliver, happen, receiver, store, clock):
    delivery = deliver()
    await delivery.run()
    receiver.refused.add("evt_a_001")
    await happen("a", 1, 2)
    await delivery.run()
    clock.now_us += GIVEN_UP_AFTER_US
    await delivery.run()
    ((event, state, attempts, _, error),) = [
        each for each in await store.read(partial(list_deliveries, 0, 2, 10)) if each.state == DeliveryState.DEAD
    ]
    assert (event.event_id, state, attempts, error) == ("evt_a_001", 2, 2, "status 500")
    clock.advance_s(300)
    await delivery.run()
    for expected_dead, refused in ((1, {"evt_a_001"}), (0, set())):
        receiver.refused = refused
        assert await store.write(partial(revive, "b", clock.now_us)) == 0
        assert await store.write(partial(revive, "a", clock.now_us)) == 1
        clock.advance_s(300)
        await delivery.run()
        assert (await store.read(read_figures))[:2] == (0, expected_dead)
    assert receiver.by_account() == {"a": [2, 1]}
