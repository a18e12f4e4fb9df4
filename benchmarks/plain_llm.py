"""`PlainLLM`: the aligned model behind LlamaIndex's `CustomLLM` and transformers' `generate`, as one writes it in twenty lines.

What is compared with: its async methods are `CustomLLM`'s own, and it answers one prompt at a time.
"""

from typing import Any

import torch
from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from pydantic import PrivateAttr

from baco import ModelPair


class PlainLLM(CustomLLM):
    """Answers as the aligned model does, sampled."""

    max_tokens: int = 64
    _pair: ModelPair = PrivateAttr()

    def __init__(self, pair: ModelPair, **settings: Any) -> None:
        super().__init__(**settings)
        self._pair = pair

    @property
    def metadata(self) -> LLMMetadata:
        """The aligned model's window."""
        return LLMMetadata(context_window=self._pair.context_window, num_output=self.max_tokens, model_name="generate")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt."""
        tokenizer = self._pair.tokenizer
        encoded: Any = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            ids: Any = self._pair.aligned.generate(**encoded, max_new_tokens=self.max_tokens, do_sample=True)  # type: ignore[operator]
        return CompletionResponse(text=str(tokenizer.decode(ids[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Answer a prompt; the answer comes as one chunk."""
        yield self.complete(prompt)
