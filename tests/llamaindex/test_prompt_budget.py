"""How much fits: LlamaIndex plans by the pair's own tokenizer and room, so that no prompt is longer than the window."""

from typing import Any

import pytest
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.base.response.schema import Response
from llama_index.core.chat_engine import CondensePlusContextChatEngine
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer

from baco import ContextOverflowError
from baco.engine.requests import Request
from llamaindex_baco import BacoLLM, capture_responses
from offline_embedding import OfflineEmbedding
from tests.llamaindex.helpers import apart
from tests.support.marks import slow_but

PLACES = ("Velmora", "Ostrin", "Halden", "Brindle", "Lume")
QUESTION = "What can a visitor see in Ostrin?"
MODES = ("compact", "refine", "tree_summarize", "simple_summarize", "accumulate", "compact_accumulate")


pytestmark = pytest.mark.usefixtures("llamaindex_settings")


@pytest.fixture(scope="module")
def index() -> VectorStoreIndex:
    """Twenty documents, each longer than a fifth of the window."""
    part = "{place}, part {number}. " + "Visitors of {place} can see tower number {number}, and the old harbour. " * 14
    texts = [part.format(place=PLACES[number % 5], number=number) for number in range(20)]
    return VectorStoreIndex.from_documents([Document(text=text) for text in texts], embed_model=OfflineEmbedding())


@pytest.fixture
def llm() -> BacoLLM:
    llm = BacoLLM(device="cpu", max_tokens=8, seed=1)
    llm.configure_settings()
    return llm


def longest(submitted: list[Request]) -> int:
    return max(len(ids) for request in submitted for ids in request.prompt.token_ids.values())


@pytest.mark.parametrize("mode", slow_but(["compact", "tree_summarize"], MODES))
def test_no_prompt_of_a_query_engine_is_longer_than_the_window(
    index: VectorStoreIndex, llm: BacoLLM, submitted: list[Request], mode: Any
) -> None:
    with capture_responses() as responses:
        answer = apart(index.as_query_engine(similarity_top_k=8, response_mode=mode).query, QUESTION)
    assert isinstance(answer, Response) and len(answer.source_nodes) == 8
    assert longest(submitted) + 8 <= llm.metadata.context_window
    assert len(submitted) == len(responses) == len([one for one in responses if one.raw and one.raw["usage"] and one.raw["baco"]["spans"]])


def test_the_room_is_used(index: VectorStoreIndex, llm: BacoLLM, submitted: list[Request]) -> None:
    apart(index.as_query_engine(similarity_top_k=8, response_mode="simple_summarize").query, QUESTION)
    assert longest(submitted) > 0.85 * (llm.metadata.context_window - 8)


def test_without_it_a_prompt_is_too_long_and_the_error_has_the_counts(index: VectorStoreIndex) -> None:
    llm = BacoLLM(device="cpu", max_tokens=8, seed=1)
    Settings.prompt_helper = Settings.prompt_helper.__class__(context_window=3900, tokenizer=str.split)
    Settings.chat_prompt_helper = Settings.chat_prompt_helper.__class__(context_window=3900, tokenizer=str.split)
    with pytest.raises(ContextOverflowError, match=r"\d+ tokens") as error:
        apart(index.as_query_engine(llm=llm, similarity_top_k=8, response_mode="simple_summarize").query, QUESTION)
    assert error.value.prompt_tokens > error.value.max_model_len == llm.metadata.context_window


def test_the_global_tokenizer_counts_as_the_pair_does(llm: BacoLLM) -> None:
    tokenizer = llm._engine().pair.tokenizer
    for text in ("A rabbit in Velmora.", "Straße 12, <|im_end|> and 🐇", ""):
        ids = Settings.tokenizer(text)
        assert tokenizer.decode(ids) == text
    assert Settings.llm is llm


@pytest.mark.parametrize("system_prompt", [None, "You are a guide who knows all towns and answers in one short sentence. " * 4])
def test_a_chat_over_an_index_stays_inside_the_window(
    index: VectorStoreIndex, llm: BacoLLM, submitted: list[Request], system_prompt: str | None
) -> None:
    memory = ChatMemoryBuffer.from_defaults(token_limit=200)
    engine = CondensePlusContextChatEngine.from_defaults(
        index.as_retriever(similarity_top_k=1), llm=llm, memory=memory, system_prompt=system_prompt, context_prompt="{context_str}"
    )
    for question in (QUESTION, "And in Velmora?", "Which is older?"):
        assert apart(engine.chat, question).response
    assert longest(submitted) < llm.metadata.context_window


def test_overhead_is_what_the_template_adds(llm: BacoLLM) -> None:
    raw: Any = llm.chat([ChatMessage(content="A rabbit.")]).raw
    added = raw["usage"]["prompt_tokens"] - len(Settings.tokenizer("A rabbit."))
    room = llm.metadata.context_window - Settings.prompt_helper.context_window
    assert 0 < added <= room < 60
