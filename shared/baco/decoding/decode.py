"""The decode loop: rows of two models that take turns. Everything that generates consumes `Decoder.step`.

A step is one pass of one model over every row that has something for it to read: a piece of a prompt, the tokens since its last turn, and
what is proposed behind them. Rows come and go between steps, and may be in different phases. Knows token ids, not text.
"""

from collections.abc import Sequence as Collection
from dataclasses import dataclass, field
from functools import partial

from baco.decoding.decision_graphs import ViewGraphs
from baco.decoding.drafting import PromptLookup
from baco.decoding.predictions import ViewReader
from baco.decoding.row import Cell, Row
from baco.decoding.sequence import FinalToken
from baco.decoding.turns import Schedule
from baco.forward.compiling import CompiledPass
from baco.forward.cuda import is_out_of_memory
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Feed
from baco.forward.prefix_cache import SHORTEST_PREFIX, PrefixCache
from baco.models.pair import ModelPair
from baco.results import Model
from baco.vocab.token_ids import common_length

CHUNK = 512
"""Tokens of prompts that one pass reads while rows wait for their next token, so that long prompts do not hold them up."""
SHORT_FEED = 32
"""A row with no more unread tokens than this is not counted as a prompt."""


@dataclass(slots=True, eq=False)
class Slot:
    """A row's place in the batch."""

    row: Row
    lookup: PromptLookup
    index: int
    """Slot of the caches that the row stands in."""
    sources: dict[Model, tuple["Slot", int]] = field(default_factory=dict)
    """For each model: another slot that is reading the same beginning, and its length, while that is worth waiting for."""
    waited: int = 1
    """Steps since the row's last progress: new tokens, or a piece of its prompt read."""


