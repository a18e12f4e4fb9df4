"""`PairInfo`: what is known of a pair without its models. Prompts, requests and grammars need no more.

Knows tokenizers and numbers; knows no weights and no device. A backend that runs models of its own makes one itself.
"""

from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from baco.config import PairConfig
from baco.models.presets import EMBEDDED
from baco.results import Model, SamplingSettings
from baco.vocab.control_tokens import control_tokens
from baco.vocab.lexicon import Lexicon


@dataclass(frozen=True, kw_only=True, eq=False)
class PairInfo:
    """A pair's tokenizers and sizes. The two tokenizers have passed `check_vocabularies`."""

    name: str
    config: PairConfig | None
    """What was loaded, or None for models that came from memory."""
    tokenizer: PreTrainedTokenizerBase
    """The aligned model's tokenizer, with the chat template."""
    base_tokenizer: PreTrainedTokenizerBase
    vocab_size: int
    """Number of token ids that either model can score, V."""
    base_embedding_rows: int
    """Number of token ids that the base model can read: at most V, less where only the aligned model has the chat tokens."""
    context_window: int
    """Longest prompt and answer together, in tokens: the smaller of the two models' windows."""
    base_end_ids: frozenset[int]
    """Ids that end an answer of the base model; none where it has no end token."""
    aligned_end_ids: frozenset[int]
    """Ids that end an answer of the aligned model."""
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """What the maker recommends, and holds where a request sets nothing (see `baco.models.sampling`)."""

    def end_ids(self, which: Model) -> frozenset[int]:
        """Ids that end an answer of this model."""
        return self.base_end_ids if which == "base" else self.aligned_end_ids

    @cached_property
    def lexicon(self) -> Lexicon:
        """Token classes over the vocabulary, on the CPU. A control token of either model is special, whatever the other calls it."""
        control = control_tokens(self.base_tokenizer).values()
        return Lexicon.build(self.tokenizer, self.vocab_size, {*self.base_end_ids, *self.aligned_end_ids, *control})

    @property
    def calibration_file(self) -> Path | None:
        """The calibration maps that ship with the pair: the embedded one's, unless it is quantised."""
        as_shipped = self.name == EMBEDDED and (self.config is None or self.config.quantization is None)
        return Path(str(files("baco") / "pairs" / EMBEDDED / "calibration.json")) if as_shipped else None
