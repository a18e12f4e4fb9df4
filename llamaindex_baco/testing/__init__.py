"""`LLMConformance`: a suite of tests for any LLM of LlamaIndex, in which each test is a trap that has cost users time.

    from llamaindex_baco.testing import LLMConformance

    class TestMyLLM(LLMConformance):
        @pytest.fixture
        def make_llm(self):
            return lambda **keywords: MyLLM(path, **keywords)

LlamaIndex says what an LLM's methods are called; what pipelines, agents and tracers rely on beyond that is written nowhere. A test's
docstring says what goes wrong otherwise. What else a suite can be told of an LLM, and what it can then check more strictly, is in `Hooks`.

Needs pytest (`pip install 'baco[testing]'`), and nothing of the rest of this package. Every test runs in a thread of its own and fails
where the LLM hangs.
"""

import pkgutil

import pytest

# Before they are imported, so that a failed assertion shows its values.
pytest.register_assert_rewrite(*(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")))

from llamaindex_baco.testing.accounting import AccountingTests, WindowTests  # noqa: E402
from llamaindex_baco.testing.answers import AnswerTests  # noqa: E402
from llamaindex_baco.testing.calling import AgentTests, CallingTests  # noqa: E402
from llamaindex_baco.testing.conversations import ConversationTests  # noqa: E402
from llamaindex_baco.testing.hooks import Hooks, MakeLLM  # noqa: E402
from llamaindex_baco.testing.keywords import KeywordTests  # noqa: E402
from llamaindex_baco.testing.lifecycle import LifecycleTests  # noqa: E402
from llamaindex_baco.testing.loops import LoopTests, TogetherTests  # noqa: E402
from llamaindex_baco.testing.structured import StructuredTests  # noqa: E402
from llamaindex_baco.testing.tasks import ObjectTask, ToolTask  # noqa: E402


class LLMConformance(
    AnswerTests,
    AccountingTests,
    LoopTests,
    TogetherTests,
    KeywordTests,
    WindowTests,
    ConversationTests,
    CallingTests,
    AgentTests,
    StructuredTests,
    LifecycleTests,
):
    """All of the suite. Subclass it and give it `make_llm`; single subjects are classes of their own."""


__all__ = [
    "AccountingTests",
    "AgentTests",
    "AnswerTests",
    "CallingTests",
    "ConversationTests",
    "Hooks",
    "KeywordTests",
    "LLMConformance",
    "LifecycleTests",
    "LoopTests",
    "MakeLLM",
    "ObjectTask",
    "StructuredTests",
    "TogetherTests",
    "ToolTask",
    "WindowTests",
]
