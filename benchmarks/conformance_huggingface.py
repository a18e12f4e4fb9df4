"""The conformance suite over `HuggingFaceLLM`, told all that its author could tell. `llamaindex_conformance.py` runs it.

Needs llama-index-llms-huggingface. The model is the aligned one of the embedded pair, as transformers loads it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

import pytest
import torch
from llama_index.core.llms.llm import LLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from llamaindex_baco.testing import LLMConformance, MakeLLM

# By name: the types are checked alike with and without the package.
HuggingFaceLLM: Any = import_module("llama_index.llms.huggingface").HuggingFaceLLM
FOLDER = str(files("baco") / "pairs" / "tiny" / "aligned")
QUESTION = "<|im_start|>user\n{query_str}<|im_end|>\n<|im_start|>assistant\n"
"""The model's chat template around a prompt; the tokenizer writes the token in front."""
END = 4
"""The model's end token."""


@cache
def loaded() -> tuple[Any, Any]:
    """The model and its tokenizer."""
    return AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32), AutoTokenizer.from_pretrained(FOLDER)


class TestHuggingFaceLLM(LLMConformance):
    """HuggingFaceLLM has no seed and no stop texts, and its calls take keywords by the names of its constructor."""

    patience = 15.0
    settings = frozenset({"max_tokens", "temperature"})
    call_settings = frozenset({"max_tokens", "temperature"})
    able: frozenset[str] = frozenset()
    long_settings: dict[str, Any] = {"max_tokens": 100, "temperature": 0, "generate_kwargs": {"suppress_tokens": [END]}}  # noqa: RUF012
    context_window = 1024
    bos_id = 0

    @pytest.fixture
    def make_llm(self) -> MakeLLM:
        """Each LLM gets the model that is loaded already."""
        model, tokenizer = loaded()
        fixed = {
            "model_name": FOLDER,
            "tokenizer_name": FOLDER,
            "model": model,
            "tokenizer": tokenizer,
            "is_chat_model": True,
            "query_wrapper_prompt": QUESTION,
        }
        return lambda **keywords: HuggingFaceLLM(**(fixed | keywords))

    @pytest.fixture(autouse=True)
    def _count(self) -> Iterator[None]:
        self.made, model = 0, loaded()[0]
        model.register_forward_pre_hook(self._step)
        yield
        # A test that hangs is left inside its block: what it has done to the model must not meet the next one.
        model._forward_pre_hooks.clear()
        vars(model).pop("generate", None)

    def _step(self, *_: object) -> None:
        self.made += 1

    def constructor_keywords(self, **settings: Any) -> dict[str, Any]:
        """Sampling is in `generate_kwargs`."""
        keywords = dict(settings)
        if "max_tokens" in keywords:
            keywords["max_new_tokens"] = keywords.pop("max_tokens")
        if "temperature" in keywords:
            heat = keywords.pop("temperature")
            sampling = {"do_sample": True, "temperature": float(heat), "top_k": 0} if heat else {"do_sample": False}
            keywords["generate_kwargs"] = sampling | keywords.get("generate_kwargs", {})
        return keywords

    def call_keywords(self, **settings: Any) -> dict[str, Any]:
        """What `generate` would be told."""
        keywords = self.constructor_keywords(**settings)
        sampling: dict[str, Any] = keywords.pop("generate_kwargs", {})
        return keywords | sampling

    def steps(self, llm: LLM) -> int:
        """Passes of the model."""
        return self.made

    @contextmanager
    def prompts(self, llm: LLM) -> Iterator[list[list[int]]]:
        """Record what `generate` is given."""
        model, found = loaded()[0], []
        generate = model.generate

        def recorded(**keywords: Any) -> Any:
            found.append(keywords["input_ids"][0].tolist())
            return generate(**keywords)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model, "generate", recorded)
            yield found

    def decode(self, token_ids: Sequence[int]) -> str:
        """By the model's tokenizer."""
        return str(loaded()[1].decode(token_ids))

    def encode(self, text: str) -> list[int] | None:
        """By the model's tokenizer."""
        return list(loaded()[1].encode(text, add_special_tokens=False))

    @contextmanager
    def writing(self, llm: LLM, *answers: str) -> Iterator[None]:
        """Let `generate` write the answers, one after another, streamed or not."""
        model, rest = loaded()[0], list(answers)

        def generate(**keywords: Any) -> torch.Tensor:
            prompt, ids = keywords["input_ids"], self.encode(rest.pop(0) if len(rest) > 1 else rest[0])
            written = torch.tensor([ids])
            if (streamer := keywords.get("streamer")) is not None:
                streamer.put(prompt)
                for token in written[0]:
                    streamer.put(token[None])
                streamer.end()
            return torch.cat([prompt, written], dim=1)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model, "generate", generate)
            yield

    @contextmanager
    def breaking(self, llm: LLM) -> Iterator[None]:
        """Let every pass raise."""

        def fail(*_: object) -> None:
            raise RuntimeError("the model is broken")

        hook = loaded()[0].register_forward_pre_hook(fail)
        try:
            yield
        finally:
            hook.remove()
