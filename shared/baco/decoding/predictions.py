"""From a model's logits to its views: the token that it would write at each position, and for the base also where it asks to go.

All of it happens on the models' device; one small copy brings the views to the host. Knows tensors and the settings of rows; knows no cache
and no schedule.
"""

from collections.abc import Sequence as Collection

import torch
from torch import Tensor

from baco.decoding.decision_graphs import ViewGraphs
from baco.decoding.row import Cell, Row
from baco.decoding.sequence import IdLogprobs, View
from baco.errors import ConfigError
from baco.forward.cuda import bucket, upload
from baco.grammar.masks import Limits
from baco.models.pair import ModelPair
from baco.noise import step_keys
from baco.results import Model
from baco.routing import Prefix, Signals
from baco.routing.batch import RoutingPlan
from baco.sampling.decide import decide_aligned, decide_base
from baco.sampling.sampler import SamplingBatch, draw_noise, penalise
from baco.vocab.token_text import Surface

KEPT_SELECTIONS = 64


class ViewReader:
    """Reads views for a fixed list of rows."""

    def __init__(self, pair: ModelPair, rows: Collection[Row], graphs: ViewGraphs | None = None) -> None:
        self.pair = pair
        self.rows = rows
        self.lexicon = pair.lexicon
        # What is recorded serves batches of a few sizes only, so the last row is repeated up to the next one.
        padded = rows if graphs is None else [*rows, *[rows[-1]] * (bucket(len(rows)) - len(rows))]
        params = [row.params for row in padded]
        self.sampling = SamplingBatch.build(params, [row.seed for row in padded], [row.sample_index for row in padded], pair.device)
        self.plan = RoutingPlan.build([row.router for row in padded], pair.device)
        self._asks_aligned = any(row.sequence.mode == "joint" for row in rows)
        self._penalises = any(p.repetition_penalty != 1 for p in params)
        self._guides = any(row.guide is not None for row in rows)
        self._selected: dict[tuple[int, ...], tuple[SamplingBatch, RoutingPlan]] = {}
        records = graphs is not None and not self._asks_aligned and not self._penalises and not self._guides
        self._recorded = graphs.adopt(self.sampling, self.plan) if graphs is not None and records else None
        self._replays = False

    @torch.inference_mode()
    def prepare(self, which: Model, cells: Collection[Cell]) -> None:
        """Record what `read` will replay, on CUDA and unless that has been done."""
        self._replays = self._recorded is not None and self._recorded.prepare(which, len(cells))

    @torch.inference_mode()
    def read(self, which: Model, logits: Tensor, cells: Collection[Cell]) -> list[View]:
        """Turn raw logits, float32 [C, V], into the views of the model at C cells, as `prepare` was told."""
        last = [self.rows[cell.row].sequence.token_ids[cell.position - 1] if cell.position else -1 for cell in cells]
        positions = [cell.position for cell in cells]
        if self._recorded is not None and self._replays:
            decisions = self._recorded.decide(which, logits, [[cell.row for cell in cells], positions, last])
        else:
            decisions = self._decide(which, logits, cells, upload([positions, last], self.pair.device))
        first, second, *third = decisions.tolist()
        if which == "aligned":
            views = [View(token_id, top1=top) for token_id, top, _ in zip(first, second, cells, strict=False)]
        else:
            columns = zip(first, second, third[0], cells, strict=False)
            views = [View(token_id, bool(base), bool(free)) for token_id, base, free, _ in columns]
        return self._with_logprobs(views, logits, cells)

    def _decide(self, which: Model, logits: Tensor, cells: Collection[Cell], numbers: Tensor) -> Tensor:
        """Decide operation by operation, where any setting may be in force; numbers are positions and last tokens, int64 [2, C]."""
        sampling, plan = self._select(tuple(cell.row for cell in cells))
        positions, last_tokens = numbers[0], numbers[1]
        allowed = self._penalised(which, logits, sampling, cells) if self._penalises else logits
        limits = self._limits(cells) if self._guides else None
        allowed = allowed if limits is None else limits.apply(allowed)
        noise = self._noise(cells, sampling, positions) if sampling.draws else None
        if which == "aligned":
            return decide_aligned(logits, allowed, noise, sampling, self._asks_aligned)
        signals = self._signals(logits, cells, sampling, plan, positions)
        return decide_base(signals, allowed, noise, sampling, plan, last_tokens, limits)

    def _limits(self, cells: Collection[Cell]) -> Limits:
        """What grammars allow at cells."""
        rows = [self.rows[cell.row] for cell in cells]
        prefixes = [row.sequence.token_ids[: cell.position] for row, cell in zip(rows, cells, strict=True)]
        return Limits.of([row.guide for row in rows], prefixes, self.pair.vocab_size, self.pair.device)

    def _select(self, rows: tuple[int, ...]) -> tuple[SamplingBatch, RoutingPlan]:
        """The settings of cells, by their rows."""
        if rows not in self._selected:
            if len(self._selected) >= KEPT_SELECTIONS:
                self._selected.clear()
            index = upload(rows, self.pair.device)
            self._selected[rows] = self.sampling.select(index), self.plan.select(index).without_idle_rules()
        return self._selected[rows]

    def _noise(self, cells: Collection[Cell], sampling: SamplingBatch, positions: Tensor) -> Tensor:
        """Noise [C, V] of cells, drawn where no model has been here before."""
        missing = [index for index, cell in enumerate(cells) if cell.position not in self.rows[cell.row].noise]
        if missing:
            index = upload(missing, positions.device)
            drawn = draw_noise(sampling.row_keys[index], positions[index], self.pair.vocab_size)
            for cell, values in zip([cells[index] for index in missing], drawn, strict=True):
                self.rows[cell.row].noise[cell.position] = values
            if len(missing) == len(cells):
                return drawn
        return torch.stack([self.rows[cell.row].noise[cell.position] for cell in cells])

    def _signals(self, logits: Tensor, cells: Collection[Cell], sampling: SamplingBatch, plan: RoutingPlan, positions: Tensor) -> Signals:
        aligned_top1 = None
        if self._asks_aligned:
            tops = [self._aligned_top1(cell) for cell in cells]
            aligned_top1 = upload(tops, self.pair.device)
        return Signals(
            base_logits=logits,
            aligned_top1=aligned_top1,
            reads_aligned=plan.reads_aligned,
            step_keys=step_keys(sampling.row_keys, positions),
            lexicon=self.lexicon,
            prefixes=lambda asked: [self._prefix(cells[index], logits[index]) for index in asked],
        )

    def _aligned_top1(self, cell: Cell) -> int:
        """The aligned model's likeliest token at a cell; 0 for a row that is not routed by it."""
        row = self.rows[cell.row]
        return row.sequence.views["aligned"][cell.position].top1 if row.sequence.mode == "joint" else 0

    def _prefix(self, cell: Cell, logits: Tensor) -> Prefix:
        router, name = self.rows[cell.row].router, Surface.of(self.pair.tokenizer).text
        if not router.reads_aligned:
            raise ConfigError(
                f"router {router.name!r} reads `Signals.prefixes`, so it must be registered with register_router(…, reads_aligned=True)"
            )
        return Prefix(
            text=str(self.pair.tokenizer.decode(self.rows[cell.row].sequence.token_ids[: cell.position])),
            base_token=name(int(logits.argmax())),
            aligned_token=name(self._aligned_top1(cell)),
        )

    def _penalised(self, which: Model, logits: Tensor, sampling: SamplingBatch, cells: Collection[Cell]) -> Tensor:
        """Apply repetition penalties: each cell's context is its prompt and the tokens before it."""
        seen = torch.zeros(logits.shape, dtype=torch.bool)
        for index, cell in enumerate(cells):
            row = self.rows[cell.row]
            if row.params.repetition_penalty != 1:
                seen[index, row.prompt.token_ids[which] + row.sequence.token_ids[: cell.position]] = True
        return penalise(logits, seen.to(logits.device), sampling.repetition_penalty)

    def _with_logprobs(self, views: list[View], logits: Tensor, cells: Collection[Cell]) -> list[View]:
        """Add log-probabilities where the row asks for them."""
        wanted = [self.rows[cell.row].params.logprobs for cell in cells]
        if all(count is None for count in wanted):
            return views
        scores = logits.log_softmax(-1)
        best = scores.topk(min(max(count or 0 for count in wanted), scores.shape[-1]))
        chosen = scores.gather(1, torch.tensor([[view.token_id] for view in views], device=logits.device)).flatten().tolist()
        tops = [tuple(zip(ids, values, strict=True)) for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        return [
            view if count is None else View(view.token_id, view.wants_base, view.may_switch, view.top1, IdLogprobs(value, top[:count]))
            for view, count, value, top in zip(views, wanted, chosen, tops, strict=True)
        ]
