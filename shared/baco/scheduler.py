"""`Scheduler`: one worker thread owns a pair; requests of any threads and tasks share its passes as they come and go.

A request's rows join between two steps and leave as they end. What one request does wrong fails that request alone: a step that raises is
repeated row by row. The thread starts with the first request, and ends when nothing came for a while, with the caches' memory.
"""

import atexit
import threading
import warnings
from collections import deque
from collections.abc import Sequence
from weakref import WeakKeyDictionary, WeakSet

import torch

from baco.decode import Decoder
from baco.errors import OutOfMemoryError, QueueFullError
from baco.memory import is_out_of_memory
from baco.pair import ModelPair
from baco.prefix_cache import PrefixCache
from baco.requests import Answer, Request
from baco.results import Model
from baco.schedule import Schedule
from baco.sequence import FinalToken
from baco.views import Row

LINGER = {"cpu": 0.5, "cuda": 30.0}
"""Seconds that an idle worker waits for more before it gives its memory back. On CUDA it would have to record its passes anew."""
PREFIX_BYTES = 128 * 2**20
"""Memory for prompts that were read before, for each model."""


class Scheduler:
    """The queue in front of one pair."""

    def __init__(self) -> None:
        self.prefixes: dict[Model, PrefixCache] = {"base": PrefixCache(PREFIX_BYTES), "aligned": PrefixCache(PREFIX_BYTES)}
        self.schedule = Schedule()
        self.waiting: deque[Answer] = deque()
        self.changed = threading.Condition()
        self.worker: threading.Thread | None = None
        self.closing = False
        self.lingers = True
        """Whether an idle worker waits for more; not once the pair was unloaded, until the next request."""

    @classmethod
    def of(cls, pair: ModelPair) -> "Scheduler":
        """The scheduler of a pair, the same one for every engine."""
        with _schedulers_lock:
            if pair not in _schedulers:
                scheduler = _schedulers[pair] = cls()
                pair.at_unload.append(scheduler.hurry)
            return _schedulers[pair]

    def submit(self, pair: ModelPair, requests: Sequence[Request], max_waiting: int) -> None:
        """Queue requests.

        Raises:
            QueueFullError: `max_waiting` answers or more are waiting already.
        """
        answers = [answer for request in requests for answer in request.answers(pair)]
        with self.changed:
            if len(self.waiting) >= max_waiting:
                raise QueueFullError(len(self.waiting), max_waiting)
            self.waiting.extend(answers)
            self.lingers = True
            if self.worker is None:
                self.worker = threading.Thread(target=_Worker(self, pair).run, name=f"baco {pair.name}", daemon=True)
                self.worker.start()
            self.changed.notify()

    def hurry(self) -> None:
        """Let an idle worker, with the memory that it holds, wait for nothing more."""
        with self.changed:
            self.lingers = False
            self.changed.notify()

    def close(self) -> None:
        """Cancel everything and wait for the worker to end."""
        with self.changed:
            self.closing = True
            self.changed.notify()
            worker = self.worker
        if worker is not None:
            worker.join()


