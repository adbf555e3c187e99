"""How often each of many clients may ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class Rates:
    """So many requests a minute for each client, and as many at once after a quiet minute; 0 for any number.

    The generic cell rate algorithm: of each client one number is kept, the time at which its allowance is whole again.
    At most `clients` are remembered, those heard of last. A clock that is set does not matter; both are why this is
    no library: `limits` counts by the time of day, in a table without a bound.
    """

    def __init__(self, per_minute: int, clients: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._clients, self._clock = clients, clock
        self._whole_at: OrderedDict[str, float] = OrderedDict()

    def wait_seconds(self, client: str) -> float:
        """0, and a request is counted; or the seconds until one will be allowed, and none is counted."""
        if not self._interval:
            return 0.0
        now = self._clock()
        whole_at = max(self._whole_at.get(client, now), now) + self._interval
        if whole_at - now > 60 + 1e-9:
            return whole_at - now - 60
        self._whole_at[client] = whole_at
        self._whole_at.move_to_end(client)
        if len(self._whole_at) > self._clients:
            self._whole_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._whole_at)
