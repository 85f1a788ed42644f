"""The newest position of the feed that this process has seen, for whoever waits for more."""

import asyncio


class FeedHead:
    """Waiting costs no read of the database."""

    def __init__(self) -> None:
        self.last_position = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def move_to(self, position: int) -> None:
        """Tells everyone who waits that the feed has come this far. It does not go back."""
        if position > self.last_position:
            self.last_position = position
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)

    def follow(self, waiting: "asyncio.Future[None]", after: int) -> None:
        """Ends the wait once the feed is past a position: at once, where it is."""
        if self.last_position > after:
            waiting.set_result(None)
            return
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
