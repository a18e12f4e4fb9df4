"""The decode loop: rows of two models that take turns. Everything that generates consumes `Decoder.step`.

A step is one pass of one model over every row that has something for it to read: a piece of a prompt, the tokens since its last turn, and
what is proposed behind them. Rows come and go between steps, and may be in different phases. Knows token ids, not text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from baco.decoding.decision_graphs import DecisionGraphs
from baco.decoding.drafting import PromptLookup
from baco.decoding.predictions import PredictionReader, score
from baco.decoding.row import Query, Row
from baco.decoding.sequence import CommittedToken, Prediction
from baco.decoding.turns import TurnPolicy
from baco.forward.compiling import CompiledPass
from baco.forward.cuda import is_out_of_memory, upload
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Segment
from baco.forward.prefix_cache import SHORTEST_PREFIX, PrefixCache
from baco.models.pair import ModelPair
from baco.results import Model
from baco.vocab.token_ids import common_length

CHUNK = 512
"""Tokens of prompts that one pass reads while rows wait for their next token, so that long prompts do not hold them up."""
SHORT_SEGMENT = 32
"""A row with no more unread tokens than this is not counted as a prompt."""


@dataclass(slots=True, eq=False)
class Slot:
    """A row's place in the batch."""

    row: Row
    lookup: PromptLookup
    index: int
    """Slot of the caches that the row stands in."""
    prefix_donors: dict[Model, tuple["Slot", int]] = field(default_factory=dict)
    """For each model: another slot that is reading the same beginning, and its length, while that is worth waiting for."""
    waited: int = 1
    """Steps since the row's last progress: new tokens, or a piece of its prompt read."""


