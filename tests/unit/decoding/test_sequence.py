"""`SequenceState` against lockstep, on models that are pure functions of the prefix: whatever a pass computes, the answer is the same."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baco.decoding.drafting import PromptLookup
from baco.decoding.sequence import CommittedToken, IdLogprobs, Mode, Prediction, SequenceState
from baco.results import Model

END: dict[Model, int] = {"base": 0, "aligned": 1}
MODES: tuple[Mode, ...] = ("base", "aligned", "speculative", "lockstep")


@dataclass(frozen=True)
class Toy:
    """A random pair of models: a hash of the answer so far determines the next token."""

    seed: int
    vocabulary: int = 7
    agreement: float = 0.7
    """Chance that both draw the same token."""
    base_share: float = 0.5
    switching: float = 0.6
    ending: float = 0.3
    """Chance that a drawn end token is kept."""
    memory: int = 50
    """How many of the last tokens count; with few of them answers repeat themselves."""

    def chance(self, what: str, prefix: list[int]) -> float:
        key = f"{self.seed} {what} {prefix[-self.memory :] if prefix else []}"
        return int.from_bytes(blake2b(key.encode(), digest_size=6).digest()) / 2**48

    def draw(self, which: Model, prefix: list[int]) -> int:
        own = which == "aligned" and self.chance("agree", prefix) >= self.agreement
        token_id = int(self.chance("own" if own else "shared", prefix) * self.vocabulary)
        return token_id + 2 if token_id in END.values() and self.chance("end", prefix) >= self.ending else token_id

    def predict(self, which: Model, prefix: list[int], mode: Mode) -> Prediction:
        token_id, logprobs = self.draw(which, prefix), IdLogprobs(self.chance(which, prefix), ())
        if which == "aligned":
            return Prediction(token_id, top1=self.draw("base", prefix), logprobs=logprobs)
        return Prediction(token_id, self.wants_base(prefix), self.may_switch(prefix), logprobs=logprobs)

    def wants_base(self, prefix: list[int]) -> bool:
        return self.chance("route", prefix) < self.base_share

    def may_switch(self, prefix: list[int]) -> bool:
        return not prefix or self.chance("word", prefix) < self.switching


def lockstep(toy: Toy, mode: Mode, max_tokens: int) -> list[CommittedToken]:
    """The answer, token by token: ask for the route, then its owner."""
    tokens: list[int] = []
    answer: list[CommittedToken] = []
    owner = False
    for position in range(max_tokens):
        owner = mode == "base" if mode in ("base", "aligned") else toy.wants_base(tokens) if toy.may_switch(tokens) else owner
        which: Model = "base" if owner else "aligned"
        token_id = toy.draw(which, tokens)
        reason: Any = "stop" if token_id == END[which] else "length" if position == max_tokens - 1 else None
        answer.append(CommittedToken(token_id, owner, reason, IdLogprobs(toy.chance(which, tokens), ())))
        tokens.append(token_id)
        if reason is not None:
            break
    return answer


@dataclass
class Driver:
    """Drives one sequence as a decoder does, but with random choices: the model, the tokens of its pass, the draft tokens."""

    toy: Toy
    sequence: SequenceState
    chance: random.Random
    lookup: PromptLookup | None = None
    evicts: float = 0.05
    drafts: float = 0.3
    answer: list[CommittedToken] = field(default_factory=list)
    passes: int = 0

    def run(self) -> list[CommittedToken]:
        while not self.sequence.ended:
            self.disturb()
            ran = self.run_pass(self.chance.choice(list(self.sequence.prompts)))
            if not ran and not self.run_pass(self.sequence.needs()):
                raise AssertionError("the model that the next token needs has nothing to compute")
            self.resolve()
            assert self.passes < 10_000
        return self.answer

    def disturb(self) -> None:
        if self.chance.random() < self.evicts:
            self.sequence.evict()
        elif self.sequence.mode == "speculative" and self.chance.random() < self.drafts:
            self.sequence.token_ids.extend(self.chance.choices(range(self.toy.vocabulary), k=self.chance.randint(1, 4)))
        if self.lookup is not None:
            self.lookup.extend(self.sequence)

    def run_pass(self, which: Model, num_draft_tokens: int | None = None) -> bool:
        """Let a model compute some of the tokens that it can; return whether there are any."""
        sequence = self.sequence
        allowed = self.chance.randint(0, 6) if num_draft_tokens is None else num_draft_tokens
        uncomputed = sequence.uncomputed(which, allowed)
        if not len(uncomputed):
            return False
        length = len(sequence.prompts[which])
        end = self.chance.randint(uncomputed.start + 1, uncomputed.stop) if self.chance.random() < 0.5 else uncomputed.stop
        tokens = sequence.slice(which, uncomputed.start, end)
        assert tokens == (sequence.prompts[which] + sequence.token_ids)[uncomputed.start : end]
        assert end <= length + sequence.max_tokens - 1, "no prediction is needed after the last allowed token"
        assert end <= length + sequence.num_committed + allowed
        sequence.num_computed_tokens[which] = end
        for position in range(max(uncomputed.start + 1 - length, sequence.num_committed), end + 1 - length):
            sequence.predictions[which][position] = self.toy.predict(which, sequence.token_ids[:position], sequence.mode)
        self.passes += 1
        return True

    def resolve(self) -> None:
        committed = self.sequence.resolve()
        self.answer += committed
        assert self.sequence.num_committed == len(self.answer)
        assert self.sequence.token_ids[: self.sequence.num_committed] == [token.token_id for token in self.answer]


def new_sequence(mode: Mode, max_tokens: int, lengths: tuple[int, int] = (3, 5)) -> SequenceState:
    prompts: dict[Model, list[int]] = {"base": [*range(100, 100 + lengths[0])], "aligned": [*range(200, 200 + lengths[1])]}
    asked = {which: prompt for which, prompt in prompts.items() if mode in ("speculative", "lockstep", which)}
    return SequenceState(prompts=asked, mode=mode, end_ids={which: {END[which]} for which in asked}, max_tokens=max_tokens)


@st.composite
def toys(draw: st.DrawFn) -> Toy:
    share = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])
    seed, vocabulary, memory = draw(st.integers(0, 2**32)), draw(st.integers(3, 40)), draw(st.sampled_from([1, 2, 50]))
    return Toy(seed, vocabulary, draw(share), draw(share), draw(share), draw(st.sampled_from([0.1, 0.5])), memory)


@pytest.mark.parametrize("mode", MODES)
@given(toy=toys(), max_tokens=st.integers(1, 30), lengths=st.tuples(st.integers(1, 6), st.integers(1, 6)), order=st.integers())
@settings(max_examples=150)
def test_whatever_the_passes_are_the_answer_is_that_of_lockstep(
    mode: Mode, toy: Toy, max_tokens: int, lengths: tuple[int, int], order: int
) -> None:
    driver = Driver(toy, new_sequence(mode, max_tokens, lengths), random.Random(order))
    assert driver.run() == lockstep(toy, mode, max_tokens)


def test_these_answers_end_in_every_way_and_have_every_owner() -> None:
    """Else their equality would say little."""
    answers = [lockstep(Toy(seed), "speculative", 12) for seed in range(60)]
    ends = {(answer[-1].finish_reason, answer[-1].from_base) for answer in answers}
    assert ends == {("stop", True), ("stop", False), ("length", True), ("length", False)}
    assert sum(0 < sum(token.from_base for token in answer) < len(answer) for answer in answers) > 20


def written(sequence: SequenceState, which: Model, tokens: list[int], start: int = 0, **route: Any) -> None:
    """Store predictions of a model from a position, as after a pass; `base_at` has the positions that the router gives to the base."""
    for position, token_id in enumerate(tokens, start):
        wants_base = position in route.get("base_at", ())
        sequence.predictions[which][position] = Prediction(token_id, wants_base) if which == "base" else Prediction(token_id)
    sequence.num_computed_tokens[which] = len(sequence.prompts[which]) + start + len(tokens) - 1


def test_draft_tokens_are_verified_and_counted_as_in_a_case_worked_by_hand() -> None:
    sequence = new_sequence("speculative", max_tokens=9)
    written(sequence, "base", [5], base_at=())  # the base drafts a 5, and the router picks the aligned model
    assert sequence.resolve() == [] and sequence.token_ids == [5] and sequence.needs() == "aligned"
    assert (sequence.proposed, sequence.accepted) == (0, 0), "the 5 is not verified yet"
    written(sequence, "base", [6], start=1, base_at=(1,))  # the base computes its own 5, and drafts a 6
    assert sequence.resolve() == [] and sequence.token_ids == [5, 6]
    written(sequence, "aligned", [5, 8])  # the aligned model accepts the 5, so the 6, which the base owns, is committed as well
    assert [(token.token_id, token.from_base) for token in sequence.resolve()] == [(5, False), (6, True)]
    assert (sequence.proposed, sequence.accepted) == (2, 2) and sequence.needs() == "base"
    written(sequence, "aligned", [7], start=2)  # now the aligned model drafts a 7
    assert sequence.resolve() == [] and sequence.token_ids == [5, 6, 7]
    written(sequence, "base", [4, 9], start=2, base_at=(2,))  # but the base owns the position, and writes a 4
    assert [(token.token_id, token.from_base) for token in sequence.resolve()] == [(4, True)]
    assert (sequence.proposed, sequence.accepted) == (3, 2)
    assert sequence.token_ids == [5, 6, 4], "the base's prediction after the 7 is dropped"
    assert sequence.num_computed_tokens == {"base": 3 + 2, "aligned": 5 + 2} and sequence.predictions == {"base": {}, "aligned": {}}


def test_a_token_that_was_no_draft_token_is_not_counted_as_one() -> None:
    sequence = new_sequence("speculative", max_tokens=9)
    written(sequence, "base", [5], base_at=(0,))
    assert [token.token_id for token in sequence.resolve()] == [5]
    assert (sequence.proposed, sequence.accepted) == (0, 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("max_tokens", [1, 2, 5])
def test_nothing_is_computed_after_the_last_allowed_token(mode: Mode, max_tokens: int) -> None:
    sequence = new_sequence(mode, max_tokens)
    sequence.token_ids.extend([9] * 12)
    for which, prompt in sequence.prompts.items():
        assert len(prompt) - 1 <= sequence.uncomputed(which, num_draft_tokens=12).stop <= len(prompt) + max_tokens - 1


def test_no_more_draft_tokens_are_computed_than_allowed() -> None:
    sequence = new_sequence("speculative", max_tokens=20)
    sequence.token_ids.extend([9] * 12)
    sequence.num_computed_tokens["base"] = 2
    assert [sequence.uncomputed("base", count) for count in (0, 3, 50)] == [range(2, 3), range(2, 6), range(2, 15)]


def test_an_evicted_row_keeps_its_committed_tokens_and_is_prefilled_again() -> None:
    sequence = new_sequence("speculative", max_tokens=9)
    written(sequence, "base", [5, 6, 7], base_at=(0, 1))
    assert len(sequence.resolve()) == 2 and sequence.token_ids == [5, 6, 7]
    sequence.evict()
    assert sequence.token_ids == [5, 6] and sequence.predictions == {"base": {}, "aligned": {}}
    assert [len(sequence.uncomputed(which, num_draft_tokens=9)) for which in ("base", "aligned")] == [3 + 2, 5 + 2]  # type: ignore[arg-type]


def alternations(toy: Toy, max_tokens: int) -> Iterator[tuple[Model, int]]:
    """Run both models in turn over all tokens; yield the model and the number of committed tokens."""
    driver = Driver(toy, new_sequence("speculative", max_tokens), random.Random(0), evicts=0, drafts=0)
    driver.chance.random = lambda: 1.0  # type: ignore[method-assign]
    which: Model = "base"
    while not driver.sequence.ended:
        driver.run_pass(which, num_draft_tokens=1)
        driver.resolve()
        yield which, driver.sequence.num_committed
        which = "aligned" if which == "base" else "base"


def test_models_that_agree_take_about_one_pass_a_token_and_models_that_do_not_still_at_most_two() -> None:
    for agreement, most in ((1.0, 1.1), (0.0, 2.0)):
        passes = tokens = 0
        for seed in range(20):
            steps = list(alternations(Toy(seed, vocabulary=500, agreement=agreement), 40))
            passes, tokens = passes + len(steps), tokens + steps[-1][1]
        assert passes <= most * tokens + 20
