"""From a model's logits to its views: the token that it would write at each position, and for the base also where it asks to go.

All of it happens on the models' device; one small copy brings the views to the host. Knows tensors and the settings of rows; knows no cache
and no schedule.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from baco.decoding.decision_graphs import DecisionGraphs
from baco.decoding.row import Query, Row
from baco.decoding.sequence import IdLogprobs, Prediction
from baco.errors import ConfigError
from baco.forward.cuda import bucket, upload
from baco.grammar.masks import GrammarMasks
from baco.models.pair import ModelPair
from baco.noise import step_keys
from baco.results import Model
from baco.routing import Prefix, Signals
from baco.routing.batch import RoutingBatch
from baco.sampling.decide import decide_aligned, decide_base
from baco.sampling.sampler import SamplingBatch, draw_noise, penalise
from baco.vocab.token_text import TokenTexts

KEPT_SELECTIONS = 64


class PredictionReader:
    """Reads views for a fixed list of rows."""

    def __init__(self, pair: ModelPair, rows: Sequence[Row], graphs: DecisionGraphs | None = None) -> None:
        self.pair = pair
        self.rows = rows
        self.lexicon = pair.lexicon
        # What is recorded serves batches of a few sizes only, so the last row is repeated up to the next one.
        padded = rows if graphs is None else [*rows, *[rows[-1]] * (bucket(len(rows)) - len(rows))]
        params = [row.params for row in padded]
        self.sampling = SamplingBatch.build(params, [row.seed for row in padded], [row.sample_index for row in padded], pair.device)
        self.routing = RoutingBatch.build([row.router for row in padded], pair.device)
        self._asks_aligned = any(row.sequence.mode == "lockstep" for row in rows)
        self._penalises = any(p.repetition_penalty != 1 for p in params)
        self._guides = any(row.guide is not None for row in rows)
        self._selected: dict[tuple[int, ...], tuple[SamplingBatch, RoutingBatch]] = {}
        records = graphs is not None and not self._asks_aligned and not self._penalises and not self._guides
        self._recorded = graphs.adopt(self.sampling, self.routing) if graphs is not None and records else None
        self._replays = False

    @torch.inference_mode()
    def prepare(self, which: Model, queries: Sequence[Query]) -> None:
        """Record what `read` will replay, on CUDA and unless that has been done."""
        self._replays = self._recorded is not None and self._recorded.prepare(which, len(queries))

    @torch.inference_mode()
    def read(self, which: Model, logits: Tensor, queries: Sequence[Query]) -> list[Prediction]:
        """Turn raw logits, float32 [C, V], into the views of the model at C cells, as `prepare` was told."""
        last = [self.rows[query.row].sequence.token_ids[query.position - 1] if query.position else -1 for query in queries]
        positions = [query.position for query in queries]
        if self._recorded is not None and self._replays:
            decisions = self._recorded.decide(which, logits, [[query.row for query in queries], positions, last])
        else:
            decisions = self._decide(which, logits, queries, upload([positions, last], self.pair.device))
        first, second, *third = decisions.tolist()
        if which == "aligned":
            predictions = [Prediction(token_id, top1=top) for token_id, top, _ in zip(first, second, queries, strict=False)]
        else:
            columns = zip(first, second, third[0], queries, strict=False)
            predictions = [Prediction(token_id, bool(base), bool(free)) for token_id, base, free, _ in columns]
        return self._with_logprobs(predictions, logits, queries)

    def _decide(self, which: Model, logits: Tensor, queries: Sequence[Query], numbers: Tensor) -> Tensor:
        """Decide operation by operation, where any setting may be in force; numbers are positions and last tokens, int64 [2, C]."""
        sampling, routing = self._select(tuple(query.row for query in queries))
        positions, last_tokens = numbers[0], numbers[1]
        allowed = self._penalised(which, logits, sampling, queries) if self._penalises else logits
        limits = self._limits(queries) if self._guides else None
        allowed = allowed if limits is None else limits.apply(allowed)
        noise = self._noise(queries, sampling, positions) if sampling.draws else None
        if which == "aligned":
            return decide_aligned(logits, allowed, noise, sampling, self._asks_aligned)
        signals = self._signals(logits, queries, sampling, routing, positions)
        return decide_base(signals, allowed, noise, sampling, routing, last_tokens, limits)

    def _limits(self, queries: Sequence[Query]) -> GrammarMasks:
        """What grammars allow at cells."""
        rows = [self.rows[query.row] for query in queries]
        prefixes = [row.sequence.token_ids[: query.position] for row, query in zip(rows, queries, strict=True)]
        return GrammarMasks.of([row.guide for row in rows], prefixes, self.pair.vocab_size, self.pair.device)

    def _select(self, rows: tuple[int, ...]) -> tuple[SamplingBatch, RoutingBatch]:
        """The settings of cells, by their rows."""
        if rows not in self._selected:
            if len(self._selected) >= KEPT_SELECTIONS:
                self._selected.clear()
            index = upload(rows, self.pair.device)
            self._selected[rows] = self.sampling.select(index), self.routing.select(index).without_idle_rules()
        return self._selected[rows]

    def _noise(self, queries: Sequence[Query], sampling: SamplingBatch, positions: Tensor) -> Tensor:
        """Noise [C, V] of cells, drawn where no model has been here before."""
        missing = [index for index, query in enumerate(queries) if query.position not in self.rows[query.row].noise]
        if missing:
            index = upload(missing, positions.device)
            drawn = draw_noise(sampling.row_keys[index], positions[index], self.pair.vocab_size)
            for query, values in zip([queries[index] for index in missing], drawn, strict=True):
                self.rows[query.row].noise[query.position] = values
            if len(missing) == len(queries):
                return drawn
        return torch.stack([self.rows[query.row].noise[query.position] for query in queries])

    def _signals(
        self, logits: Tensor, queries: Sequence[Query], sampling: SamplingBatch, routing: RoutingBatch, positions: Tensor
    ) -> Signals:
        aligned_top1 = None
        if self._asks_aligned:
            tops = [self._aligned_top1(query) for query in queries]
            aligned_top1 = upload(tops, self.pair.device)
        return Signals(
            base_logits=logits,
            aligned_top1=aligned_top1,
            reads_aligned=routing.reads_aligned,
            step_keys=step_keys(sampling.row_keys, positions),
            lexicon=self.lexicon,
            prefixes=lambda asked: [self._prefix(queries[index], logits[index]) for index in asked],
        )

    def _aligned_top1(self, query: Query) -> int:
        """The aligned model's likeliest token at a cell; 0 for a row that is not routed by it."""
        row = self.rows[query.row]
        return row.sequence.predictions["aligned"][query.position].top1 if row.sequence.mode == "lockstep" else 0

    def _prefix(self, query: Query, logits: Tensor) -> Prefix:
        router, name = self.rows[query.row].router, TokenTexts.of(self.pair.tokenizer).text
        if not router.reads_aligned:
            raise ConfigError(
                f"router {router.name!r} reads `Signals.prefixes`, so it must be registered with register_router(…, reads_aligned=True)"
            )
        return Prefix(
            text=str(self.pair.tokenizer.decode(self.rows[query.row].sequence.token_ids[: query.position])),
            base_token=name(int(logits.argmax())),
            aligned_token=name(self._aligned_top1(query)),
        )

    def _penalised(self, which: Model, logits: Tensor, sampling: SamplingBatch, queries: Sequence[Query]) -> Tensor:
        """Apply repetition penalties: each cell's context is its prompt and the tokens before it."""
        num_computed_tokens = torch.zeros(logits.shape, dtype=torch.bool)
        for index, query in enumerate(queries):
            row = self.rows[query.row]
            if row.params.repetition_penalty != 1:
                num_computed_tokens[index, row.prompt.token_ids[which] + row.sequence.token_ids[: query.position]] = True
        return penalise(logits, num_computed_tokens.to(logits.device), sampling.repetition_penalty)

    def _with_logprobs(self, predictions: list[Prediction], logits: Tensor, queries: Sequence[Query]) -> list[Prediction]:
        """Add log-probabilities where the row asks for them."""
        wanted = [self.rows[query.row].params.logprobs for query in queries]
        if all(count is None for count in wanted):
            return predictions
        scores = logits.log_softmax(-1)
        best = scores.topk(min(max(count or 0 for count in wanted), scores.shape[-1]))
        chosen = scores.gather(1, torch.tensor([[view.token_id] for view in predictions], device=logits.device)).flatten().tolist()
        tops = [tuple(zip(ids, values, strict=True)) for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        return [
            view
            if count is None
            else Prediction(view.token_id, view.wants_base, view.may_switch, view.top1, IdLogprobs(value, top[:count]))
            for view, count, value, top in zip(predictions, wanted, chosen, tops, strict=True)
        ]


def score(logits: Tensor, token_ids: Sequence[int]) -> list[Prediction]:
    """Score given tokens by the raw logits, float32 [C, V], of the positions where they stand."""
    chosen = logits.log_softmax(-1).gather(1, upload(token_ids, logits.device)[:, None])
    return [Prediction(token_id, logprobs=IdLogprobs(value, ())) for token_id, value in zip(token_ids, chosen[:, 0].tolist(), strict=True)]
