"""`Worker`: the one thread that runs a pair's models, for all requests.

Answers join the batch between two steps and leave it as they end. A request's error fails that request alone: a step that raises is
repeated row by row. After some idle time the thread ends and frees its caches. Knows rows and requests; knows nothing of text.
"""

import warnings
from collections import deque
from collections.abc import Sequence

import torch

from baco.decoding.decode import Decoder
from baco.decoding.row import Row
from baco.decoding.sequence import CommittedToken
from baco.engine.request_queue import RequestQueue
from baco.engine.requests import Answer, Request
from baco.errors import OutOfMemoryError, QueueFullError
from baco.forward.cuda import is_out_of_memory
from baco.models.pair import ModelPair

KEEP_ALIVE = {"cpu": 0.5, "cuda": 30.0}
"""Seconds that an idle worker waits before it ends and frees its memory; longer on CUDA, where the next must record its passes."""


def submit(pair: ModelPair, requests: Sequence[Request], max_waiting: int) -> None:
    """Queue requests for a pair, and start its worker if none is running.

    Raises:
        QueueFullError: `max_waiting` answers or more are waiting already.
    """
    queue = RequestQueue.of(pair)
    answers = [answer for request in requests for answer in request.answers(pair.info)]
    with queue.changed:
        if len(queue.waiting) >= max_waiting:
            raise QueueFullError(len(queue.waiting), max_waiting)
        queue.waiting.extend(answers)
        queue.keep_alive = True
        queue.changed.notify()
        if queue.worker is None:
            queue.start_worker(Worker(queue, pair).run, f"baco {pair.name}")


class Worker:
    """The body of the thread. It keeps the pair alive while there is work, and while it waits for more."""

    def __init__(self, queue: RequestQueue, pair: ModelPair) -> None:
        self.queue = queue
        self.decoder = Decoder(pair, queue.prefixes, queue.turns, queue.programs)
        self.keep_alive = KEEP_ALIVE.get(pair.device.type, KEEP_ALIVE["cpu"])
        self.running: dict[Row, Answer] = {}
        self.row_limit: int | None = None
        """Rows that fit into memory together; None while memory has never run out."""

    @torch.inference_mode()
    def run(self) -> None:
        """Decode until the queue has been empty for `keep_alive` seconds."""
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
        """Fail all pending requests with the worker's exception."""
        queue = self.queue
        with queue.changed:
            requests = {answer.request for answer in (*self.running.values(), *queue.waiting)}
            queue.waiting.clear()
            queue.worker = None
        for request in requests:
            if not request.done.done():
                request.done.set_exception(error)

    def _has_work(self) -> bool:
        """Wait for work; if none comes, leave the queue."""
        queue = self.queue
        with queue.changed:
            if queue.closing:
                for request in {answer.request for answer in (*self.running.values(), *queue.waiting)}:
                    request.cancel()
            if not self.running and not queue.waiting:
                queue.changed.wait_for(lambda: queue.waiting or queue.closing or not queue.keep_alive, timeout=self.keep_alive)
            if self.running or queue.waiting:
                return True
            queue.worker = None
            return False

    def _drop_ended(self) -> None:
        """End the answers of requests that were cancelled or are late."""
        # A request may be over at any moment, so each is asked once.
        self._leave([answer for answer in list(self.running.values()) if answer.is_over and self._cut(answer)])
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
        """Move waiting answers into the batch, first come first served, while there is room."""
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
                continue  # its request failed earlier in this step
            try:
                if answer.push(committed):
                    ended.append(answer)
            except Exception as error:
                self._fail(answer.request, error)
        self._leave(ended)

    def _leave(self, answers: Sequence[Answer]) -> None:
        """Remove those of the answers that still run from the decoder, all at once, so that none of their slots is moved first."""
        answers = [answer for answer in answers if answer.row in self.running]
        if answers:
            self.decoder.remove([answer.row for answer in answers])
        for answer in answers:
            del self.running[answer.row]

    def _fail(self, request: Request, error: Exception) -> None:
        """Fail one request, and no other."""
        self._leave([answer for answer in self.running.values() if answer.request is request])
        with self.queue.changed:
            self.queue.waiting = deque(answer for answer in self.queue.waiting if answer.request is not request)
        if not request.done.done():
            request.done.set_exception(error)

    def _survive(self, error: Exception) -> None:
        """Recover from a failed step: with fewer rows if memory ran out, else without the row that makes it fail."""
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
            warnings.warn(f"a pass failed ({type(error).__name__}: {error}) that succeeded when its rows were run one by one", stacklevel=2)

    def _shrink(self) -> None:
        """Preempt half of the rows: they return to the queue, keep their committed tokens, and are prefilled again later."""
        self.row_limit = len(self.running) // 2
        preempted = list(self.running.values())[self.row_limit :]
        self._leave(preempted)
        for answer in preempted:
            answer.row.sequence.evict()
        with self.queue.changed:
            self.queue.waiting.extendleft(reversed(preempted))
        self.decoder.shrink()
        warnings.warn(
            f"memory ran out with {len(preempted) + self.row_limit} answers at once; going on with {self.row_limit}", stacklevel=2
        )
