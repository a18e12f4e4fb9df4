"""The reference decoder: slow and obvious. One row, no cache, no batching; every token reads the whole sequence again.

It states the rules of decoding in plain Python and shares no code with the decode loop, the sampler, the routers or the noise that it
judges. From the package it takes data only: the settings of a request and the token classes of the vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from baco import Router, SamplingParams
from baco.vocab.lexicon import Lexicon
from tests.support.grammar_reference import GrammarReference
from tests.support.noise_reference import gumbel, row_key, step_key, uniform

MODELS = ("base", "aligned")


@dataclass(frozen=True)
class Answer:
    """What the reference decoder wrote."""

    token_ids: list[int]
    from_base: list[bool]
    finish_reason: str
    margin: float
    """How near the closest decision was to a tie. Below float32's noise, another order of summation may decide otherwise."""


class Oracle:
    """Decodes one row at a time with the two models of a pair's folders."""

    def __init__(self, base_folder: Path, aligned_folder: Path) -> None:
        folders = {"base": base_folder, "aligned": aligned_folder}
        self.models: dict[str, Any] = {which: AutoModelForCausalLM.from_pretrained(folders[which]).eval() for which in MODELS}
        self.tokenizer = AutoTokenizer.from_pretrained(aligned_folder)
        self.rows = {which: self.models[which].get_input_embeddings().weight.shape[0] for which in MODELS}
        self.vocab_size = max(self.rows.values())
        self.end_ids = {which: _end_ids(self.models[which]) for which in MODELS}
        self.lexicon = Lexicon.build(self.tokenizer, self.vocab_size, self.end_ids["base"] | self.end_ids["aligned"])
        self._read: dict[tuple[Any, ...], torch.Tensor] = {}

    def decode(
        self, prompts: dict[str, list[int]], router: Router, params: SamplingParams, *, seed: int = 0, sample_index: int = 0
    ) -> Answer:
        """Decode one answer from each model's prompt ids."""
        token_ids: list[int] = []
        from_base: list[bool] = []
        margins: list[float] = []
        limits = self._limits(router, params)
        for position in range(params.max_tokens):
            key = step_key(row_key(seed, sample_index), position)
            logits = {which: self.next_logits(which, prompts[which] + token_ids) for which in prompts}
            owner = self._owner(logits, router, token_ids, from_base, key, margins)
            forbidden = torch.zeros(self.vocab_size, dtype=torch.bool) if limits is None else ~limits.allowed(token_ids)
            if limits is not None and router.name not in MODELS:
                barred = self.lexicon.special | limits.quote_tokens
                best = logits["base"].masked_fill(forbidden, -torch.inf)
                margins.append(_gap(best.numpy()))
                if not limits.base_may_write(token_ids) or barred[best.argmax()]:
                    owner = "aligned"
                elif owner == "base":
                    forbidden = forbidden | barred
            allowed = logits[owner].masked_fill(forbidden, -torch.inf)
            if owner == "base" and router.name != "base":
                allowed[self.lexicon.special] = -torch.inf
            token_ids.append(_choose(allowed, prompts[owner] + token_ids, params, key, margins))
            from_base.append(owner == "base")
            if token_ids[-1] in self.end_ids[owner]:
                return Answer(token_ids, from_base, "stop", min(margins))
        return Answer(token_ids, from_base, "length", min(margins))

    def _limits(self, router: Router, params: SamplingParams) -> GrammarReference | None:
        if params.grammar is None:
            return None
        return GrammarReference(self.tokenizer, self.vocab_size, self.end_ids[router.models[-1]], params.grammar)

    @torch.inference_mode()
    def next_logits(self, which: str, token_ids: list[int]) -> torch.Tensor:
        """Logits [V] after a sequence, read from its start. A token that the model lacks is shown to it as its end token."""
        key = (which, *token_ids)
        if key not in self._read:
            shown = [token_id if token_id < self.rows[which] else min(self.end_ids[which]) for token_id in token_ids]
            logits = self.models[which](torch.tensor([shown]), use_cache=False).logits[0, -1]
            missing = torch.full((self.vocab_size - self.rows[which],), -torch.inf)
            self._read[key] = torch.cat([logits, missing])
        return self._read[key]

    def _owner(
        self, logits: dict[str, torch.Tensor], router: Router, token_ids: list[int], from_base: list[bool], key: int, margins: list[float]
    ) -> str:
        if router.name in MODELS:
            return router.name
        probe = logits[router.probe]
        top1 = int(probe.argmax())
        if router.probe == "aligned" or router.word_boundary or router.name not in ("p", "h", "rand", "nudging"):
            margins.append(_gap(probe.numpy()))
        if router.word_boundary and token_ids and not (self.lexicon.starts_word[top1] or self.lexicon.ends_word[token_ids[-1]]):
            return "base" if from_base[-1] else "aligned"
        if router.name == "judge":
            return self._judge(logits, router, token_ids)
        return "base" if self._wants_base(logits["base"], router, top1, key, margins) else "aligned"

    def _wants_base(self, base_logits: torch.Tensor, router: Router, top1: int, key: int, margins: list[float]) -> bool:
        """State each rule by the parts of its name ("p-punc"): the content rule first, then the rule on the base's raw distribution."""
        parts = router.name.split("-")
        if "punc" in parts and (self.lexicon.punctuation[top1] or self.lexicon.special[top1]):
            return False
        if "fc" in parts and self.lexicon.function_word[top1]:
            return False
        if parts in (["punc"], ["fc"]):
            return True
        rule, threshold = parts[0], router.threshold
        assert threshold is not None
        if rule == "rand":
            return uniform(key) < threshold
        probabilities = base_logits.double().softmax(-1).tolist()
        signal: float = -sum(p * math.log(p) for p in probabilities if p > 0) if rule == "h" else max(probabilities)
        margins.append(abs(signal - threshold))
        return {"p": signal < threshold, "h": signal > threshold, "nudging": signal >= threshold}[rule]

    def _judge(self, logits: dict[str, torch.Tensor], router: Router, token_ids: list[int]) -> str:
        assert router.judge is not None
        tops = {f"{which}_token": self._text_behind_another(int(logits[which].argmax())) for which in MODELS}
        prefix: Any = SimpleNamespace(text=self.tokenizer.decode(token_ids), **tops)
        return router.judge(prefix)

    def _text_behind_another(self, token_id: int) -> str:
        """What a token adds behind another one: some decoders strip the space in front of the first."""
        another = self.tokenizer.convert_tokens_to_ids("a")
        return str(self.tokenizer.decode([another, token_id]))[1:]


