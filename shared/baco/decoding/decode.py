"""The decode loop: two models take turns over a batch of rows. Everything that generates consumes `Decoder.step`.

A step is one forward pass of one model over every row that has tokens for it: a chunk of a prompt, or the tokens since its last turn with
the draft tokens after them. So prefill and decode share passes. Rows come and go between steps. Knows token ids; knows no text and no
requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from baco.decoding.decision_graphs import DecisionGraphs
from baco.decoding.drafting import PromptLookup
from baco.decoding.predictions import PredictionReader
from baco.decoding.row import Query, Row
from baco.decoding.sequence import CommittedToken, Prediction
from baco.decoding.turns import TurnPolicy
from baco.forward.compiling import CompiledPass
from baco.forward.cuda import is_out_of_memory
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Segment
from baco.forward.prefix_cache import SHORTEST_PREFIX, PrefixCache
from baco.models.pair import ModelPair
from baco.results import Model
from baco.vocab.token_ids import common_length

CHUNK = 512
"""Most prompt tokens in a pass of several rows (chunked prefill), so that long prompts do not hold up rows that decode."""
SHORT_SEGMENT = 32
"""A row with at most so many uncomputed tokens does not count against `CHUNK`."""


@dataclass(slots=True, eq=False)
class Slot:
    """A row's place in the batch."""

    row: Row
    lookup: PromptLookup
    index: int
    """The row's slot in both caches."""
    prefix_donors: dict[Model, tuple["Slot", int]] = field(default_factory=dict)
    """For each model: another slot that is prefilling the same prefix, and the prefix's length, while this row waits for it."""
    stops: dict[Model, int] = field(default_factory=dict)
    """For each model with states: a length of the prompt at which to stop, since the states there are worth keeping."""
    waited: int = 1
    """Steps since the row last committed tokens or prefilled a chunk of its prompt."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One pass of one model."""

    which: Model
    slots: Sequence[Slot]
    """Rows that may make progress."""
    segments: Sequence[Segment]
    """The tokens to compute, in the order of the rows' slots."""
    queries: Sequence[Query]
    """Where the model's predictions are needed."""
    wanted: Sequence[int]
    """For each query, the index of the token before it among all tokens of the pass."""

    @property
    def num_tokens(self) -> int:
        """Tokens of the pass."""
        return sum(len(segment.token_ids) for segment in self.segments)


