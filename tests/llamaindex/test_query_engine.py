"""BacoLLM inside LlamaIndex: query engines over a real vector index with offline embeddings, on the embedded pair."""

from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer

import llamaindex_query_engine as example
from llamaindex_baco import BacoLLM, capture_responses
from offline_embedding import OfflineEmbedding


@pytest.fixture(scope="module")
def index() -> VectorStoreIndex:
    return example.build_index()


@pytest.fixture
def llm() -> BacoLLM:
    return BacoLLM(device="cpu", max_tokens=16, seed=7)


async def text_of(answer: Any) -> str:
    if isinstance(answer, StreamingResponse):
        return "".join(answer.response_gen)
    if isinstance(answer, AsyncStreamingResponse):
        return "".join([piece async for piece in answer.async_response_gen()])
    assert isinstance(answer, Response)
    return answer.response or ""


def test_the_embedding_tells_which_text_answers_a_question(index: VectorStoreIndex) -> None:
    questions = {example.QUESTION: 0, "Which river runs through Ostrin?": 1, "What can I see in the Halden Museum?": 2}
    retriever = index.as_retriever(similarity_top_k=1)
    for question, place in questions.items():
        assert [node.get_content() for node in retriever.retrieve(question)] == [example.TEXTS[place]]


def test_the_embedding_of_a_text_does_not_depend_on_the_texts_beside_it() -> None:
    embedding = OfflineEmbedding()
    alone = embedding.get_text_embedding("a harbour")
    among = embedding.get_text_embedding_batch(["a harbour", "a much longer text about ships and the sea in winter"])[0]
    assert among == pytest.approx(alone, abs=1e-5)
    assert sum(value * value for value in alone) == pytest.approx(1)


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_query_engine_answers_with_owners_and_usage(
    index: VectorStoreIndex, llm: BacoLLM, streaming: bool, asynchronous: bool
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    engine = index.as_query_engine(llm=llm, similarity_top_k=1, streaming=streaming, use_async=asynchronous)
    llm.callback_manager = CallbackManager([counter])  # as_query_engine puts the index's in its place
    with capture_responses() as responses:
        answer = await engine.aquery(example.QUESTION) if asynchronous else engine.query(example.QUESTION)
        text = await text_of(answer)
    assert [node.get_content() for node in answer.source_nodes] == [example.TEXTS[0]]
    (response,) = responses
    assert response.raw is not None
    assert "".join(piece for piece, _ in response.raw["baco"]["spans"]) == text != ""
    assert len(counter.llm_token_counts) == 1
    assert counter.total_llm_token_count == response.raw["usage"]["total_tokens"]


def test_the_models_read_the_retrieved_text(index: VectorStoreIndex, llm: BacoLLM) -> None:
    lengths = []
    for count in (1, 3):
        with capture_responses() as responses:
            index.as_query_engine(llm=llm, similarity_top_k=count).query(example.QUESTION)
        lengths.append(responses[0].raw["usage"]["prompt_tokens"] if responses[0].raw else 0)
    assert 100 < lengths[0] < lengths[1] < llm.metadata.context_window


def test_one_question_gets_different_answers(index: VectorStoreIndex) -> None:
    column = example.ask(index, BacoLLM(device="cpu", max_tokens=24, router="p", threshold=0.6), example.QUESTION, 5)
    assert len({"".join(text for text, _ in answer) for answer in column.answers}) > 1
    assert 0 < column.base_share < 1


def test_a_chat_engine_keeps_the_conversation_free_of_bookkeeping(llm: BacoLLM) -> None:
    # The default memory opens a database that nothing closes.
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=500))
    with capture_responses() as responses:
        first = engine.chat("Name a pet rabbit.")
        engine.chat("And a cat?")
    assert [message.content for message in engine.chat_history[:3]] == ["Name a pet rabbit.", first.response, "And a cat?"]
    assert all(message.additional_kwargs == {} for message in engine.chat_history)
    assert len(responses) == 2


def test_a_block_captures_only_what_ends_inside_it(llm: BacoLLM) -> None:
    with capture_responses() as outer:
        llm.complete("Hello")
        with capture_responses() as inner:
            llm.complete("Hello")
        stream = llm.stream_complete("Hello")
        next(stream)
    stream.close()
    llm.complete("Hello")
    assert (len(outer), len(inner)) == (2, 1)


def test_the_example_shows_a_column_for_each_router(capsys: pytest.CaptureFixture[str]) -> None:
    example.main(times=2)
    shown = capsys.readouterr().out
    assert all(router in shown for router in example.ROUTERS)
    assert "distinct" in shown
