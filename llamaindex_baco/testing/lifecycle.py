"""`LifecycleTests`: an LLM that is copied, stored and described. Knows serialised forms; answers are compared only to see that it lives."""

import copy
import json
import pickle
import re
from typing import Any

import pytest

from llamaindex_baco.testing.calls import ask, text_of
from llamaindex_baco.testing.hooks import Hooks, MakeLLM

SECRET = re.compile(r"(api_?key|token|password|secret)$", re.IGNORECASE)


class LifecycleTests(Hooks):
    """Copies, pickles, dictionaries, payloads."""

    def test_it_survives_a_dictionary(self, make_llm: MakeLLM) -> None:
        """Else an index or a workflow that was saved cannot be loaded again."""
        llm = self.steady(make_llm)
        stored = json.loads(json.dumps(llm.to_dict()))
        again = type(llm).from_dict(stored)
        assert again.to_dict() == stored
        assert text_of(again.complete(self.question)) == text_of(llm.complete(self.question))

    def test_it_survives_a_pickle_without_its_weights(self, make_llm: MakeLLM) -> None:
        """Else ingestion with several processes fails, or hands gigabytes to each of them."""
        llm = self.steady(make_llm)
        before = text_of(llm.complete(self.question))
        stored = pickle.dumps(llm)
        assert len(stored) < self.max_pickle_bytes
        assert text_of(pickle.loads(stored).complete(self.question)) == before

    def test_a_deep_copy_shares_the_weights(self, make_llm: MakeLLM) -> None:
        """Else a copied agent or engine, which LlamaIndex makes now and then, takes the memory of another model."""
        llm = self.steady(make_llm)
        before = text_of(llm.complete(self.question))
        held, copied = self.weights(llm), copy.deepcopy(llm)
        assert [id(one) for one in self.weights(copied)] == [id(one) for one in held]
        assert text_of(copied.complete(self.question)) == before

    def test_its_description_is_json_without_secrets(self, make_llm: MakeLLM) -> None:
        """Else traces, which go to other services, cannot be stored, or carry keys."""
        llm = self.steady(make_llm, **self.secret_keywords)
        payload = json.dumps(llm.to_payload())
        shown = [value for value in self.secret_keywords.values() if str(value) in payload]
        assert shown == []
        assert [name for name, value in _entries(json.loads(payload)) if SECRET.search(name) and value] == []

    def test_its_name_is_its_own(self, make_llm: MakeLLM) -> None:
        """Else what was stored is loaded as another class."""
        kind: Any = type(self.steady(make_llm))
        assert kind.class_name() not in ("base_component", "base_llm", "custom_llm", "LLM", "CustomLLM", "")

    @pytest.mark.parametrize("method", ["complete", "astream_chat"])
    def test_a_cheap_copy_answers_with_its_own_settings(self, make_llm: MakeLLM, method: str) -> None:
        """Else `model_copy`, the way to a variant without another model in memory, changes the original or nothing."""
        llm, changed = self.steady(make_llm), self.constructor_keywords(max_tokens=3)
        whole = text_of(ask(llm, method, self.question)[-1])
        short = text_of(ask(llm.model_copy(update=changed), method, self.question)[-1])
        assert len(short) < len(whole)
        assert text_of(ask(llm, method, self.question)[-1]) == whole


def _entries(value: Any) -> list[tuple[str, Any]]:
    """All names and values in a JSON object, however deep."""
    if isinstance(value, dict):
        return [*value.items(), *_entries(list(value.values()))]
    return [entry for one in value for entry in _entries(one)] if isinstance(value, list) else []
