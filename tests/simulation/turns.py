"""Who goes next: whatever waits for the world outside waits here, and chance picks."""

import asyncio


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
    """Runs everything until each task waits for its turn or has ended. Nothing here waits for time or for a file."""
    ready = asyncio.get_running_loop()._ready
    while True:
        await asyncio.sleep(0)
        if not ready:
            return
