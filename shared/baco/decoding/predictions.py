"""From a model's logits to its predictions: the token at each position and, for the base model, whether the router picks it.

Everything runs on the models' device; one small copy brings the predictions to the host. Knows tensors and the settings of rows; knows no
cache and no turn policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from baco.decoding.decision_graphs import BatchGraphs, DecisionGraphs
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

MAX_SELECTIONS = 64


class PredictionReader:
    """Reads predictions for a fixed list of rows."""

    def __init__(self, pair: ModelPair, rows: Sequence[Row], graphs: DecisionGraphs | None = None) -> None:
        self.pair = pair
        self.rows = rows
        # CUDA graphs exist for a few batch sizes only, so the last row is repeated up to the next of them.
        padded = rows if graphs is None else [*rows, *[rows[-1]] * (bucket(len(rows)) - len(rows))]
        params = [row.params for row in padded]
        self.sampling = SamplingBatch.build(params, [row.seed for row in padded], [row.sample_index for row in padded], pair.device)
        self.routing = RoutingBatch.build([row.router for row in padded], pair.device)
        self._asks_aligned = any(row.sequence.mode == "lockstep" for row in rows)
        self._penalises = any(p.repetition_penalty != 1 for p in params)
        self._guides = any(row.guide is not None for row in rows)
        self._selected: dict[tuple[int, ...], tuple[SamplingBatch, RoutingBatch]] = {}
        is_eager = self._asks_aligned or self._penalises or self._guides
        self._recorded = None if graphs is None or is_eager else graphs.adopt(self.sampling, self.routing)

    def prepare(self, which: Model, queries: Sequence[Query]) -> Callable[[Tensor], list[Prediction]]:
        """Record the decisions at C queries on CUDA, where that is possible and has not been done yet.

        Returns:
            What turns the model's raw logits, float32 [C, V], into its prediction at each query.
        """
        drawn = [index for index, query in enumerate(queries) if self.rows[query.row].sequence.mode != "scored"]
        replays = self._recorded is not None and self._recorded.prepare(which, len(drawn))
        return partial(self._predict, which, queries, drawn, self._recorded if replays else None)

    def _predict(
        self, which: Model, queries: Sequence[Query], drawn: Sequence[int], recorded: BatchGraphs | None, logits: Tensor
    ) -> list[Prediction]:
        """Draw tokens at the queries with the indices `drawn`, and score given ones at the others."""
        given = sorted(set(range(len(queries))).difference(drawn))
        predictions: dict[int, Prediction] = {}
        for indices, predict in ((drawn, partial(self._draw, which, recorded)), (given, self._score)):
            if indices:
                part = logits[upload(indices, logits.device)] if len(indices) < len(queries) else logits
                predictions.update(zip(indices, predict(part, [queries[index] for index in indices]), strict=True))
        return [predictions[index] for index in range(len(queries))]

    def _score(self, logits: Tensor, queries: Sequence[Query]) -> list[Prediction]:
        token_ids = [self.rows[query.row].sequence.token_ids[query.position] for query in queries]
        chosen = logits.log_softmax(-1).gather(1, upload(token_ids, logits.device)[:, None])[:, 0].tolist()
        return [Prediction(token_id, logprobs=IdLogprobs(value, ())) for token_id, value in zip(token_ids, chosen, strict=True)]

    def _draw(self, which: Model, recorded: BatchGraphs | None, logits: Tensor, queries: Sequence[Query]) -> list[Prediction]:
        sequences = [self.rows[query.row].sequence for query in queries]
        positions = [query.position for query in queries]
        last = [sequence.token_ids[position - 1] if position else -1 for sequence, position in zip(sequences, positions, strict=True)]
        if recorded is not None:
            decisions = recorded.decide(which, logits, [[query.row for query in queries], positions, last])
        else:
            decisions = self._decide(which, logits, queries, upload([positions, last], logits.device))
        decided = zip(*(column[: len(queries)] for column in decisions.tolist()), strict=True)
        if which == "aligned":
            predictions = [Prediction(token_id, top1=top1) for token_id, top1 in decided]
        else:
            predictions = [Prediction(token_id, bool(wants_base), bool(may_switch)) for token_id, wants_base, may_switch in decided]
        return self._with_logprobs(predictions, logits, queries)

    def _decide(self, which: Model, logits: Tensor, queries: Sequence[Query], numbers: Tensor) -> Tensor:
        """Decide eagerly, whatever settings the rows have; return what `decide_base` or `decide_aligned` does.

        Args:
            which: whose logits these are.
            logits: raw, float32 [C, V].
            queries: the C rows and positions.
            numbers: int64 [2, C]: the positions, and the tokens before them, -1 before the first token.
        """
        sampling, routing = self._select(tuple(query.row for query in queries))
        positions, last_tokens = numbers
        allowed = self._penalised(which, logits, sampling, queries) if self._penalises else logits
        masks = self._masks(queries) if self._guides else None
        allowed = allowed if masks is None else masks.apply(allowed)
        noise = self._noise(queries, sampling, positions) if sampling.draws else None
        if which == "aligned":
            return decide_aligned(logits, allowed, noise, sampling, self._asks_aligned)
        signals = self._signals(logits, queries, sampling, routing, positions)
        return decide_base(signals, allowed, noise, sampling, routing, last_tokens, masks)

    def _masks(self, queries: Sequence[Query]) -> GrammarMasks:
        """The token masks of grammars at queries."""
        rows = [self.rows[query.row] for query in queries]
        prefixes = [row.sequence.token_ids[: query.position] for row, query in zip(rows, queries, strict=True)]
        return GrammarMasks.of([row.guide for row in rows], prefixes, self.pair.vocab_size, self.pair.device)

    def _select(self, rows: tuple[int, ...]) -> tuple[SamplingBatch, RoutingBatch]:
        """The settings of queries, by their rows."""
        if rows not in self._selected:
            if len(self._selected) >= MAX_SELECTIONS:
                self._selected.clear()
            index = upload(rows, self.pair.device)
            self._selected[rows] = self.sampling.select(index), self.routing.select(index).without_idle_rules()
        return self._selected[rows]

    def _noise(self, queries: Sequence[Query], sampling: SamplingBatch, positions: Tensor) -> Tensor:
        """Noise [C, V] of queries, drawn where the other model has not drawn it yet."""
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
        tops = [self._aligned_top1(query) for query in queries] if self._asks_aligned else None
        return Signals(
            base_logits=logits,
            aligned_top1=None if tops is None else upload(tops, self.pair.device),
            reads_aligned=routing.reads_aligned,
            step_keys=step_keys(sampling.row_keys, positions),
            lexicon=self.pair.lexicon,
            prefixes=lambda asked: [self._prefix(queries[index], logits[index]) for index in asked],
        )

    def _aligned_top1(self, query: Query) -> int:
        """The aligned model's most likely token at a query; 0 for a row whose route does not need it."""
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
        """Apply repetition penalties: the context of a query is its prompt and the tokens before it."""
        seen = torch.zeros(logits.shape, dtype=torch.bool)
        for index, query in enumerate(queries):
            row = self.rows[query.row]
            if row.params.repetition_penalty != 1:
                seen[index, row.sequence.prompts[which] + row.sequence.token_ids[: query.position]] = True
        return penalise(logits, seen.to(logits.device), sampling.repetition_penalty)

    def _with_logprobs(self, predictions: list[Prediction], logits: Tensor, queries: Sequence[Query]) -> list[Prediction]:
        """Add log-probabilities where the row asks for them."""
        wanted = [self.rows[query.row].params.logprobs for query in queries]
        if all(count is None for count in wanted):
            return predictions
        scores = logits.log_softmax(-1)
        best = scores.topk(min(max(count or 0 for count in wanted), scores.shape[-1]))
        chosen = scores.gather(1, upload([[prediction.token_id] for prediction in predictions], logits.device)).flatten().tolist()
        tops = [tuple(zip(ids, values, strict=True)) for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        return [
            prediction if count is None else replace(prediction, logprobs=IdLogprobs(value, top[:count]))
            for prediction, count, value, top in zip(predictions, wanted, chosen, tops, strict=True)
        ]
