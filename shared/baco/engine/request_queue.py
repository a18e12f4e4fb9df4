"""`RequestQueue`: the queue of one pair, which all engines, threads and tasks share.

Also holds what outlives a worker: cached prefixes, compiled programs, and the measurements of the turn policy. Knows waiting answers and
the worker's thread; knows nothing of what the worker does.
"""

import atexit
import threading
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary, WeakSet

from baco.decoding.turns import TurnPolicy
from baco.engine.requests import Answer
from baco.forward.compiling import CompiledPass
from baco.forward.prefix_cache import PrefixCache
from baco.models.pair import ModelPair
from baco.results import Model

PREFIX_BYTES = 128 * 2**20
"""Memory for the KV cache of earlier prompts, for each model."""


class RequestQueue:
    """What callers and the worker share; `changed` guards it."""

    def __init__(self) -> None:
        self.prefixes: dict[Model, PrefixCache] = {"base": PrefixCache(PREFIX_BYTES), "aligned": PrefixCache(PREFIX_BYTES)}
        self.turns = TurnPolicy()
        self.programs: dict[Model, CompiledPass] = {}
        self.waiting: deque[Answer] = deque()
        self.changed = threading.Condition()
        self.worker: threading.Thread | None = None
        self.closing = False
        self.keep_alive = True
        """Whether an idle worker waits for more; False from unloading the pair until the next request."""

    @classmethod
    def of(cls, pair: ModelPair) -> "RequestQueue":
        """The queue of a pair, the same one for every engine."""
        with _queues_lock:
            if pair not in _queues:
                queue = _queues[pair] = cls()
                pair.unload_callbacks.append(queue.stop_waiting)
            return _queues[pair]

    def start_worker(self, run: Callable[[], None], name: str) -> None:
        """Start the worker's thread; to be called with `changed` held."""
        self.worker = threading.Thread(target=run, name=name, daemon=True)
        self.worker.start()
        _threads.add(self.worker)

    def stop_waiting(self) -> None:
        """Make an idle worker exit now and free its caches."""
        with self.changed:
            self.keep_alive = False
            self.changed.notify()


_queues: WeakKeyDictionary[ModelPair, RequestQueue] = WeakKeyDictionary()
_queues_lock = threading.Lock()
_threads: WeakSet[threading.Thread] = WeakSet()
"""All workers, including those that have left their queue and are freeing their memory."""


@atexit.register
def _close_all() -> None:
    """End the workers before the interpreter takes torch away under them."""
    with _queues_lock:
        queues = list(_queues.values())
    for queue in queues:
        with queue.changed:
            queue.closing = True
            queue.changed.notify()
    for thread in list(_threads):
        thread.join()
