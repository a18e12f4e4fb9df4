"""`SequenceState`: one answer while it is decoded. What is final, what is only proposed, and what each model said where.

This is the exact alternating speculation, on plain integers. Both models draw with the same keyed noise, so what each of them would write
at a position is a function of the tokens before it; `resolve` reads those views and makes tokens final as soon as the model that owns
them has been asked. A token whose owner has not been asked yet is a proposal (the other model's draw, or a draft), which both models read
on, and which is kept if it turns out to be the token of the answer. So the result is the answer of lockstep, token by token.

Sources: exactness of drafting for any combination of two models: CoS (arXiv 2502.01662, appendix A.1). Coupling by shared noise: Daliri
et al. (arXiv 2408.07978). The route being known from the base alone, which makes base-routed tokens final at once, is BACo's own
structure. Knows integers; knows no tensors, no models and no text.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal

from baco.results import FinishReason, Model

Mode = Literal["base", "aligned", "speculative", "lockstep", "scored"]
"""Who writes: one model alone; both, with a route that the base alone decides; both, with a route that needs the aligned model as well;
nobody, since the tokens are given (`ScoredSequence`)."""


@dataclass(frozen=True, slots=True)
class IdLogprobs:
    """Natural log-probabilities at one position, by token id, under one model."""

    chosen: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says at one position of an answer."""

    token_id: int
    """The token that it writes if it owns the position."""
    wants_base: bool = False
    """Whether the route asks for the base; only in a view of the base."""
    may_switch: bool = True
    """Whether the owner may change here; only in a view of the base."""
    top1: int = -1
    """The model's most likely token; only in a view of the aligned model whose row is routed by it."""
    logprobs: IdLogprobs | None = None


@dataclass(frozen=True, slots=True)
class CommittedToken:
    """One token of the answer."""

    token_id: int
    from_base: bool
    finish_reason: FinishReason | None
    """"stop" for an end token, "length" for the last token that fits, None where the answer goes on."""
    logprobs: IdLogprobs | None


@dataclass(slots=True, kw_only=True, eq=False)
class SequenceState:
    """One answer and the two prompts before it.

    Positions count the tokens of the answer from 0. A view at position j was made from the prompt and `token_ids[:j]`.
    """

    prompts: dict[Model, list[int]]
    mode: Mode
    end_ids: dict[Model, Set[int]]
    max_tokens: int
    token_ids: list[int] = field(default_factory=list)
    """Final tokens, then proposals."""
    num_committed: int = 0
    """How many tokens are final."""
    owner_is_base: bool = False
    """Who owns the last final token."""
    num_computed_tokens: dict[Model, int] = field(init=False)
    """How many tokens, of prompt and answer together, each model has read."""
    predictions: dict[Model, dict[int, Prediction]] = field(init=False)
    proposed: int = 0
    """Proposals that were decided about."""
    accepted: int = 0
    """Proposals that were kept."""
    ended: bool = False

    def __post_init__(self) -> None:
        self.num_computed_tokens = dict.fromkeys(self.prompts, 0)
        self.predictions = {which: {} for which in self.prompts}

    def needs(self) -> Model:
        """The model without which the next token cannot become final."""
        if self.mode == "base" or self.mode == "aligned":
            return self.mode
        if self.mode == "lockstep":
            return "base" if self.num_committed in self.predictions["aligned"] else "aligned"
        return "aligned" if self.num_committed in self.predictions["base"] else "base"

    def uncomputed(self, which: Model, proposals: int) -> range:
        """Positions within prompt and answer together that a model can be fed now.

        Args:
            which: the model.
            proposals: how many tokens that are not final may be fed.
        """
        # Nothing is asked behind the last token that fits.
        tokens = min(len(self.token_ids), self.num_committed + proposals, self.max_tokens - 1)
        if self.mode == "lockstep":
            # The base is asked for a route only once the aligned model has been read at the same position.
            tokens = self.num_committed - (which == "base" and self.num_committed not in self.predictions["aligned"])
        return range(self.num_computed_tokens[which], len(self.prompts[which]) + tokens)

    def prefix(self, which: Model) -> list[int]:
        """As much of a model's prompt as it has computed or will compute."""
        return self.prompts.get(which, [])

    def token_at(self, which: Model, index: int) -> int:
        """Token of prompt and answer together."""
        prompt = self.prompts[which]
        return prompt[index] if index < len(prompt) else self.token_ids[index - len(prompt)]

    def slice(self, which: Model, start: int, end: int) -> list[int]:
        """Tokens of prompt and answer together."""
        prompt = self.prompts[which]
        length = len(prompt)
        if start >= length:
            return self.token_ids[start - length : end - length]
        return prompt[start:end] + self.token_ids[: max(0, end - length)]

    def evict(self) -> None:
        """Take all reading back: the row loses its slots and will be read anew."""
        for which in self.prompts:
            self.num_computed_tokens[which] = 0
            self.predictions[which].clear()
        del self.token_ids[self.num_committed :]

    def resolve(self) -> list[CommittedToken]:
        """Decide as much as the views allow; return the tokens that became final."""
        committed: list[CommittedToken] = []
        position, certain, owner = self.num_committed, True, self.owner_is_base
        while position < self.max_tokens and not self.ended:
            view, owner, sure = self._best(position, owner)
            if view is None:
                break
            certain = certain and sure
            self._set(position, view.token_id, judged=certain)
            if certain:
                committed.append(self._commit(view, owner))
            position += 1
        return committed

    def _best(self, position: int, owner: bool) -> tuple[Prediction | None, bool, bool]:
        """The likeliest token at a position, who owns it, and whether that is certain (given the tokens before it)."""
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

    def _set(self, position: int, token_id: int, judged: bool) -> None:
        """Put a token at a position; what followed another one is void."""
        if position == len(self.token_ids):
            self.token_ids.append(token_id)
            return
        kept = self.token_ids[position] == token_id
        if judged:
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

    def _commit(self, view: Prediction, owner: bool) -> CommittedToken:
        for predictions in self.predictions.values():
            predictions.pop(self.num_committed, None)
        self.num_committed += 1
        self.owner_is_base = owner
        reason: FinishReason | None = None
        if view.token_id in self.end_ids["base" if owner else "aligned"]:
            reason = "stop"
        elif self.num_committed >= self.max_tokens:
            reason = "length"
        self.ended = reason is not None
        return CommittedToken(view.token_id, owner, reason, view.logprobs)
