"""The decode loop: two models, one route and one token per row and step. Everything that generates consumes `Decoder.steps`.

Knows token ids, not text. Shapes: B rows still running, V the pair's vocabulary. This is lockstep: each step passes the last token
through every model that the rows' routers use.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baco.config import SamplingParams
from baco.model_runner import ModelRunner
from baco.noise import step_keys
from baco.pair import ModelPair
from baco.prompts import Prompt
from baco.results import FinishReason, Model
from baco.routers import Prefix, Router, Signals
from baco.routers.plan import RoutingPlan
from baco.sampling import SamplingBatch, penalise, sample
from baco.surface import Surface


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One answer to be decoded."""

    prompt: Prompt
    params: SamplingParams
    router: Router
    seed: int
    sample_index: int
    max_tokens: int
    """Longest answer that the request and the context window allow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IdLogprobs:
    """Natural log-probabilities of one step of one row, by token id, under the token's owner."""

    chosen: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One new token for each running row; all lists have the same order."""

    rows: list[int]
    token_ids: list[int]
    from_base: list[bool]
    finish_reasons: list[FinishReason | None]
    """"stop" for an end token, "length" for the last token that fits, None for a row that goes on."""
    logprobs: list[IdLogprobs | None]


class Decoder:
    """Decodes rows together. All rows must use the same models; prompts may have any lengths, and equal prompts share one prefill."""

    def __init__(self, pair: ModelPair, rows: Sequence[Row]) -> None:
        self.pair = pair
        self.rows = rows
        self.lexicon = pair.lexicon
        self.models: tuple[Model, ...] = tuple(rows[0].prompt.token_ids)
        self.runners = {which: ModelRunner(pair.model(which), pair.vocab_size, _replacement_id(pair, which)) for which in self.models}
        self.end_ids = {which: torch.tensor(sorted(pair.end_ids(which)), device=pair.device) for which in self.models}
        self.generated: list[list[int]] = [[] for _ in rows]
        self.passes: list[dict[Model, int]] = [{} for _ in rows]
        """For each row: passes of each model until the row ended."""
        self.running = list(range(len(rows)))
        self._ended: set[int] = set()

    def steps(self) -> Iterator[Step]:
        """Yield steps until every row has ended, by itself or by `finish`."""
        logits = self._prefill()
        while True:
            step = self._step(logits)
            self._note(step)
            yield step
            self._drop_ended()
            if not self.running:
                return
            logits = {which: runner.step(self.last_tokens) for which, runner in self.runners.items()}

    def finish(self, row: int) -> None:
        """End a row from outside: a stop text, a cancellation, a deadline."""
        self._ended.add(row)

    def _prefill(self) -> dict[Model, Tensor]:
        """Read every distinct prompt once, and give each row its copy; return the logits [B, V] of each model."""
        device = self.pair.device
        distinct: dict[tuple[tuple[int, ...], ...], int] = {}
        keys = [tuple(tuple(row.prompt.token_ids[which]) for which in self.models) for row in self.rows]
        source = [distinct.setdefault(key, len(distinct)) for key in keys]
        logits = {}
        for position, which in enumerate(self.models):
            first = self.runners[which].prefill([list(key[position]) for key in distinct])
            self.runners[which].cache.select(source)
            logits[which] = first[torch.tensor(source, device=device)]
        params = [row.params for row in self.rows]
        self.sampling = SamplingBatch.build(params, [row.seed for row in self.rows], [row.sample_index for row in self.rows], device)
        self.plan = RoutingPlan.build([row.router for row in self.rows], device)
        self.owners = torch.zeros(len(self.rows), dtype=torch.bool, device=device)
        self.last_tokens = torch.full((len(self.rows),), -1, device=device)
        self.positions = torch.zeros(len(self.rows), dtype=torch.int64, device=device)
        self.seen = self._prompt_tokens() if any(p.repetition_penalty != 1 for p in params) else {}
        return logits

    def _prompt_tokens(self) -> dict[Model, Tensor]:
        """Which tokens each model's prompt holds, bool [B, V]."""
        seen = {}
        for which in self.models:
            seen[which] = torch.zeros(len(self.rows), self.pair.vocab_size, dtype=torch.bool, device=self.pair.device)
            for index, row in enumerate(self.rows):
                seen[which][index, row.prompt.token_ids[which]] = True
        return seen

    @torch.inference_mode()
    def _step(self, logits: dict[Model, Tensor]) -> Step:
        """Route and draw one token per running row, from logits [B, V]."""
        self.owners = self._route(logits)
        self.last_tokens = sample(self._allowed(logits), self.sampling, self.positions)
        self.positions = self.positions + 1
        for tokens_seen in self.seen.values():
            tokens_seen.scatter_(1, self.last_tokens[:, None], True)
        ended = torch.where(self.owners, self._ends("base"), self._ends("aligned"))
        token_ids, from_base, ends = torch.stack([self.last_tokens, self.owners, ended]).tolist()  # the one copy to the host
        return Step(
            rows=list(self.running),
            token_ids=token_ids,
            from_base=[bool(owner) for owner in from_base],
            finish_reasons=[self._reason(row, bool(end)) for row, end in zip(self.running, ends, strict=True)],
            logprobs=self._logprobs(logits),
        )

    def _route(self, logits: dict[Model, Tensor]) -> Tensor:
        """Say who owns the next tokens, bool [B]."""
        if "base" not in logits or "aligned" not in logits:
            return torch.full_like(self.owners, "base" in logits)
        signals = Signals(
            base_logits=logits["base"],
            aligned_top1=logits["aligned"].argmax(-1) if self.plan.any_reads_aligned else None,
            reads_aligned=self.plan.reads_aligned,
            step_keys=step_keys(self.sampling.row_keys, self.positions),
            lexicon=self.lexicon,
            prefixes=lambda slots: [self._prefix(slot, logits) for slot in slots],
        )
        return self.plan.route(signals, self.owners, self.last_tokens)

    def _prefix(self, slot: int, logits: dict[Model, Tensor]) -> Prefix:
        name = Surface.of(self.pair.tokenizer).text
        return Prefix(
            text=str(self.pair.tokenizer.decode(self.generated[self.running[slot]])),
            base_token=name(int(logits["base"][slot].argmax())),
            aligned_token=name(int(logits["aligned"][slot].argmax())),
        )

    def _allowed(self, logits: dict[Model, Tensor]) -> Tensor:
        """Logits [B, V] that the owners may draw from: penalised, and without special tokens where the base may not write them."""
        if self.seen:
            logits = {which: penalise(values, self.seen[which], self.sampling.repetition_penalty) for which, values in logits.items()}
        masked = (self.owners & self.plan.masks_special)[:, None] & self.lexicon.special
        return _by_owner(logits, self.owners).masked_fill(masked, -torch.inf)

    def _ends(self, which: Model) -> Tensor:
        """Whether each new token would end an answer of this model, bool [B]."""
        if which not in self.end_ids:
            return torch.zeros_like(self.owners)
        return torch.isin(self.last_tokens, self.end_ids[which])

    def _reason(self, row: int, ends: bool) -> FinishReason | None:
        if ends:
            return "stop"
        return "length" if len(self.generated[row]) + 1 >= self.rows[row].max_tokens else None

    def _logprobs(self, logits: dict[Model, Tensor]) -> list[IdLogprobs | None]:
        wanted = [self.rows[row].params.logprobs for row in self.running]
        if all(count is None for count in wanted):
            return [None] * len(wanted)
        scores = _by_owner(logits, self.owners).log_softmax(-1)  # [B, V]
        chosen: list[float] = scores.gather(1, self.last_tokens[:, None]).flatten().tolist()
        best = scores.topk(min(max(count or 0 for count in wanted), scores.shape[-1]))
        tops = [list(zip(ids, values, strict=True)) for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        return [
            None if count is None else IdLogprobs(chosen=value, top=tuple(top[:count]))
            for count, value, top in zip(wanted, chosen, tops, strict=True)
        ]

    def _note(self, step: Step) -> None:
        for row, token_id, reason in zip(step.rows, step.token_ids, step.finish_reasons, strict=True):
            self.generated[row].append(token_id)
            self.passes[row] = {which: runner.passes for which, runner in self.runners.items()}
            if reason is not None:
                self._ended.add(row)

    @torch.inference_mode()
    def _drop_ended(self) -> None:
        """Take ended rows out of the batch, so that they cost nothing more."""
        if self._ended.isdisjoint(self.running):
            return
        slots = [slot for slot, row in enumerate(self.running) if row not in self._ended]
        self.running = [self.running[slot] for slot in slots]
        kept = torch.tensor(slots, dtype=torch.int64, device=self.pair.device)
        for runner in self.runners.values():
            runner.cache.select(slots)
        self.sampling, self.plan = self.sampling.select(kept), self.plan.select(kept)
        self.owners, self.last_tokens, self.positions = self.owners[kept], self.last_tokens[kept], self.positions[kept]
        self.seen = {which: tokens[kept] for which, tokens in self.seen.items()}


def _by_owner(logits: dict[Model, Tensor], owners: Tensor) -> Tensor:
    """Each row's logits [B, V] under its owner."""
    if "base" not in logits:
        return logits["aligned"]
    if "aligned" not in logits:
        return logits["base"]
    return torch.where(owners[:, None], logits["base"], logits["aligned"])


def _replacement_id(pair: ModelPair, which: Model) -> int:
    """What a model reads in place of a token that only the other one has: its end token, a boundary (our own choice)."""
    return min(pair.end_ids(which), default=0)
