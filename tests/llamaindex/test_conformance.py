"""The conformance suite: BacoLLM on the embedded pair passes all of it, and careless LLMs fail every one of its tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from _pytest.outcomes import Failed
from llama_index.core.base.llms.types import ImageBlock, ThinkingBlock
from llama_index.core.llms.llm import LLM
from transformers import AutoTokenizer

from baco import Engine
from baco.decoding.decode import Decoder
from baco.engine.requests import Request
from llamaindex_baco import BacoLLM
from llamaindex_baco.testing import LLMConformance, MakeLLM
from tests.llamaindex.careless import CallerSuite, CarelessSuite
from tests.support.gate import PATIENCE, record_requests
from tests.support.scripted import scripted

ALIGNED = files("baco") / "pairs" / "tiny" / "aligned"


@cache
def _tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(str(ALIGNED))


class TestBacoLLM(LLMConformance):
    able = frozenset({"tools", "objects"})
    patience = PATIENCE
    long_settings: dict[str, Any] = {"max_tokens": 48, "temperature": 3.0, "seed": 1}  # noqa: RUF012
    logprobs_keywords: dict[str, Any] | None = {"logprobs": 1}  # noqa: RUF012
    context_window = 1024
    bos_id = 0

    @pytest.fixture
    def make_llm(self, monkeypatch: pytest.MonkeyPatch) -> MakeLLM:
        step = Decoder.step
        self.made = 0

        def counted(decoder: Decoder, *args: Any, **keywords: Any) -> Any:
            self.made += 1
            return step(decoder, *args, **keywords)

        monkeypatch.setattr(Decoder, "step", counted)
        return lambda **keywords: BacoLLM(**({"device": "cpu"} | keywords))

    def steps(self, llm: LLM) -> int:
        return self.made

    @contextmanager
    def prompts(self, llm: LLM) -> Iterator[list[list[int]]]:
        """What the aligned model reads."""
        found: list[list[int]] = []
        with pytest.MonkeyPatch.context() as patch:
            requests = record_requests(patch)
            yield found
        found += [list(request.prompt.token_ids["aligned"]) for request in requests]

    def decode(self, token_ids: Sequence[int]) -> str:
        return str(_tokenizer().decode(token_ids))

    def encode(self, text: str) -> list[int] | None:
        return list(_tokenizer().encode(text, add_special_tokens=False))

    @contextmanager
    def writing(self, llm: LLM, *answers: str) -> Iterator[None]:
        rest = list(answers)

        def submit(engine: Engine, requests: Sequence[Request]) -> None:
            with pytest.MonkeyPatch.context() as patch:
                scripted(patch)(rest.pop(0) if len(rest) > 1 else rest[0])
                Engine._submit(engine, requests)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Engine, "_submit", submit)
            yield

    @contextmanager
    def breaking(self, llm: LLM) -> Iterator[None]:
        def fail(decoder: Decoder, *args: Any, **keywords: Any) -> None:
            raise RuntimeError("the model is broken")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Decoder, "step", fail)
            yield


CARELESS: dict[str, tuple[list[Any], str]] = {
    "test_every_method_answers": (["chat"], "assert ''"),
    "test_a_stream_is_cumulative_and_its_deltas_add_up": (["stream_chat"], "assert"),
    "test_every_way_to_ask_gives_the_same_answer": (["stream_chat"], "assert"),
    "test_raw_is_json_with_usage": (["complete"], "not JSON serializable"),
    "test_usage_is_told_once_in_a_stream": (["stream_complete"], "the last chunk has no usage"),
    "test_statistics_stay_out_of_the_next_prompt": (["chat"], "prompt_tokens"),
    "test_logprobs_survive_where_they_are_asked_for": (["chat"], "assert None"),
    "test_one_call_is_one_pair_of_events": (["chat"], "LLMCompletionStartEvent"),
    "test_one_call_is_counted_once": (["chat"], "assert 2 == 1"),
    "test_an_answer_that_is_cut_has_as_many_tokens_as_it_was_given": (["chat"], "assert 0 == 3"),
    "test_counts_are_those_of_the_models_own_tokenizer": (["chat"], "assert 0 =="),
    "test_the_event_loop_runs_on": (["achat"], "the loop stood still"),
    "test_a_call_that_is_given_up_stops": (["achat"], "and went on"),
    "test_an_async_stream_that_is_closed_stops": (["astream_chat"], "it decodes on|it decoded to the end"),
    "test_a_stream_that_is_closed_stops": (["stream_chat"], "it decodes on|it decoded to the end"),
    "test_a_failure_while_decoding_reaches_the_caller": (["stream_chat"], "it hangs"),
    "test_two_threads_get_their_own_answers": (["complete"], "what somebody else wanted"),
    "test_tasks_that_are_gathered_get_their_own_answers": (["acomplete"], "assert"),
    "test_max_tokens_of_a_call_is_honoured": (["chat"], "assert"),
    "test_temperature_of_a_call_is_honoured": (["chat"], "assert"),
    "test_the_seed_of_a_call_is_honoured": (["chat"], "assert"),
    "test_stop_texts_of_a_call_are_honoured": (["chat"], "assert"),
    "test_an_unknown_keyword_of_a_call_is_an_error": (["chat"], "DID NOT RAISE"),
    "test_an_unknown_keyword_of_the_constructor_is_an_error": ([], "DID NOT RAISE"),
    "test_the_window_is_the_models_own": ([], "LlamaIndex's default"),
    "test_num_output_is_the_longest_answer": ([], "assert 3900 == 17"),
    "test_prompts_can_be_planned_whatever_max_tokens_is": ([1.0], "assert 3900 < 3900"),
    "test_a_prompt_that_is_too_long_is_an_error_with_the_counts": (["chat"], "DID NOT RAISE"),
    "test_messages_come_in_any_order": (["two user messages in a row"], "'apples'"),
    "test_every_role_is_read": (["developer"], "'bricks'"),
    "test_a_result_of_a_tool_needs_no_name": ([], "'apples'"),
    "test_a_block_without_text_is_accepted": ([ThinkingBlock(content="hm")], "'bricks'"),
    "test_text_of_citable_blocks_and_of_several_blocks_is_read": ([], "'bricks'"),
    "test_media_that_are_not_read_are_refused_by_name": ([ImageBlock(url="http://x/y.png")], "DID NOT RAISE"),
    "test_a_prompt_begins_once": ([], r"\[2, 2\] == \[1, 1\]"),
    "test_an_llm_that_says_it_calls_functions_has_the_methods": ([], "is_function_calling_model"),
    "test_predict_and_call_calls_without_the_flag": (["predict_and_call"], "ReActChatFormatter|formatter"),
    "test_a_react_agent_finishes": ([False], "Zelnik costs 42 euros'\\) in"),
    "test_a_workflow_without_the_flag_finishes": ([], "Zelnik costs 42 euros'\\) in"),
    "test_a_structured_llm_answers_with_objects": (["chat"], "ReActChatFormatter"),
    "test_the_system_prompt_is_on_every_way": (["predict"], r"\[0, 0\] == \[1, 1\]"),
    "test_it_survives_a_dictionary": ([], "not JSON serializable"),
    "test_it_survives_a_pickle_without_its_weights": ([], "< 100000"),
    "test_a_deep_copy_shares_the_weights": ([], "assert"),
    "test_its_description_is_json_without_secrets": ([], "sk-hidden"),
    "test_its_name_is_its_own": ([], "custom_llm"),
    "test_a_cheap_copy_answers_with_its_own_settings": (["complete"], "assert"),
}
"""The tests that fail on `Careless`: with which parameters, and what they say."""
CALLER: dict[str, tuple[list[Any], str]] = {
    "test_a_tool_is_called": (["chat_with_tools"], "tool_calls"),
    "test_every_chunk_can_be_read_for_calls": (["stream_chat_with_tools"], "tool_calls"),
    "test_an_answer_without_calls_can_be_read_for_them": ([], "tool_calls"),
    "test_the_history_stays_as_it_is": (["chat_with_tools"], "assert"),
    "test_a_call_that_is_required_is_made": (["chat_with_tools"], "tool_calls"),
    "test_the_tool_that_is_chosen_is_called": (["chat_with_tools"], "tool_calls"),
    "test_keywords_go_along_with_tools": (["chat_with_tools"], "DID NOT RAISE"),
    "test_predict_and_call_calls": (["predict_and_call"], "tool_calls"),
    "test_a_function_agent_finishes": ([True], "tool_calls"),
    "test_a_function_agent_that_runs_out_of_steps_sums_up": ([False], "tool_calls"),
    "test_a_workflow_takes_the_agent_that_fits": ([], "tool_calls"),
    "test_an_object_is_valid": (["structured_predict"], "tool_calls"),
    "test_a_stream_of_objects_grows_and_is_not_blank": (["stream_structured_predict"], "assert 0 > 0"),
}
"""Those that fail on `CarelessCaller`."""


def test_every_test_of_the_suite_is_shown_to_fail() -> None:
    assert sorted([*CARELESS, *CALLER]) == sorted(name for name in dir(LLMConformance) if name.startswith("test_"))


# LlamaIndex's agents use what pydantic has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", [*CARELESS, *CALLER])
def test_careless_llms_fail(name: str) -> None:
    suite: CarelessSuite = CarelessSuite() if name in CARELESS else CallerSuite()
    arguments, message = (CARELESS | CALLER)[name]
    suite.patience = 1 if message == "it hangs" else PATIENCE
    made = suite.maker(silent=name == "test_every_method_answers")
    with pytest.raises((Exception, Failed), match=message):
        getattr(suite, name)(made, *arguments)
