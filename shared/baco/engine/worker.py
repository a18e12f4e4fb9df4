"""`Worker`: the one thread that owns a pair and decodes for everybody.

A request's rows join between two steps and leave as they end. What one request does wrong fails that request alone: a step that raises is
repeated row by row. When nothing came for a while, the thread ends, and the caches' memory with it.
"""

import threading
import warnings
from collections import deque
from collections.abc import Sequence

import torch

from baco.decoding.decode import Decoder
from baco.decoding.row import Row
from baco.decoding.sequence import CommittedToken
from baco.decoding.turns import TurnPolicy
from baco.engine.requests import Answer, Request
from baco.errors import OutOfMemoryError
from baco.forward.compiling import CompiledPass
from baco.forward.cuda import is_out_of_memory
from baco.forward.prefix_cache import PrefixCache
from baco.models.pair import ModelPair
from baco.results import Model

KEEP_ALIVE = {"cpu": 0.5, "cuda": 30.0}
"""Seconds that an idle worker waits for more before it gives its memory back. On CUDA it would have to record its passes anew."""
PREFIX_BYTES = 128 * 2**20
"""Memory for prompts that were read before, for each model."""


class Queue:
    """What those who ask and the worker share; `changed` guards it."""

    def __init__(self) -> None:
        self.prefixes: dict[Model, PrefixCache] = {"base": PrefixCache(PREFIX_BYTES), "aligned": PrefixCache(PREFIX_BYTES)}
        self.turns = TurnPolicy()
        self.programs: dict[Model, CompiledPass] = {}
        self.waiting: deque[Answer] = deque()
        self.changed = threading.Condition()
        self.worker: threading.Thread | None = None
        self.closing = False
        self.keep_alive = True
        """Whether an idle worker waits for more; not once the pair was unloaded, until the next request."""


class Worker:
    """What runs in the thread. It holds the pair as long as there is something to do, and while it waits for more."""

    def __init__(self, queue: Queue, pair: ModelPair) -> None:
        self.queue = queue
        self.decoder = Decoder(pair, queue.prefixes, queue.turns, queue.programs)
        self.linger = KEEP_ALIVE.get(pair.device.type, KEEP_ALIVE["cpu"])
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
        queue = self.queue
        with queue.changed:
            requests = {answer.request for answer in (*self.running.values(), *queue.waiting)}
            queue.waiting.clear()
            queue.worker = None
        for request in requests:
            if not request.done.done():
                request.done.set_exception(error)

    def _has_work(self) -> bool:
        """Wait for work; without any, sign off."""
        queue = self.queue
        with queue.changed:
            if queue.closing:
                for request in {answer.request for answer in (*self.running.values(), *queue.waiting)}:
                    request.cancel()
            if not self.running and not queue.waiting:
                queue.changed.wait_for(lambda: queue.waiting or queue.closing or not queue.keep_alive, timeout=self.linger)
            if self.running or queue.waiting:
                return True
            queue.worker = None
            return False

    def _drop_ended(self) -> None:
        """End the answers of requests that were cancelled or are late."""
        # A request may be over at any moment, so each is asked once.
        late = [answer for answer in self.running.values() if answer.is_over]
        ended = [answer for answer in late if self._cut(answer)]
        self._leave([answer for answer in ended if answer.row in self.running])
        with self.queue.changed:
            over = [answer for answer in self.queue.waiting if answer.is_over]
        gone = {answer for answer in over if self._cut(answer)}
        if gone:
            with self.queue.changed:
                self.queue.waiting = deque(answer for answer in self.queue.waiting if answer not in gone)

    def _cut(self, answer: Answer) -> bool:
        """End an answer as it stands; return whether it is complete, and has not to be scored."""
        if answer.request.done.done():
            return True  # it has failed in another of its answers
        try:
            return answer.cut()
        except Exception as error:
            self._fail(answer.request, error)
            return True

    def _admit(self) -> None:
        """Take in waiting answers, in their order, while there is room."""
        while True:
            with self.queue.changed:
                if not self.queue.waiting:
                    return
                answer = self.queue.waiting[0]
                room = answer.request.max_batch_size if self.row_limit is None else min(self.row_limit, answer.request.max_batch_size)
                if len(self.running) >= room:
                    return
                self.queue.waiting.popleft()
            self.running[answer.row] = answer
            try:
                self.decoder.add(answer.row)
            except Exception as error:
                del self.running[answer.row]
                if not (is_out_of_memory(error) and self.running):
                    self._fail(answer.request, error)
                    continue
                self.row_limit = len(self.running)
                with self.queue.changed:
                    self.queue.waiting.appendleft(answer)
                return

    def _step(self) -> None:
        try:
            progress = self.decoder.step()
        except Exception as error:
            self._survive(error)
        else:
            self._take(progress)

    def _take(self, progress: Sequence[tuple[Row, list[CommittedToken]]]) -> None:
        """Hand new tokens, or the end of scoring, to their answers."""
        ended = []
        for row, committed in progress:
            answer = self.running.get(row)
            if answer is None:
                continue  # its request has failed within this step
            try:
                if answer.push(committed):
                    ended.append(answer)
            except Exception as error:
                self._fail(answer.request, error)
        self._leave([answer for answer in ended if answer.row in self.running])

    def _leave(self, answers: Sequence[Answer]) -> None:
        """Take running answers out of the decoder, all at once, so that no slot is moved that goes as well."""
        if answers:
            self.decoder.remove([answer.row for answer in answers])
        for answer in answers:
            del self.running[answer.row]

    def _fail(self, request: Request, error: Exception) -> None:
        """Fail one request, and nobody else's."""
        self._leave([answer for answer in self.running.values() if answer.request is request])
        with self.queue.changed:
            self.queue.waiting = deque(answer for answer in self.queue.waiting if answer.request is not request)
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
        self._leave(back)
        for answer in back:
            answer.row.sequence.evict()
        with self.queue.changed:
            self.queue.waiting.extendleft(reversed(back))
        self.decoder.shrink()
        warnings.warn(f"memory ran out with {len(back) + self.row_limit} answers at once; going on with {self.row_limit}", stacklevel=2)
