"""Who goes next, over all lanes: what only one job may have at a time, and the queue before it."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass

from medviewer.jobs.task import Task


@dataclass(frozen=True)
class Place:
    """Where a waiting job stands.

    Parameters
    ----------
    resource
        What it waits for, for example ``GPU``; empty where only the worker process of its own lane is taken.
    before
        Jobs that run, or go first, and that it has to wait for.
    """

    resource: str
    before: int

    @property
    def text(self) -> str:
        """For the screen: ``Waiting for the GPU, 2 before it``."""
        what = f"Waiting for the {self.resource}" if self.resource else "Waiting"
        return f"{what}, {self.before} before it" if self.before else what


class Queue:
    """The tasks of one lane: at most one that runs, and those that wait, the next one first.

    Its turnstile's lock guards it.
    """

    def __init__(self) -> None:
        self.waiting: list[Task] = []
        self.current: Task | None = None


class Turnstile:
    """Lets tasks begin: one at a time in a lane, and one at a time of a resource, over all lanes.

    Higher priority goes first, then who came first. The first of a lane is the only one of it that may begin, so one
    that waits for a resource holds up those behind it; a task never begins before another one that needs the same
    resource, has an earlier turn, and could begin as well. What runs is left to run.

    Attributes
    ----------
    changed
        The lock of all queues, notified when one changes.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._queues: list[Queue] = []
        self._held: dict[str, Task] = {}
        self._count = 0

    def queue(self) -> Queue:
        """A new lane's queue."""
        queue = Queue()
        with self.changed:
            self._queues.append(queue)
        return queue

    def add(self, queue: Queue, task: Task) -> None:
        """Put a task into a queue."""
        with self.changed:
            self._count += 1
            task.number = self._count
            insort(queue.waiting, task, key=lambda waiting: waiting.turn)
            self.changed.notify_all()

    def remove(self, queue: Queue, task: Task) -> bool:
        """Take a task out of a queue again; whether it still waited there."""
        with self.changed:
            if task not in queue.waiting:
                return False
            queue.waiting.remove(task)
            self.changed.notify_all()
            return True

    def clear(self, queue: Queue) -> None:
        """Forget all that waits in a queue."""
        with self.changed:
            queue.waiting.clear()
            self.changed.notify_all()

    def begin(self, queue: Queue) -> Task | None:
        """The task of a queue that may begin now, which begins with that; None while there is none."""
        with self.changed:
            if queue.current is not None or not queue.waiting or not self._free_for(queue.waiting[0]):
                return None
            task = queue.current = queue.waiting.pop(0)
            if task.resource:
                self._held[task.resource] = task
            return task

    def end(self, queue: Queue) -> None:
        """The task that a queue began is over: its resource is free, and the next one may begin."""
        with self.changed:
            task, queue.current = queue.current, None
            if task and self._held.get(task.resource) is task:
                del self._held[task.resource]
            self.changed.notify_all()

    def busy(self, resource: str) -> bool:
        """Whether a task has that resource."""
        with self.changed:
            return resource in self._held

    def place(self, task: Task) -> Place | None:
        """Where a task stands in the queue, None once it began or was taken out."""
        with self.changed:
            queue = next((queue for queue in self._queues if task in queue.waiting), None)
            if queue is None:
                return None
            ahead = [*self._ahead(queue, task)]
        shared = any(other.resource == task.resource for other in ahead)
        return Place(task.resource if shared else "", len(ahead))

    def _ahead(self, own: Queue, task: Task) -> Iterator[Task]:
        for queue in self._queues:
            first = [waiting for waiting in queue.waiting if waiting.turn < task.turn]
            for other in (*([queue.current] if queue.current else []), *first):
                if queue is own or (task.resource and other.resource == task.resource):
                    yield other

    def _free_for(self, task: Task) -> bool:
        if not task.resource:
            return True
        rivals = (queue.waiting[0] for queue in self._queues if queue.waiting and queue.current is None)
        return task.resource not in self._held and not any(
            rival.resource == task.resource and rival.turn < task.turn for rival in rivals
        )
