"""`SequenceState`: one answer while it is decoded: committed tokens, draft tokens, and each model's prediction per position.

This is exact alternating speculation, on plain integers. Both models draw with the same keyed noise, so the token that a model writes at a
position is a function of the tokens before it. `resolve` commits a token once the prediction of the model that owns it is known. Until then
the position holds a draft token: the other model's draw, or a guess of `PromptLookup`. Both models continue after draft tokens; the owner's
prediction verifies them, and a wrong one is rolled back. So the answer is that of lockstep, token by token.

Sources: exactness of drafting for any combination of two models: CoS (arXiv 2502.01662, appendix A.1). Coupling by shared noise: Daliri
et al. (arXiv 2408.07978). That the base alone determines the route, so that base-routed tokens are committed at once, is BACo's own
structure. Knows integers; knows no tensors, no models and no text.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal

from baco.results import FinishReason, Model

Mode = Literal["base", "aligned", "speculative", "lockstep", "scored"]
"""One model alone; both, with a route that the base alone determines; both, with a route that also needs the aligned model; or neither,
since the tokens are given (`ScoredSequence`)."""


@dataclass(frozen=True, slots=True)
class IdLogprobs:
    """Natural log-probabilities at one position, by token id, under one model."""

    chosen: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model predicts at one position of an answer."""

    token_id: int
    """The token that it writes if it owns the position."""
    wants_base: bool = False
    """Whether the router picks the base model; only in predictions of the base."""
    may_switch: bool = True
    """Whether the router may switch models here; only in predictions of the base."""
    top1: int = -1
    """The most likely token; only in predictions of the aligned model, in mode "lockstep"."""
    logprobs: IdLogprobs | None = None


@dataclass(frozen=True, slots=True)
class CommittedToken:
    """One token of the answer."""

    token_id: int
    from_base: bool
    finish_reason: FinishReason | None
    """"stop" for an end token, "length" for the last allowed token, None where the answer goes on."""
    logprobs: IdLogprobs | None


@dataclass(slots=True, kw_only=True, eq=False)
class SequenceState:
    """One answer, and the prompt that each model has before it.

    Positions count the tokens of the answer from 0. The prediction at position j follows from the prompt and `token_ids[:j]`.
    """

    prompts: dict[Model, list[int]]
    mode: Mode
    end_ids: dict[Model, Set[int]]
    max_tokens: int
    token_ids: list[int] = field(default_factory=list)
    """Committed tokens, then draft tokens."""
    num_committed: int = 0
    owner_is_base: bool = False
    """Whether the base owns the last committed token."""
    num_computed_tokens: dict[Model, int] = field(init=False)
    """How many tokens, of prompt and answer together, are in each model's cache."""
    predictions: dict[Model, dict[int, Prediction]] = field(init=False)
    """Each model's predictions by position, none before `num_committed`."""
    proposed: int = 0
    """Draft tokens that were verified."""
    accepted: int = 0
    """Draft tokens that were verified and kept."""
    ended: bool = False

    def __post_init__(self) -> None:
        self.num_computed_tokens = dict.fromkeys(self.prompts, 0)
        self.predictions = {which: {} for which in self.prompts}

    def needs(self) -> Model:
        """The model whose prediction is missing before the next token can be committed."""
        if self.mode == "base" or self.mode == "aligned":
            return self.mode
        if self.mode == "lockstep":
            return "base" if self.num_committed in self.predictions["aligned"] else "aligned"
        return "aligned" if self.num_committed in self.predictions["base"] else "base"

    def uncomputed(self, which: Model, num_draft_tokens: int) -> range:
        """Positions within prompt and answer together that a model can compute now, `num_draft_tokens` draft tokens at most."""
        # No prediction is needed after the last allowed token.
        tokens = min(len(self.token_ids), self.num_committed + num_draft_tokens, self.max_tokens - 1)
        if self.mode == "lockstep":
            # The route at a position needs the aligned model's prediction there, so the base comes second.
            tokens = self.num_committed - (which == "base" and self.num_committed not in self.predictions["aligned"])
        if tokens in self.predictions[which]:
            return range(0)  # computed already, though drafts are not in a cache that cannot be rolled back
        return range(self.num_computed_tokens[which], len(self.prompts[which]) + tokens)

    def prefix(self, which: Model) -> list[int]:
        """As much of a model's prompt as is or will be in its KV cache."""
        return self.prompts.get(which, [])

    def slice(self, which: Model, start: int, end: int) -> list[int]:
        """Tokens from `start` to `end` (exclusive) of prompt and answer together."""
        prompt = self.prompts[which]
        length = len(prompt)
        if start >= length:
            return self.token_ids[start - length : end - length]
        return prompt[start:end] + self.token_ids[: max(0, end - length)]

    def evict(self) -> None:
        """Evict the row: drop its KV state and draft tokens; it will be prefilled again."""
        for which in self.prompts:
            self.num_computed_tokens[which] = 0
            self.predictions[which].clear()
        del self.token_ids[self.num_committed :]

    def resolve(self) -> list[CommittedToken]:
        """Commit every token that the predictions determine; return them. Fill the positions after them with draft tokens."""
        committed: list[CommittedToken] = []
        position, verified, owner = self.num_committed, True, self.owner_is_base
        while position < self.max_tokens and not self.ended:
            prediction, owner, is_owners = self._best(position, owner)
            if prediction is None:
                break
            verified = verified and is_owners
            self._set(position, prediction.token_id, verified)
            if verified:
                committed.append(self._commit(prediction, owner))
            position += 1
        return committed

    def _best(self, position: int, owner: bool) -> tuple[Prediction | None, bool, bool]:
        """The best prediction at a position, whether the base owns the position, and whether the prediction is the owner's."""
        base = self.predictions["base"].get(position) if "base" in self.predictions else None
        aligned = self.predictions["aligned"].get(position) if "aligned" in self.predictions else None
        if self.mode == "base" or self.mode == "aligned":
            return base or aligned, self.mode == "base", True
        if base is None:
            return aligned, owner, False
        owner = base.wants_base if base.may_switch else owner
        if owner:
            return base, owner, True
        return (base, owner, False) if aligned is None else (aligned, owner, True)

    def _set(self, position: int, token_id: int, verified: bool) -> None:
        """Put a token at a position; if another one was there, roll both models back to it."""
        if position == len(self.token_ids):
            self.token_ids.append(token_id)
            return
        kept = self.token_ids[position] == token_id
        if verified:
            self.proposed += 1
            self.accepted += kept
        if kept:
            return
        del self.token_ids[position:]
        self.token_ids.append(token_id)
        for which, prompt in self.prompts.items():
            self.num_computed_tokens[which] = min(self.num_computed_tokens[which], len(prompt) + position)
            predictions = self.predictions[which]
            for later in [key for key in predictions if key > position]:
                del predictions[later]

    def _commit(self, prediction: Prediction, owner: bool) -> CommittedToken:
        for predictions in self.predictions.values():
            predictions.pop(self.num_committed, None)
        self.num_committed += 1
        self.owner_is_base = owner
        reason: FinishReason | None = None
        if prediction.token_id in self.end_ids["base" if owner else "aligned"]:
            reason = "stop"
        elif self.num_committed >= self.max_tokens:
            reason = "length"
        self.ended = reason is not None
        return CommittedToken(prediction.token_id, owner, reason, prediction.logprobs)