class Decoder:
    """Decodes rows together, whatever their prompts, routers and settings."""

    def __init__(
        self, pair: ModelPair, prefixes: dict[Model, PrefixCache], schedule: Schedule, programs: dict[Model, CompiledPass]
    ) -> None:
        self.pair = pair
        self.prefixes = prefixes
        self.schedule = schedule
        self.programs = programs
        self.slots: list[Slot] = []
        """Running rows, in the order of the caches' slots."""
        self._runners: dict[Model, ModelRunner] = {}
        self._reader: ViewReader | None = None
        self._view_graphs = ViewGraphs.on(pair)

    def add(self, row: Row) -> None:
        """Take a row in; what others have read already, or are reading, it will not read again."""
        slot = Slot(row, PromptLookup(row.prompt.token_ids.get("aligned") or row.prompt.token_ids["base"]), len(self.slots))
        for which, prompt in row.prompt.token_ids.items():
            runner = self._runner(which)
            runner.cache.reserve(slot.index + 1, 0)
            prefix = self.prefixes[which].find(prompt[:-1])
            longest, source = self._longest_shared(which, slot, prefix.length)
            if source is not None:
                slot.sources[which] = (source, longest)
            elif prefix.last is not None:
                runner.cache.reserve(0, longest)
                runner.cache.put(slot.index, prefix.parts)
                row.sequence.seen[which] = longest
            row.passes.reused.setdefault(which, longest)
        self.slots.append(slot)
        self._reader = None

    def remove(self, rows: Collection[Row]) -> None:
        """Let rows go, ended or not. Their slots are filled with the last ones, so that running rows stand together."""
        gone = [slot for slot in self.slots if slot.row in rows]
        staying = [slot for slot in self.slots if slot.row not in rows]
        for slot in staying:
            for which in [which for which, (source, _) in slot.sources.items() if source in gone]:
                self._copy_from_source(slot, which)
        for slot in gone:
            self._keep_prefixes(slot)
        holes = [slot.index for slot in gone if slot.index < len(staying)]
        for slot, hole in zip([slot for slot in staying if slot.index >= len(staying)], holes, strict=True):
            for which, seen in slot.row.sequence.seen.items():
                self._runners[which].cache.copy_slot(slot.index, hole, seen)
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

    def step(self, alone: Row | None = None) -> list[tuple[Row, list[FinalToken]]]:
        """Run one pass; return the rows that it brought forward with their new tokens.

        Args:
            alone: the only row to feed, to find out which one makes a pass fail.
        """
        slots = [slot for slot in self.slots if alone is None or slot.row is alone]
        which = self.schedule.choose([(slot.row.sequence.needs(), slot.waited) for slot in slots])
        if alone is not None:
            for slot in slots:
                self._copy_from_source(slot, which)
        feeds = self._feeds(which, slots)
        fed = [self.slots[feed.slot] for feed in feeds]
        cells, wanted = _cells(which, feeds, fed)
        runner = self._runner(which)
        runner.prepare(feeds, len(self.slots))
        if self._reader is None:
            self._reader = ViewReader(self.pair, [slot.row for slot in self.slots], self._view_graphs)
        self._reader.prepare(which, cells)
        with self.schedule.timed(sum(len(feed.token_ids) for feed in feeds)):
            logits = runner.forward(feeds, wanted)
            views = self._reader.read(which, logits, cells) if cells else []
        writing = [feed for feed, slot in zip(feeds, fed, strict=True) if feed.start >= len(slot.row.sequence.prompts[which])]
        for feed, slot in zip(feeds, fed, strict=True):
            slot.row.sequence.seen[which] = feed.end
            slot.row.passes.count(which, self.schedule.passes)
        for cell, view in zip(cells, views, strict=True):
            self.slots[cell.row].row.sequence.views[which][cell.position] = view
        progress = self._resolve(slots)
        for feed, slot in zip(feeds, fed, strict=True):
            if feed.start < len(slot.row.sequence.prompts[which]):
                slot.waited = 1
        if len(writing) == len(feeds):
            self.schedule.learn(len(slots), sum(len(feed.token_ids) for feed in feeds), sum(len(finals) for _, finals in progress))
        return progress

    def _resolve(self, slots: Collection[Slot]) -> list[tuple[Row, list[FinalToken]]]:
        progress = []
        for slot in slots:
            sequence = slot.row.sequence
            finals = sequence.resolve()
            slot.waited = 1 if finals else slot.waited + 1
            if finals:
                progress.append((slot.row, finals))
                slot.row.forget_noise()
            if sequence.mode == "routed" and self.schedule.speculates and not sequence.ended:
                slot.lookup.extend(sequence)
        return progress

    def _feeds(self, which: Model, slots: Collection[Slot]) -> list[Feed]:
        """What each row is fed: what it needs, and what it can use, since the pass is made anyway."""
        feeds: list[Feed] = []
        budget = CHUNK if len(slots) > 1 else 8 * CHUNK
        for slot in slots:
            sequence = slot.row.sequence
            if which not in sequence.prompts or not self._is_ready(slot, which):
                continue
            unread = sequence.unread(which, self.schedule.reach(sequence, slot.lookup.open_tokens))
            in_prompt = sequence.seen[which] < len(sequence.prompts[which])
            if not (in_prompt or self.schedule.speculates or sequence.needs() == which):
                continue
            count = len(unread)
            if count > SHORT_FEED:
                count = min(count, budget)
                budget -= count
            if count:
                tokens = sequence.slice(which, unread.start, unread.start + count)
                feeds.append(Feed(slot=slot.index, start=unread.start, token_ids=tokens))
        assert feeds, "no row can go on"
        return feeds

    def _is_ready(self, slot: Slot, which: Model) -> bool:
        """Whether a row can read on, or waits for another one that is reading the same."""
        if which not in slot.sources:
            return True
        source, length = slot.sources[which]
        if source.row.sequence.seen[which] < length:
            return False
        self._copy_from_source(slot, which)
        return True

    def _copy_from_source(self, slot: Slot, which: Model) -> None:
        """Take over what the source has read by now."""
        if which in slot.sources:
            source, length = slot.sources.pop(which)
            length = min(length, source.row.sequence.seen[which])
            if length > slot.row.sequence.seen[which]:
                self._runners[which].cache.copy_slot(source.index, slot.index, length)
                slot.row.sequence.seen[which] = length

    def _longest_shared(self, which: Model, slot: Slot, held: int) -> tuple[int, Slot | None]:
        """The running row that begins most alike, if that is more than is held, and how many tokens are then shared.

        A prompt's last token each row reads itself, for its own draw.
        """
        prompt = slot.row.prompt.token_ids[which][:-1]
        longest, best = max(SHORTEST_PREFIX - 1, held), None
        for other in self.slots:
            theirs = other.row.sequence.prompts.get(which, [])
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
            length = min(sequence.seen[which], len(prompt) + sequence.final)
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


def _cells(which: Model, feeds: Collection[Feed], fed: Collection[Slot]) -> tuple[list[Cell], list[int]]:
    """The positions that a pass is asked about, and the packed indices of the tokens before them."""
    cells, wanted, offset = [], [], 0
    for feed, slot in zip(feeds, fed, strict=True):
        length = len(slot.row.sequence.prompts[which])
        for index in range(max(feed.start, length + slot.row.sequence.final - 1), feed.end):
            cells.append(Cell(feed.slot, index + 1 - length))
            wanted.append(offset + index - feed.start)
        offset += len(feed.token_ids)
    return cells, wanted
