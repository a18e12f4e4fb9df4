"""Three ways to write answers with models in memory, timed alike: this engine, transformers' `generate`, and a plain two-model loop.

All three write the same number of tokens in the same number of rows after the same prompt, from the full distribution (temperature 1,
no truncation). No answer may end early, so the models of a benchmarked pair have no end token (see `endless`).
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from baco import Engine, ModelPair, Router, SamplingParams

THRESHOLD = 0.4


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every method has to do."""

    prompt: str
    token_ids: list[int]
    """The prompt as both models read it."""
    rows: int
    """Answers to the one prompt, written together."""
    new_tokens: int


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One run, in seconds on the wall clock."""

    ttft: float
    """From the call to the first token of all rows."""
    total: float
    tokens: int
    base_share: float | None = None
    """Share of tokens that the base model wrote, where two models wrote."""


Method = Callable[[Engine, Work], Timing]


def endless(pair: ModelPair) -> ModelPair:
    """Copy a pair so that no answer ends by itself: neither generation configuration nor tokenizer names an end token.

    The copy shares the weights; the pair itself stays as it is.
    """
    tokenizer = copy.deepcopy(pair.tokenizer)
    tokenizer.eos_token = None
    base, aligned = _without_end(pair.base), _without_end(pair.aligned)
    return replace(pair, base=base, aligned=aligned, tokenizer=tokenizer, base_tokenizer=tokenizer, config=None)


def with_engine(engine: Engine, work: Work) -> Timing:
    """Run the engine, as `ChatBaco` and `BacoLLM` do. Both models read the chat template, so that prompts are alike."""
    params = SamplingParams(n=work.rows, max_tokens=work.new_tokens, seed=0)
    clock = _Clock(engine.pair.device)
    for event in engine.stream(work.prompt, params, Router("p-punc", threshold=THRESHOLD), base_prompt="template"):
        clock.tick()
        result = event.result
    assert result is not None and result.usage.completion_tokens == work.rows * work.new_tokens
    return clock.timing(work, result.usage.base_tokens / result.usage.completion_tokens)


def with_generate(engine: Engine, work: Work) -> Timing:
    """Run transformers' `generate` of the aligned model alone."""
    model: Any = engine.pair.aligned
    prompt = torch.tensor([work.token_ids], device=model.device)
    clock = _Clock(model.device)
    output = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        num_return_sequences=work.rows,
        max_new_tokens=work.new_tokens,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        pad_token_id=0,
        streamer=_Ticks(clock),
    )
    assert output.shape == (work.rows, len(work.token_ids) + work.new_tokens)
    return clock.timing(work)


@torch.inference_mode()
def with_two_model_loop(engine: Engine, work: Work) -> Timing:
    """Run what one would write by hand: both models on every token, the p-punc rule without word boundaries."""
    pair = engine.pair
    silent = pair.lexicon.punctuation | pair.lexicon.special
    clock = _Clock(pair.device)
    tokens = torch.tensor([work.token_ids] * work.rows, device=pair.device)
    caches = {"base": DynamicCache(config=pair.base.config), "aligned": DynamicCache(config=pair.aligned.config)}
    written, owners = [], []
    for _ in range(work.new_tokens):
        base, aligned = _forward(pair.base, tokens, caches["base"]), _forward(pair.aligned, tokens, caches["aligned"])
        best = base.softmax(-1).max(-1)
        from_base = (best.values < THRESHOLD) & ~silent[best.indices]
        chosen = torch.where(from_base[:, None], base, aligned)
        tokens = torch.multinomial(chosen.softmax(-1), 1)
        written.append(tokens)
        owners.append(from_base)
        clock.tick()
    pair.tokenizer.batch_decode(torch.cat(written, 1))
    return clock.timing(work, torch.stack(owners).float().mean().item())


METHODS: dict[str, Method] = {"baco engine": with_engine, "two-model loop": with_two_model_loop, "generate, aligned alone": with_generate}


def _without_end(model: PreTrainedModel) -> PreTrainedModel:
    model = copy.copy(model)
    model.generation_config = copy.deepcopy(model.generation_config)
    if model.generation_config is not None:
        model.generation_config.eos_token_id = None
    return model


def _forward(model: PreTrainedModel, tokens: Tensor, cache: DynamicCache) -> Tensor:
    """Next-token logits in float32, [B, V]."""
    logits: Tensor = model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    return logits[:, -1].float()


class _Clock:
    """Times one run; waits for the device before it reads the time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.first: float | None = None
        self.start = self._now()

    def tick(self) -> None:
        """Note that tokens came."""
        if self.first is None:
            self.first = self._now() - self.start

    def timing(self, work: Work, base_share: float | None = None) -> Timing:
        """Stop."""
        total = self._now() - self.start
        assert self.first is not None, "no token came"
        return Timing(ttft=self.first, total=total, tokens=work.rows * work.new_tokens, base_share=base_share)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


class _Ticks:
    """A streamer for `generate` that passes the time of tokens on; the first thing that it is given is the prompt."""

    def __init__(self, clock: _Clock) -> None:
        self.clock = clock
        self.seen_prompt = False

    def put(self, tokens: Tensor) -> None:
        if self.seen_prompt:
            self.clock.tick()
        self.seen_prompt = True

    def end(self) -> None:
        """Nothing is left to do."""
