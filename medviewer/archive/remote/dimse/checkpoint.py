"""pynetdicom's own thread stands still while we ask, and leaves the answer to us.

Each association has a thread that looks for messages about once a millisecond, and stops at a checkpoint while a
question waits for its answer. In pynetdicom 3.0 it says that it stands there before it has looked whether it must, and
may go on after we saw it standing: it then takes the answer, drops it as nothing that it asked for, and the question
waits until its patience ends. On a busy machine one of some hundred questions was lost like that.
"""

from __future__ import annotations

import threading

from pynetdicom import evt
from pynetdicom.association import Association


class Checkpoint(threading.Event):
    """The checkpoint of an association, which nobody passes once it was closed.

    Parameters
    ----------
    association
        Whose thread `wait`s here; it is said to go on in the same breath as it is let pass.
    """

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association
        self._gate = threading.Lock()
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is open; False if it is still closed when the time (seconds) is over."""
        while super().wait(timeout):
            with self._gate:
                if self.is_set():
                    self._association._is_paused = False  # who closes it from now on waits until it is back
                    return True
        return False

    def clear(self) -> None:
        """Close it: whoever is said to stand here afterwards does."""
        with self._gate:
            super().clear()


def guard(event: evt.Event) -> None:
    """Give an association this checkpoint before its thread looks for messages; a handler of ``EVT_CONN_OPEN``."""
    event.assoc._reactor_checkpoint = Checkpoint(event.assoc)