class _Worker:
    """What runs in the thread. It holds the pair only as long as there is something to do."""

    def __init__(self, scheduler: Scheduler, pair: ModelPair) -> None:
        self.scheduler = scheduler
        self.decoder = Decoder(pair, scheduler.prefixes, scheduler.schedule)
        self.linger = LINGER.get(pair.device.type, LINGER["cpu"])
        self.running: dict[Row, Answer] = {}
        self.row_limit: int | None = None
        """Rows that fit into memory together, once more did not."""

    @torch.inference_mode()
    def run(self) -> None:
        """Decode until nothing is left to do for a while."""
        try:
            while self._has_work():
                self._drop_ended()
                self._admit()
                if self.running:
                    self._step()
            self.decoder.release()
        except BaseException as error:
            self._give_up(error)
            raise

    def _give_up(self, error: BaseException) -> None:
        """Nobody may wait for a worker that has died: pass on what it died of."""
        scheduler = self.scheduler
        with scheduler.changed:
            requests = {answer.request for answer in (*self.running.values(), *scheduler.waiting)}
            scheduler.waiting.clear()
            scheduler.worker = None
        for request in requests:
            if not request.done.done():
                request.done.set_exception(error)

    def _has_work(self) -> bool:
        """Wait for work; without any, sign off."""
        scheduler = self.scheduler
        with scheduler.changed:
            if scheduler.closing:
                for request in {answer.request for answer in (*self.running.values(), *scheduler.waiting)}:
                    request.cancel()
            if not self.running and not scheduler.waiting:
                scheduler.changed.wait_for(lambda: scheduler.waiting or scheduler.closing or not scheduler.lingers, timeout=self.linger)
            if self.running or scheduler.waiting:
                return True
            scheduler.worker = None
            return False

    def _drop_ended(self) -> None:
        """End the answers of requests that were cancelled or are late."""
        for answer in list(self.running.values()):
            if answer.row in self.running and answer.request.is_over:
                self._leave(answer)
                self._cut(answer)
        with self.scheduler.changed:
            # A request may be over at any moment, so each is asked once.
            over = dict.fromkeys(answer for answer in self.scheduler.waiting if answer.request.is_over)
            if over:
                self.scheduler.waiting = deque(answer for answer in self.scheduler.waiting if answer not in over)
        for answer in over:
            self._cut(answer)

    def _cut(self, answer: Answer) -> None:
        if answer.request.done.done():
            return  # it has failed in another of its answers
        try:
            answer.cut()
        except Exception as error:
            self._fail(answer.request, error)

    def _admit(self) -> None:
        """Take in waiting answers, in their order, while there is room."""
        while True:
            with self.scheduler.changed:
                if not self.scheduler.waiting:
                    return
                answer = self.scheduler.waiting[0]
                room = answer.request.max_batch_size if self.row_limit is None else min(self.row_limit, answer.request.max_batch_size)
                if len(self.running) >= room:
                    return
                self.scheduler.waiting.popleft()
            self.running[answer.row] = answer
            try:
                self.decoder.add(answer.row)
            except Exception as error:
                del self.running[answer.row]
                if not (is_out_of_memory(error) and self.running):
                    self._fail(answer.request, error)
                    continue
                self.row_limit = len(self.running)
                with self.scheduler.changed:
                    self.scheduler.waiting.appendleft(answer)
                return

    def _step(self) -> None:
        try:
            progress = self.decoder.step()
        except Exception as error:
            self._survive(error)
        else:
            self._take(progress)

    def _take(self, progress: Sequence[tuple[Row, list[FinalToken]]]) -> None:
        """Hand new tokens to their answers."""
        for row, finals in progress:
            answer = self.running.get(row)
            if answer is None:
                continue  # its request has failed within this step
            try:
                ended = answer.push(finals)
            except Exception as error:
                self._fail(answer.request, error)
            else:
                if ended:
                    self._leave(answer)

    def _leave(self, answer: Answer) -> None:
        self.decoder.remove(answer.row)
        del self.running[answer.row]

    def _fail(self, request: Request, error: Exception) -> None:
        """Fail one request, and nobody else's."""
        for answer in [answer for answer in self.running.values() if answer.request is request]:
            self._leave(answer)
        with self.scheduler.changed:
            self.scheduler.waiting = deque(answer for answer in self.scheduler.waiting if answer.request is not request)
        if not request.done.done():
            request.done.set_exception(error)

    def _survive(self, error: Exception) -> None:
        """Go on after a step that failed: with fewer rows if memory ran out, else without the row that makes it fail."""
        if is_out_of_memory(error) and len(self.running) > 1:
            self._shrink()
            return
        someone_failed = False
        for row, answer in list(self.running.items()):
            if row not in self.running:
                continue
            try:
                progress = self.decoder.step(alone=row)
            except Exception as own:
                someone_failed = True
                self._fail(answer.request, OutOfMemoryError(str(own)) if is_out_of_memory(own) else own)
            else:
                self._take(progress)
        if not someone_failed:
            warnings.warn(
                f"a pass failed ({type(error).__name__}: {error}) that succeeded when its rows were read one by one", stacklevel=2
            )

    def _shrink(self) -> None:
        """Send half of the rows back to the queue; what they have written stays, and is read again when they return."""
        self.row_limit = len(self.running) // 2
        back = list(self.running.values())[self.row_limit :]
        for answer in back:
            self._leave(answer)
            answer.row.sequence.forget()
        with self.scheduler.changed:
            self.scheduler.waiting.extendleft(reversed(back))
        self.decoder.shrink()
        warnings.warn(f"memory ran out with {len(back) + self.row_limit} answers at once; going on with {self.row_limit}", stacklevel=2)


_schedulers: WeakKeyDictionary[ModelPair, Scheduler] = WeakKeyDictionary()
_schedulers_lock = threading.Lock()


@atexit.register
def _close_all() -> None:
    """End the workers before the interpreter takes torch away under them."""
    with _schedulers_lock:
        schedulers = WeakSet(_schedulers.values())
    for scheduler in schedulers:
        scheduler.close()
