"""LangChain's own tests for chat models, unit and integration, on the embedded pair, none of them changed.

Four need a model that understands a tool it has never seen, which the embedded pair is too small for: they are expected to fail on it, and
pass with the answers of a better model.
"""

import operator
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_baco import ChatBaco
from tests.support.gate import PATIENCE
from tests.support.scripted import scripted

SETTINGS = {"temperature": 0, "max_tokens": 100, "timeout": PATIENCE, "stop": [], "max_retries": 2}
MAGIC = '<tool_call>\n{"name": "magic_function", "arguments": {"input": 3}}\n</tool_call>'
CUSTOMER = '{"customer_name": "你好啊集团 こんにちは株式会社", "description": "a company"}'
UNICODE = f'<tool_call>\n{{"name": "unicode_customer", "arguments": {CUSTOMER}}}\n</tool_call>'
BEYOND_IT = ("test_tool_calling[model0]", "test_tool_calling[model1]", "test_tool_calling_async", "test_unicode_tool_call_integration")


class Offered:
    """What both suites are told of ChatBaco."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatBaco

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> Any:
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        """Ask the same twice."""
        model, prompt = ChatBaco(**SETTINGS), "Name a pet rabbit, and tell me why it has this name and no other one of all the names."
        model.invoke(prompt)
        if not stream:
            return model.invoke(prompt)
        first, *others = model.stream(prompt)
        return reduce(operator.add, others, first)


class TestChatBacoUnit(Offered, ChatModelUnitTests):
    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"HF_TOKEN": "hf_secret"}, SETTINGS, {"hf_token": "hf_secret"}

    @pytest.mark.xfail(reason="`load` of langchain-core finds only classes that it has on a list of its own")
    def test_serdes(self, model: BaseChatModel, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


class TestChatBacoIntegration(Offered, ChatModelIntegrationTests):
    method: Literal["json_schema", "function_calling"] = "json_schema"

    @pytest.fixture(autouse=True)
    def _expect_failure(self, request: pytest.FixtureRequest) -> None:
        if request.node.name in BEYOND_IT:
            request.applymarker(pytest.mark.xfail(reason="the embedded pair fills in tools it has never seen with guesses", strict=True))

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return SETTINGS

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": self.method}

    @property
    def model_override_value(self) -> str:
        folder = Path(__file__).parents[2] / "shared/baco/pairs/tiny"
        return f"{folder / 'base'}|{folder / 'aligned'}"


@pytest.mark.slow
class TestChatBacoIntegrationByCalls(TestChatBacoIntegration):
    method = "function_calling"


@pytest.mark.parametrize("output_version", [None, "v1"])
def test_what_is_beyond_the_embedded_pair_passes_with_the_calls_of_a_better_model(
    output_version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, write = TestChatBacoIntegration(), scripted(monkeypatch)
    model = ChatBaco(**SETTINGS, **({} if output_version is None else {"output_version": output_version}))
    write(MAGIC)
    suite.test_tool_calling(model)
    write(UNICODE)
    suite.test_unicode_tool_call_integration(model)


async def test_the_same_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)(MAGIC)
    await TestChatBacoIntegration().test_tool_calling_async(ChatBaco(**SETTINGS))
