"""What comes back: candidates, stream events and counts. Data only; lies under everything but `errors` and the forms of calls."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Literal

from baco.parsing.answer import PLAIN, AnswerFormat

FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]
"""Why an answer ended: it was over, `max_tokens` or the window was reached, it was over and calls tools, or it was cancelled or late."""
Model = Literal["base", "aligned"]
Span = tuple[str, Model]
"""A run of text, and the model that wrote it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingSettings:
    """The settings of sampling that makers recommend for their models; by default those of the raw distribution."""

    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    """1 is off."""
    top_k: int = 0
    """0 is off."""

    def as_dict(self) -> dict[str, float]:
        """All of them as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class TopLogprob:
    """One alternative at a position."""

    token_id: int
    text: str
    logprob: float
    """Natural logarithm of the owner's raw probability (temperature 1, before penalties and truncation)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenLogprob:
    """The log-probability of one chosen token, under the model that chose it."""

    token_id: int
    text: str
    logprob: float
    """Natural logarithm of the owner's raw probability (temperature 1, before penalties and truncation)."""
    from_base: bool
    top: tuple[TopLogprob, ...]
    """The owner's most likely tokens, best first."""

    @property
    def owner(self) -> Model:
        """The model that wrote it."""
        return "base" if self.from_base else "aligned"


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """One generated token, its owner, and the text that became readable with it.

    The texts of an answer's tokens, joined, are the answer. A token inside a character of several tokens has the text "".
    """

    token_id: int
    text: str
    from_base: bool
    logprob: TokenLogprob | None = None

    @property
    def owner(self) -> Model:
        """The model that wrote it."""
        return "base" if self.from_base else "aligned"


class GeneratedTokens:
    """Tokens of an answer: all of them, or the new ones."""

    __slots__ = ()
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """What they say, without the stop text and without special tokens, but for those around calls where there are tools."""
        return "".join(token.text for token in self.tokens)

    @property
    def token_ids(self) -> list[int]:
        """Every generated token, the one that ended the answer included."""
        return [token.token_id for token in self.tokens]

    @property
    def from_base(self) -> list[bool]:
        """For each token: whether the base model wrote it."""
        return [token.from_base for token in self.tokens]

    def spans(self) -> list[Span]:
        """The text as runs of one owner: [("Call him ", "aligned"), ("Biscuit", "base")]."""
        visible = (token for token in self.tokens if token.text)
        return [("".join(token.text for token in run), owner) for owner, run in groupby(visible, key=lambda token: token.owner)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Token counts of one request, over all of its candidates."""

    prompt_tokens: int
    """Length of the aligned model's prompt, or of the base's where only the base ran."""
    completion_tokens: int
    base_tokens: int
    aligned_tokens: int
    cached_tokens: int = field(default=0, compare=False)
    """Of the prompt's tokens: those that this model had read before. It depends on what else was asked, so it counts for no comparison."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def as_dict(self) -> dict[str, int]:
        """All counts as plain JSON, the total among them."""
        return asdict(self) | {"total_tokens": self.total_tokens}


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """Forward passes that one request took part in, prefill and scoring among them, and what became of tokens that were only proposed."""

    base: int
    aligned: int
    proposed: int = 0
    """Tokens that one model, or a draft, proposed and that were decided about."""
    accepted: int = 0
    """Those of them that the answer kept."""

    def as_dict(self) -> dict[str, int]:
        """All counts as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate(GeneratedTokens):
    """One answer."""

    index: int
    tokens: tuple[Token, ...]
    finish_reason: FinishReason
    score: float | None = None
    """Mean log-probability of its tokens under the aligned model, in nats; None where no score was asked for, or the request was cancelled
    before."""
    model_logprobs: Mapping[Model, Sequence[float]] | None = None
    """Log-probability of each token under each model that ran, whoever wrote it, in nats; None where they were not asked for, or
    the request was cancelled before."""

    @property
    def logprobs(self) -> list[TokenLogprob] | None:
        """For each token: its log-probability, when the request asked for it."""
        values = [token.logprob for token in self.tokens if token.logprob is not None]
        return values if values else None

    @property
    def base_share(self) -> float:
        """Share of tokens that the base model wrote, 0 to 1."""
        return sum(self.from_base) / len(self.tokens) if self.tokens else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationResult:
    """All answers to one prompt, with what they cost."""

    candidates: tuple[Candidate, ...]
    prompt_token_ids: dict[Model, list[int]]
    """The prompt of each model that ran."""
    usage: Usage
    passes: Passes
    seed: int
    """The seed that reproduces these answers."""
    router: str
    threshold: float | None
    """The router's threshold in force, also where it came from `diversity`."""
    sampling: SamplingSettings
    """The settings in force, also where they are the maker's."""
    template_date: str | None = None
    """The moment that the chat template was told, in ISO 8601: ``chat_template_kwargs={"strftime_now": …}`` tells it again. None where it
    asks for none."""
    format: AnswerFormat = PLAIN
    """How answers write reasoning and tool calls: `result.format.read(candidate.text)` tells them from the content."""

    @property
    def text(self) -> str:
        """The first answer."""
        return self.candidates[0].text


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamEvent(GeneratedTokens):
    """Newly readable tokens of one candidate."""

    index: int
    """Which candidate."""
    tokens: tuple[Token, ...]
    finish_reason: FinishReason | None = None
    """Set on the candidate's last event."""
    result: GenerationResult | None = None
    """Set on the request's last event."""
    format: AnswerFormat = PLAIN
    """How the answer writes reasoning and tool calls; `format.reader()` tells them apart as they come."""
