"""Four ways to write answers, timed alike: this engine, a plain two-model loop, and transformers' `generate` with and without a draft.

All write the same number of tokens in the same number of rows after the same prompt, from the full distribution (temperature 1, no
truncation).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from baco import Router, SamplingParams
from baco.results import Passes
from benchmarks.subjects import Subject
from benchmarks.timing import Clock, Timing, Work

THRESHOLD = 0.4

Method = Callable[[Subject, Work], Timing]


def with_engine(subject: Subject, work: Work) -> Timing:
    """Run the engine, as `ChatBaco` and `BacoLLM` do. Both models read the chat template, so that prompts are alike."""
    params = SamplingParams(n=work.rows, max_tokens=work.new_tokens, seed=0)
    clock = Clock(subject.device)
    for event in subject.engine.stream(work.prompt, params, Router("p-punc", threshold=THRESHOLD), base_prompt="template"):
        clock.tick()
        result = event.result
    assert result is not None and result.usage.completion_tokens == work.rows * work.new_tokens
    return clock.timing(work, base_share=result.usage.base_tokens / result.usage.completion_tokens, passes=result.passes)


@torch.inference_mode()
def with_two_model_loop(subject: Subject, work: Work) -> Timing:
    """Run what one would write by hand: both models on every token, the p-punc rule without word boundaries."""
    lexicon, tokenizer = subject.engine.pair.lexicon, subject.engine.pair.tokenizer
    silent = lexicon.punctuation | lexicon.special
    clock = Clock(subject.device)
    tokens = torch.tensor([work.token_ids] * work.rows, device=subject.device)
    caches = [DynamicCache(config=model.config) for model in (subject.base, subject.aligned)]
    written, owners = [], []
    for _ in range(work.new_tokens):
        base, aligned = _forward(subject.base, tokens, caches[0]), _forward(subject.aligned, tokens, caches[1])
        best = base.softmax(-1).max(-1)
        from_base = (best.values < THRESHOLD) & ~silent[best.indices]
        chosen = torch.where(from_base[:, None], base, aligned)
        tokens = torch.multinomial(chosen.softmax(-1), 1)
        written.append(tokens)
        owners.append(from_base)
        clock.tick()
    tokenizer.batch_decode(torch.cat(written, 1))
    passes = Passes(base=work.new_tokens, aligned=work.new_tokens)
    return clock.timing(work, base_share=torch.stack(owners).float().mean().item(), passes=passes)


def with_generate(subject: Subject, work: Work) -> Timing:
    """Run transformers' `generate` of the aligned model alone: one pass a token, the first of them over the prompt."""
    return _generate(subject, work, passes=Passes(base=0, aligned=work.new_tokens))


def with_assistant(subject: Subject, work: Work) -> Timing:
    """Run transformers' assisted generation as it comes: the base drafts for the aligned model, which writes everything."""
    return _generate(subject, work, assistant_model=subject.base)


METHODS: dict[str, Method] = {
    "baco engine": with_engine,
    "two-model loop": with_two_model_loop,
    "generate, aligned alone": with_generate,
    "assisted generation": with_assistant,
}
LIMITED = "assisted generation"
"""transformers offers it for one sequence at a time, and for models without states."""


def methods_for(rows: int, *, has_states: bool = False) -> dict[str, Method]:
    """The methods that can write this many rows."""
    return {name: method for name, method in METHODS.items() if (rows == 1 and not has_states) or name != LIMITED}


def _generate(subject: Subject, work: Work, passes: Passes | None = None, **options: Any) -> Timing:
    model: Any = subject.aligned
    prompt = torch.tensor([work.token_ids], device=subject.device)
    clock = Clock(subject.device)
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
        **options,
    )
    subject.engine.pair.tokenizer.batch_decode(output)
    assert output.shape == (work.rows, len(work.token_ids) + work.new_tokens)
    return clock.timing(work, passes=passes)


def _forward(model: PreTrainedModel, tokens: Tensor, cache: DynamicCache) -> Tensor:
    """Next-token logits in float32, [B, V]."""
    logits: Tensor = model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    return logits[:, -1].float()


class _Ticks:
    """A streamer for `generate` that passes the time of tokens on; the first thing that it is given is the prompt."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seen_prompt = False

    def put(self, tokens: Tensor) -> None:
        if self.seen_prompt:
            self.clock.tick()
        self.seen_prompt = True

    def end(self) -> None:
        """Nothing is left to do."""