def _choose(logits: torch.Tensor, context: Sequence[int], params: SamplingParams, key: int, margins: list[float]) -> int:
    """Draw one token from logits [V], through transformers' own processors."""
    ids, scores = torch.tensor([context]), logits[None].clone()
    if params.repetition_penalty != 1:
        scores = RepetitionPenaltyLogitsProcessor(params.repetition_penalty)(ids, scores)
    if params.temperature == 0:
        margins.append(_gap(scores[0].numpy()))
        return int(np.argmax(scores[0].numpy()))
    if params.temperature not in (None, 1):
        scores = TemperatureLogitsWarper(float(params.temperature or 1))(ids, scores)
    noise = torch.from_numpy(gumbel(key, scores.shape[-1]))
    untruncated = scores[0] + noise
    distances = []
    for warper in warpers(params):
        distances.append(_distance_to_cut(scores[0], warper))
        scores = warper(ids, scores)
    noisy = scores[0] + noise
    chosen = int(np.argmax(noisy.numpy()))
    margins.append(_gap(noisy.numpy()))
    # A token at the edge of a truncation matters only if it would win, or has won.
    contenders = untruncated >= noisy[chosen]
    margins.extend(float(distance[contenders].min()) for distance in distances)
    return chosen


def warpers(params: SamplingParams) -> list[Any]:
    """Transformers' truncations of a request, in transformers' order; none for what the pairs of the tests, without makers, leave open."""
    cuts: list[Any] = []
    if params.top_k:
        cuts.append(TopKLogitsWarper(params.top_k))
    if params.top_p is not None and params.top_p < 1:
        cuts.append(TopPLogitsWarper(params.top_p))
    if params.min_p > 0:
        cuts.append(MinPLogitsWarper(params.min_p))
    return cuts


def _gap(scores: "np.ndarray[Any, Any]") -> float:
    """Difference of the two largest scores."""
    second, first = np.partition(scores, -2)[-2:]
    return float(first - second)


def _distance_to_cut(scores: torch.Tensor, warper: Any) -> torch.Tensor:
    """How far each token [V] is from where a truncation would decide otherwise about it."""
    ordered, order = scores.double().sort(descending=True)
    if isinstance(warper, TopKLogitsWarper):
        if warper.top_k >= len(scores):
            return torch.full_like(scores, torch.inf)
        last, next_one = ordered[warper.top_k - 1], ordered[warper.top_k]
        return torch.where(scores >= last, scores - next_one, last - scores)
    if isinstance(warper, MinPLogitsWarper):
        return (scores - ordered[0] - math.log(warper.min_p)).abs()
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(0) - probabilities
    distance = torch.empty_like(before)
    distance[order] = (before - warper.top_p).abs()
    return distance


def _end_ids(model: Any) -> set[int]:
    ids = model.generation_config.eos_token_id
    return {ids} if isinstance(ids, int) else set(ids)
