"""`ScoredSequence`: an answer whose tokens are all given. Models say how likely they are; nothing is drawn.

Knows integers and predictions; knows no tensors, no models and no text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from baco.decoding.sequence import CommittedToken, SequenceState
from baco.results import Model

MAX_SCORED_TOKENS = 512
"""Most tokens of an answer that one pass scores: each has logits over the whole vocabulary (our own choice)."""


@dataclass(slots=True, kw_only=True, eq=False)
class ScoredSequence(SequenceState):
    """Given tokens behind the prompts, all committed from the beginning. It ends when every model that scores has scored each."""

    models: Sequence[Model]
    """Those that score."""

    @classmethod
    def of(cls, sequence: SequenceState, token_ids: Sequence[int], models: Sequence[Model]) -> Self:
        """Score tokens, at least one, behind the prompts of a sequence, as far as it has computed them; each of the models has a prompt."""
        scored = cls(
            prompts=sequence.prompts,
            mode="scored",
            end_ids=sequence.end_ids,
            max_tokens=len(token_ids),
            token_ids=list(token_ids),
            num_committed=len(token_ids),
            models=models,
        )
        for which, computed in sequence.num_computed_tokens.items():
            # The prompt's last token is computed again: the logits behind it score the first token.
            scored.num_computed_tokens[which] = min(computed, len(sequence.prompts[which]) - 1) if which in models else computed
        return scored

    @property
    def logprobs(self) -> dict[Model, list[float]]:
        """Natural logarithm of the probability of each token that is scored, by model: temperature 1, nothing truncated."""
        found = {which: [self.predictions[which][place].logprobs for place in sorted(self.predictions[which])] for which in self.models}
        return {which: [logprobs.chosen for logprobs in values if logprobs is not None] for which, values in found.items()}

    def needs(self) -> Model:
        """The first model that has tokens left to score."""
        return next(which for which in self.models if len(self.predictions[which]) < len(self.token_ids))

    def prefix(self, which: Model) -> list[int]:
        """As much of a model's prompt as it has computed or will compute; a model that does not score goes no further."""
        prompt = SequenceState.prefix(self, which)
        return prompt if which in self.models else prompt[: self.num_computed_tokens.get(which, 0)]

    def uncomputed(self, which: Model, num_draft_tokens: int) -> range:
        """Positions in prompt and answer together that a pass can compute now; none for a model that does not score."""
        start, length = self.num_computed_tokens[which], len(self.prompts[which])
        if which not in self.models:
            return range(start, start)
        return range(start, min(length + len(self.token_ids) - 1, max(start, length - 1) + MAX_SCORED_TOKENS))

    def resolve(self) -> list[CommittedToken]:
        """End the sequence once everything is scored; no token is new."""
        self.ended = all(len(self.predictions[which]) == len(self.token_ids) for which in self.models)
        return []
