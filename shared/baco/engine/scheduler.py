"""`Scheduler`: the queue in front of a pair, which all engines, threads and tasks share.

Its `Worker` starts with the first request and ends when nothing came for a while.
"""

import atexit
import threading
from collections.abc import Sequence
from weakref import WeakKeyDictionary, WeakSet

from baco.engine.requests import Request
from baco.engine.worker import Queue, Worker
from baco.errors import QueueFullError
from baco.models.pair import ModelPair


class Scheduler(Queue):
    """The queue in front of one pair."""

    @classmethod
    def of(cls, pair: ModelPair) -> "Scheduler":
        """The scheduler of a pair, the same one for every engine."""
        with _schedulers_lock:
            if pair not in _schedulers:
                scheduler = _schedulers[pair] = cls()
                pair.unload_callbacks.append(scheduler.stop_waiting)
            return _schedulers[pair]

    def submit(self, pair: ModelPair, requests: Sequence[Request], max_waiting: int) -> None:
        """Queue requests.

        Raises:
            QueueFullError: `max_waiting` answers or more are waiting already.
        """
        answers = [answer for request in requests for answer in request.answers(pair.info)]
        with self.changed:
            if len(self.waiting) >= max_waiting:
                raise QueueFullError(len(self.waiting), max_waiting)
            self.waiting.extend(answers)
            self.keep_alive = True
            if self.worker is None:
                self.worker = threading.Thread(target=Worker(self, pair).run, name=f"baco {pair.name}", daemon=True)
                self.worker.start()
                _threads.add(self.worker)
            self.changed.notify()

    def stop_waiting(self) -> None:
        """Let an idle worker, with the memory that it holds, wait for nothing more."""
        with self.changed:
            self.keep_alive = False
            self.changed.notify()

    def close(self) -> None:
        """Cancel everything and wait for the worker to end."""
        with self.changed:
            self.closing = True
            self.changed.notify()
            worker = self.worker
        if worker is not None:
            worker.join()


_schedulers: WeakKeyDictionary[ModelPair, Scheduler] = WeakKeyDictionary()
_schedulers_lock = threading.Lock()
_threads: WeakSet[threading.Thread] = WeakSet()
"""Workers, those among them that have signed off and give their memory back."""


@atexit.register
def _close_all() -> None:
    """End the workers before the interpreter takes torch away under them."""
    with _schedulers_lock:
        schedulers = WeakSet(_schedulers.values())
    for scheduler in schedulers:
        scheduler.close()
    for thread in list(_threads):
        thread.join()
