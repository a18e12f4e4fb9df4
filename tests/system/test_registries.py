"""What is made once per process is made once, however many threads ask for it at the same moment."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from transformers import PreTrainedTokenizerBase

from baco.grammar.compiled import GrammarVocabulary
from baco.parsing import detection
from baco.parsing.detection import detect_tool_calls
from baco.vocab.token_text import TokenTexts
from tests.support.tokenizers import byte_level_bpe

THREADS = 8
MAKERS: dict[str, tuple[object, str, Callable[[PreTrainedTokenizerBase], object]]] = {
    "token texts": (TokenTexts, "__init__", TokenTexts.of),
    "grammar vocabulary": (GrammarVocabulary, "__init__", lambda tokenizer: GrammarVocabulary.of(tokenizer, len(tokenizer), [2])),
    "form of calls": (detection, "_detect", detect_tool_calls),
}


@pytest.mark.parametrize("name", MAKERS)
def test_threads_that_ask_at_once_share_what_is_made(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, find = MAKERS[name]
    make: Callable[..., object] = getattr(owner, attribute)
    made: list[object] = []

    def slow(*arguments: object) -> object:
        made.append(arguments)
        time.sleep(0.05)  # long enough for every other thread to arrive
        return make(*arguments)

    monkeypatch.setattr(owner, attribute, slow)
    tokenizer, ready = byte_level_bpe(), threading.Barrier(THREADS)

    def ask() -> object:
        ready.wait()
        return find(tokenizer)

    with ThreadPoolExecutor(THREADS) as pool:
        found = [future.result() for future in [pool.submit(ask) for _ in range(THREADS)]]
    assert len(made) == 1
    assert all(one is found[0] for one in found)
