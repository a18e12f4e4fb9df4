"""An event that cancels every request of its context, for callers that wait for several threads."""

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

from baco import Engine, SamplingParams
from baco.engine.requests import cancel_event
from tests.support.gate import Gate


def test_it_ends_the_requests_of_its_context_and_no_others(engine: Engine, gate: Gate) -> None:
    params = SamplingParams(max_tokens=12, seed=1)
    event = threading.Event()
    within = contextvars.copy_context()
    within.run(cancel_event.set, event)
    with ThreadPoolExecutor() as pool:
        ended = [pool.submit(within.copy().run, engine.generate, prompt, params) for prompt in ("Name a fish.", "Go on")]
        other = pool.submit(engine.generate, "Where is the sea?", params)
        gate.permit(3)
        event.set()
        gate.open()
        reasons = [future.result().candidates[0].finish_reason for future in ended]
        assert reasons == ["cancelled", "cancelled"]
        assert other.result().candidates[0].finish_reason != "cancelled"
    assert engine.generate("Go on", params).candidates[0].finish_reason != "cancelled"