class Decoder:
    """Decodes rows together, whatever their prompts, routers and settings."""

    def __init__(self, pair: ModelPair, prefixes: dict[Model, PrefixCache], turns: TurnPolicy, programs: dict[Model, CompiledPass]) -> None:
        self.pair = pair
        self.prefixes = prefixes
        self.turns = turns
        self.programs = programs
        self.slots: list[Slot] = []
        """Running rows, by their slot in the caches."""
        self._runners: dict[Model, ModelRunner] = {}
        self._reader: PredictionReader | None = None
        self._decision_graphs = DecisionGraphs.on(pair)

    def add(self, row: Row) -> None:
        """Add a row; reuse any prefix that is cached, or being prefilled by another row."""
        slot = Slot(row, PromptLookup(row.sequence.prompts.get("aligned") or row.sequence.prompts["base"]), len(self.slots))
        for which, prompt in row.sequence.prompts.items():
            cache = self._runner(which).cache
            cache.reserve(slot.index + 1, 0)
            prefix = self.prefixes[which].find(prompt[:-1], with_states=not cache.rolls_back)
            longest, donor = self._longest_shared(which, slot, prefix.length)
            if donor is not None:
                slot.prefix_donors[which] = (donor, longest)
            elif prefix.last is not None:
                cache.reserve(0, longest)
                cache.put(slot.index, prefix.parts, prefix.states)
                row.sequence.num_computed_tokens[which] = longest
            if not cache.rolls_back:
                # A prefix that comes a second time may come a third time.
                slot.stops[which] = self.prefixes[which].find(prompt[:-1]).length
            row.passes.reused.setdefault(which, longest)
        self.slots.append(slot)
        self._reader = None

    def remove(self, rows: Sequence[Row]) -> None:
        """Remove rows, ended or not. The last rows move into their slots, so that the running ones are contiguous."""
        removed = [slot for slot in self.slots if slot.row in rows]
        staying = [slot for slot in self.slots if slot.row not in rows]
        for slot in staying:
            for which in [which for which, (donor, _) in slot.prefix_donors.items() if donor in removed]:
                self._copy_from_donor(slot, which)
        for slot in removed:
            self._keep_prefixes(slot)
        holes = [slot.index for slot in removed if slot.index < len(staying)]
        for slot, hole in zip([slot for slot in staying if slot.index >= len(staying)], holes, strict=True):
            for which, num_computed_tokens in slot.row.sequence.num_computed_tokens.items():
                self._runners[which].cache.copy_slot(slot.index, hole, num_computed_tokens)
            slot.index = hole
        self.slots = sorted(staying, key=lambda slot: slot.index)
        self._reader = None

    def release(self) -> None:
        """Free the caches. No row may be running."""
        assert not self.slots, "rows are still running"
        for runner in self._runners.values():
            runner.release()

    def shrink(self) -> None:
        """Free the slots of rows that no longer run."""
        for runner in self._runners.values():
            runner.cache.shrink(len(self.slots))

    def step(self, alone: Row | None = None) -> list[tuple[Row, list[CommittedToken]]]:
        """Run one pass, of all rows or one `alone` to find out which makes a pass fail.

        Returns:
            The rows that made progress, with the tokens that they committed: none for a row whose scores are complete.
        """
        turn = self._choose(alone)
        return self._commit(turn, self._run(turn))

    def _choose(self, alone: Row | None) -> Turn:
        """Choose the model, and the tokens that it computes for each row."""
        slots = [slot for slot in self.slots if alone is None or slot.row is alone]
        which = self.turns.choose([(slot.row.sequence.needs(), slot.waited) for slot in slots])
        if alone is not None:
            for slot in slots:
                self._copy_from_donor(slot, which)
        segments = self._segments(which, slots)
        return Turn(which, slots, segments, *self._queries(which, segments))

    def _run(self, turn: Turn) -> list[Prediction]:
        """Run the model; return its prediction at each query."""
        forward = self._runner(turn.which).prepare(turn.segments, turn.wanted, len(self.slots))
        if self._reader is None:
            self._reader = PredictionReader(self.pair, [slot.row for slot in self.slots], self._decision_graphs)
        predict = self._reader.prepare(turn.which, turn.queries)
        with self.turns.timed(turn.num_tokens):
            return predict(forward.run())

    def _commit(self, turn: Turn, predictions: Sequence[Prediction]) -> list[tuple[Row, list[CommittedToken]]]:
        """Store the predictions, and commit the tokens that they decide."""
        prefilled = []
        for segment in turn.segments:
            slot = self.slots[segment.slot]
            sequence = slot.row.sequence
            sequence.num_computed_tokens[turn.which] = self._runners[turn.which].cache.computed(segment)
            self._keep_at_stop(slot, turn.which)
            slot.row.passes.count(turn.which, self.turns.passes)
            if sequence.mode == "scored" or segment.start < len(sequence.prompts[turn.which]):
                prefilled.append(slot)
        for query, prediction in zip(turn.queries, predictions, strict=True):
            self.slots[query.row].row.sequence.predictions[turn.which][query.position] = prediction
        progress = self._resolve(turn.slots)
        for slot in prefilled:
            slot.waited = 1
        if not prefilled:
            self.turns.learn(len(turn.slots), turn.num_tokens, sum(len(committed) for _, committed in progress))
        return progress

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
        """The tokens to compute: of rows that wait for this model, and of the others too if that is useful, since the pass runs anyway."""
        segments: list[Segment] = []
        cache = self._runner(which).cache
        budget = CHUNK if len(slots) > 1 else 8 * CHUNK
        for slot in slots:
            sequence = slot.row.sequence
            if which not in sequence.prompts or not self._is_ready(slot, which):
                continue
            sequence.num_computed_tokens[which] = cache.resume(slot.index, sequence.num_computed_tokens[which])
            uncomputed = sequence.uncomputed(which, self.turns.num_draft_tokens(sequence, slot.lookup.open_tokens))
            in_prompt = sequence.num_computed_tokens[which] < len(sequence.prompts[which])
            if not (in_prompt or self.turns.speculates or sequence.needs() == which):
                continue
            start, count = uncomputed.start, len(uncomputed)
            if in_prompt and not cache.rolls_back:
                count = min([count, *(length - start for length in self._stops(slot, which) if length > start)])
            if count > SHORT_SEGMENT or sequence.mode == "scored":
                count = min(count, budget)
                budget -= count
            if count:
                drafts = max(0, start + count - len(sequence.prompts[which]) - sequence.num_committed)
                tokens = sequence.slice(which, start, start + count)
                segments.append(Segment(slot=slot.index, start=start, token_ids=tokens, num_drafts=drafts))
        assert segments, "no row can make progress"
        return segments

    def _queries(self, which: Model, segments: Sequence[Segment]) -> tuple[list[Query], list[int]]:
        """The positions whose predictions are needed, and the packed indices of the tokens before them."""
        queries, wanted, offset = [], [], 0
        for segment in segments:
            sequence = self.slots[segment.slot].row.sequence
            length = len(sequence.prompts[which])
            first = length - 1 if sequence.mode == "scored" else length + sequence.num_committed - 1
            for index in range(max(segment.start, first), segment.end):
                queries.append(Query(segment.slot, index + 1 - length))
                wanted.append(offset + index - segment.start)
            offset += len(segment.token_ids)
        return queries, wanted

    def _is_ready(self, slot: Slot, which: Model) -> bool:
        """Whether a row can be computed; not while another one is prefilling its prefix."""
        if which not in slot.prefix_donors:
            return True
        donor, length = slot.prefix_donors[which]
        if donor.row.sequence.num_computed_tokens[which] < min(length, len(donor.row.sequence.prefix(which))):
            return False
        self._copy_from_donor(slot, which)
        return True

    def _copy_from_donor(self, slot: Slot, which: Model) -> None:
        """Copy as much of the shared prefix as the donor has computed, and wait for it no longer."""
        if which in slot.prefix_donors:
            donor, length = slot.prefix_donors.pop(which)
            length = min(length, donor.row.sequence.num_computed_tokens[which])
            if length > slot.row.sequence.num_computed_tokens[which]:
                copied = self._runners[which].cache.copy_slot(donor.index, slot.index, length)
                slot.row.sequence.num_computed_tokens[which] = copied

    def _stops(self, slot: Slot, which: Model) -> list[int]:
        """The lengths of a row at which a state that stands there is wanted: by rows that wait for it, or by the prefix cache."""
        waiting = (other.prefix_donors[which] for other in self.slots if which in other.prefix_donors)
        return [*(length for donor, length in waiting if donor is slot), slot.stops.get(which, 0)]

    def _keep_at_stop(self, slot: Slot, which: Model) -> None:
        """Put the prefix of a row that has come to its stop into the prefix cache."""
        length = slot.row.sequence.num_computed_tokens[which]
        if length and length == slot.stops.get(which):
            self._keep_prefix(slot, which, length)

    def _longest_shared(self, which: Model, slot: Slot, cached: int) -> tuple[int, Slot | None]:
        """The running row that shares the longest prefix, if it is longer than the cached one; and the length of the longer one.

        Each row computes its prompt's last token itself, for a prediction with its own noise.
        """
        prompt = slot.row.sequence.prompts[which][:-1]
        rolls_back = self._runners[which].cache.rolls_back
        longest, best = max(SHORTEST_PREFIX - 1, cached), None
        for other in self.slots:
            theirs = other.row.sequence.prefix(which)
            # Most rows differ from this one where the longest match so far ends, so that token is compared first.
            if longest < min(len(prompt), len(theirs)) and theirs[longest] == prompt[longest]:
                length = common_length(prompt, theirs)
                if length > longest and (rolls_back or other.row.sequence.num_computed_tokens.get(which, 0) <= length):
                    longest, best = length, other
        return (cached, None) if best is None else (longest, best)

    def _keep_prefixes(self, slot: Slot) -> None:
        """Put what a leaving row has computed into the prefix cache."""
        sequence = slot.row.sequence
        for which, prompt in sequence.prompts.items():
            length = min(sequence.num_computed_tokens[which], len(prompt) + sequence.num_committed)
            if length >= SHORTEST_PREFIX and not self.prefixes[which].covers(prompt[: min(length, len(prompt) - 1)]):
                self._keep_prefix(slot, which, length)

    def _keep_prefix(self, slot: Slot, which: Model, length: int) -> None:
        """Put the first tokens of a row into the prefix cache; with the states after them, if there are some."""
        cache, prefixes = self._runners[which].cache, self.prefixes[which]
        if not prefixes.budget or cache.resume(slot.index, length) != length:
            return
        try:
            states = () if cache.rolls_back else cache.take_states(slot.index, length)
            prefixes.keep(slot.row.sequence.slice(which, 0, length), partial(cache.take, slot.index, end=length), states)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            prefixes.clear()  # running rows need the memory more

    def _runner(self, which: Model) -> ModelRunner:
        if which not in self._runners:
            plain = ModelPass.of(self.pair, which)
            if self.pair.compile and which not in self.programs:
                self.programs[which] = CompiledPass(plain)
            self._runners[which] = ModelRunner(plain, self.programs.get(which))
        return self._runners[which]
