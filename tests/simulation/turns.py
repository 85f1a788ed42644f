"""Who goes next: whatever waits for the world outside waits here, and chance picks. Timers run out by the step and not
by real time."""

import asyncio

STEP_S = 0.0003
"""Of the loop's time, each step: a gathering batch waits for three or four of them."""


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still between steps: no seed depends on how fast it runs."""

    def __init__(self):
        super().__init__()
        self.now_s = 0.0

    def time(self):
        return self.now_s


def loop_time():
    """In the place of `time.monotonic`."""
    return asyncio.get_running_loop().time()


class Turns:
    """Tasks that wait at a port, and are let on one by one."""

    def __init__(self, chance):
        self._chance = chance
        self._waiting = []

    async def turn(self):
        """Waits until it is this caller's turn."""
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        await mine

    def waiting(self):
        self._waiting = [each for each in self._waiting if not each.done()]
        return len(self._waiting)

    def release(self):
        """Lets one of those that wait go on. There must be one."""
        assert self.waiting()
        self._waiting.pop(self._chance.randrange(len(self._waiting))).set_result(None)


async def until_quiet():
    """A step of time, and whatever can run runs until each task waits for its turn, for a timer of later, or has
    ended."""
    loop = asyncio.get_running_loop()
    loop.now_s += STEP_S
    ready = loop._ready
    while True:
        await asyncio.sleep(0)
        if not ready:
            return