class Decoder:
    """Decodes rows together, whatever their prompts, routers and settings."""

    def __init__(self, pair: ModelPair, prefixes: dict[Model, PrefixCache], turns: TurnPolicy, programs: dict[Model, CompiledPass]) -> None:
        self.pair = pair
        self.prefixes = prefixes
        self.turns = turns
        self.programs = programs
        self.slots: list[Slot] = []
        """Running rows, in the order of the caches' slots."""
        self._runners: dict[Model, ModelRunner] = {}
        self._reader: PredictionReader | None = None
        self._view_graphs = DecisionGraphs.on(pair)

    def add(self, row: Row) -> None:
        """Take a row in; what others have read already, or are reading, it will not read again."""
        slot = Slot(row, PromptLookup(row.prompt.token_ids.get("aligned") or row.prompt.token_ids["base"]), len(self.slots))
        for which, prompt in row.prompt.token_ids.items():
            runner = self._runner(which)
            runner.cache.reserve(slot.index + 1, 0)
            prefix = self.prefixes[which].find(prompt[:-1])
            longest, donor = self._longest_shared(which, slot, prefix.length)
            if donor is not None:
                slot.prefix_donors[which] = (donor, longest)
            elif prefix.last is not None:
                runner.cache.reserve(0, longest)
                runner.cache.put(slot.index, prefix.parts)
                row.sequence.num_computed_tokens[which] = longest
            row.passes.reused.setdefault(which, longest)
        self.slots.append(slot)
        self._reader = None

    def remove(self, rows: Sequence[Row]) -> None:
        """Let rows go, ended or not. Their slots are filled with the last ones, so that running rows stand together."""
        gone = [slot for slot in self.slots if slot.row in rows]
        staying = [slot for slot in self.slots if slot.row not in rows]
        for slot in staying:
            for which in [which for which, (donor, _) in slot.prefix_donors.items() if donor in gone]:
                self._copy_from_donor(slot, which)
        for slot in gone:
            self._keep_prefixes(slot)
        holes = [slot.index for slot in gone if slot.index < len(staying)]
        for slot, hole in zip([slot for slot in staying if slot.index >= len(staying)], holes, strict=True):
            for which, num_computed_tokens in slot.row.sequence.num_computed_tokens.items():
                self._runners[which].cache.copy_slot(slot.index, hole, num_computed_tokens)
            slot.index = hole
        self.slots = sorted(staying, key=lambda slot: slot.index)
        self._reader = None

    def release(self) -> None:
        """Give the caches' memory back. No row may be running."""
        assert not self.slots, "rows are still running"
        for runner in self._runners.values():
            runner.release()

    def shrink(self) -> None:
        """Give back what the caches hold for rows that no longer run."""
        for runner in self._runners.values():
            runner.cache.shrink(len(self.slots))

    def step(self, alone: Row | None = None) -> list[tuple[Row, list[CommittedToken]]]:
        """Run one pass; return the rows that it brought forward with their new tokens, or with none where a row's tokens are scored by now.

        Args:
            alone: the only row to feed, to find out which one makes a pass fail.
        """
        slots = [slot for slot in self.slots if alone is None or slot.row is alone]
        which = self.turns.choose([(slot.row.sequence.needs(), slot.waited) for slot in slots])
        if alone is not None:
            for slot in slots:
                self._copy_from_donor(slot, which)
        segments = self._segments(which, slots)
        fed = [self.slots[segment.slot] for segment in segments]
        queries, wanted = _queries(which, segments, fed)
        drawn = [place for place, query in enumerate(queries) if self.slots[query.row].row.sequence.mode != "scored"]
        runner = self._runner(which)
        runner.prepare(segments, len(self.slots))
        if self._reader is None:
            self._reader = PredictionReader(self.pair, [slot.row for slot in self.slots], self._view_graphs)
        self._reader.prepare(which, [queries[place] for place in drawn])
        with self.turns.timed(sum(len(segment.token_ids) for segment in segments)):
            logits = runner.forward(segments, wanted)
            predictions = self._predict(which, self._reader, logits, queries, drawn)
        for segment, slot in zip(segments, fed, strict=True):
            slot.row.sequence.num_computed_tokens[which] = segment.end
            slot.row.passes.count(which, self.turns.passes)
        for query, view in zip(queries, predictions, strict=True):
            self.slots[query.row].row.sequence.predictions[which][query.position] = view
        progress = self._resolve(slots)
        reading = [slot for segment, slot in zip(segments, fed, strict=True) if _is_given(segment, slot, which)]
        for slot in reading:
            slot.waited = 1
        if not reading:
            self.turns.learn(
                len(slots), sum(len(segment.token_ids) for segment in segments), sum(len(committed) for _, committed in progress)
            )
        return progress

    def _predict(
        self, which: Model, reader: PredictionReader, logits: Tensor, queries: Sequence[Query], drawn: Sequence[int]
    ) -> list[Prediction]:
        """Predict tokens at the queries at `drawn`, and score those that are given at the others; logits are float32 [C, V]."""
        if len(drawn) == len(queries):
            return reader.read(which, logits, queries) if queries else []
        given = sorted(set(range(len(queries))).difference(drawn))
        token_ids = [self.slots[queries[place].row].row.sequence.token_ids[queries[place].position] for place in given]
        found = dict(zip(given, score(logits[upload(given, logits.device)], token_ids), strict=True))
        if drawn:
            views = reader.read(which, logits[upload(drawn, logits.device)], [queries[place] for place in drawn])
            found.update(zip(drawn, views, strict=True))
        return [found[place] for place in range(len(queries))]

    def _resolve(self, slots: Sequence[Slot]) -> list[tuple[Row, list[CommittedToken]]]:
        progress = []
        for slot in slots:
            sequence = slot.row.sequence
            committed = sequence.resolve()
            slot.waited = 1 if committed else slot.waited + 1
            if committed or sequence.ended:
                progress.append((slot.row, committed))
                slot.row.drop_noise()
            if sequence.mode == "speculative" and self.turns.speculates and not sequence.ended:
                slot.lookup.extend(sequence)
        return progress

    def _segments(self, which: Model, slots: Sequence[Slot]) -> list[Segment]:
        """What each row is fed: what it needs, and what it can use, since the pass is made anyway."""
        segments: list[Segment] = []
        budget = CHUNK if len(slots) > 1 else 8 * CHUNK
        for slot in slots:
            sequence = slot.row.sequence
            if which not in sequence.prompts or not self._is_ready(slot, which):
                continue
            uncomputed = sequence.uncomputed(which, self.turns.num_draft_tokens(sequence, slot.lookup.open_tokens))
            in_prompt = sequence.num_computed_tokens[which] < len(sequence.prompts[which])
            if not (in_prompt or self.turns.speculates or sequence.needs() == which):
                continue
            count = len(uncomputed)
            if count > SHORT_SEGMENT or sequence.mode == "scored":
                count = min(count, budget)
                budget -= count
            if count:
                tokens = sequence.slice(which, uncomputed.start, uncomputed.start + count)
                segments.append(Segment(slot=slot.index, start=uncomputed.start, token_ids=tokens))
        assert segments, "no row can go on"
        return segments

    def _is_ready(self, slot: Slot, which: Model) -> bool:
        """Whether a row can read on, or waits for another one that is reading the same."""
        if which not in slot.prefix_donors:
            return True
        donor, length = slot.prefix_donors[which]
        if donor.row.sequence.num_computed_tokens[which] < min(length, len(donor.row.sequence.prefix(which))):
            return False
        self._copy_from_donor(slot, which)
        return True

    def _copy_from_donor(self, slot: Slot, which: Model) -> None:
        """Take over what the source has read by now."""
        if which in slot.prefix_donors:
            donor, length = slot.prefix_donors.pop(which)
            length = min(length, donor.row.sequence.num_computed_tokens[which])
            if length > slot.row.sequence.num_computed_tokens[which]:
                self._runners[which].cache.copy_slot(donor.index, slot.index, length)
                slot.row.sequence.num_computed_tokens[which] = length

    def _longest_shared(self, which: Model, slot: Slot, held: int) -> tuple[int, Slot | None]:
        """The running row that begins most alike, if that is more than is held, and how many tokens are then shared.

        A prompt's last token each row reads itself, for its own draw.
        """
        prompt = slot.row.prompt.token_ids[which][:-1]
        longest, best = max(SHORTEST_PREFIX - 1, held), None
        for other in self.slots:
            theirs = other.row.sequence.prefix(which)
            # Most that begin alike part where the longest one does, so the next token is compared first.
            if longest < min(len(prompt), len(theirs)) and theirs[longest] == prompt[longest]:
                length = common_length(prompt, theirs)
                if length > longest:
                    longest, best = length, other
        return (held, None) if best is None else (longest, best)

    def _keep_prefixes(self, slot: Slot) -> None:
        """Keep what a leaving row has read, for prompts that begin alike."""
        sequence = slot.row.sequence
        for which, prompt in sequence.prompts.items():
            length = min(sequence.num_computed_tokens[which], len(prompt) + sequence.num_committed)
            cache = self.prefixes[which]
            if length >= SHORTEST_PREFIX and cache.budget and not cache.covers(prompt[: min(length, len(prompt) - 1)]):
                take = partial(self._runners[which].cache.take, slot.index, end=length)
                try:
                    cache.keep(sequence.slice(which, 0, length), take)
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                    cache.clear()  # what runs needs the room more

    def _runner(self, which: Model) -> ModelRunner:
        if which not in self._runners:
            plain = ModelPass.of(self.pair, which)
            if self.pair.compile and which not in self.programs:
                self.programs[which] = CompiledPass(plain)
            self._runners[which] = ModelRunner(plain, self.programs.get(which))
        return self._runners[which]


def _is_given(segment: Segment, slot: Slot, which: Model) -> bool:
    """Whether a segment begins with a token that was never drawn here: one of a prompt, or of an answer that is scored."""
    sequence = slot.row.sequence
    return sequence.mode == "scored" or segment.start < len(sequence.prompts[which])


def _queries(which: Model, segments: Sequence[Segment], fed: Sequence[Slot]) -> tuple[list[Query], list[int]]:
    """The positions that a pass is asked about, and the packed indices of the tokens before them."""
    queries, wanted, offset = [], [], 0
    for segment, slot in zip(segments, fed, strict=True):
        sequence = slot.row.sequence
        length = len(sequence.prompts[which])
        first = length - 1 if sequence.mode == "scored" else length + sequence.num_committed - 1
        for index in range(max(segment.start, first), segment.end):
            queries.append(Query(segment.slot, index + 1 - length))
            wanted.append(offset + index - segment.start)
        offset += len(segment.token_ids)
    return queries, wanted
