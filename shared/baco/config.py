"""What is loaded (`PairConfig`) and how one request is sampled (`SamplingParams`): frozen, keyword-only, checked on creation.

Knows nothing of tensors, models or text. A bad value raises `ConfigError` with the argument, what is allowed, and what was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from baco.checks import check_characters, is_integer, is_number, require, strict_keywords
from baco.errors import ConfigError
from baco.grammar.grammar import Grammar
from baco.results import SamplingSettings

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
Quantization = Literal["int8", "int4"]
MAX_LOGPROBS = 20
MIN_TEMPERATURE = 0.01
"""The smallest temperature above 0. Below it, logits divided by it leave float32's exact range; 0 itself is greedy (our own choice)."""


@strict_keywords
@dataclass(frozen=True, kw_only=True, slots=True)
class PairConfig:
    """Which two models to load, and how."""

    base: str
    """Folder or hub id of the base model."""
    aligned: str | None = None
    """Folder or hub id of the aligned model."""
    aligned_adapter: str | None = None
    """Folder or hub id of a LoRA adapter that makes the aligned model of the base; either this or `aligned`."""
    device: str = "auto"
    """"auto" (CUDA, then MPS, then CPU), "cpu", "cuda", "cuda:1", "mps"."""
    dtype: str = "auto"
    """"auto", "float32", "bfloat16" or "float16"."""
    quantization: Quantization | None = None
    """Bits in which the weights of linear layers are kept: None (as `dtype` says), "int8" or "int4"."""
    compile: bool = False
    """Whether decoding passes are compiled with `torch.compile`."""
    token: str | None = field(default=None, compare=False, repr=False)
    """What the hub is shown for gated models; it makes no other pair, and is never printed."""

    def __post_init__(self) -> None:
        if self.aligned is not None and self.aligned_adapter is not None:
            raise ConfigError("give `aligned` (a whole model) or `aligned_adapter` (a LoRA adapter of the base), not both")
        for argument in ("base", "aligned" if self.aligned_adapter is None else "aligned_adapter"):
            value = getattr(self, argument)
            require(isinstance(value, str) and bool(value.strip()), argument, "a folder or a hub id", value)
        kind = self.device.split(":")[0] if isinstance(self.device, str) else self.device
        require(kind in DEVICES, "device", f"one of {', '.join(DEVICES)} (or cuda:<index>)", self.device)
        require(self.dtype in DTYPES, "dtype", f"one of {', '.join(DTYPES)}", self.dtype)
        quantized = self.quantization is None or self.quantization in get_args(Quantization)
        require(quantized, "quantization", "None, 'int8' or 'int4'", self.quantization)
        require(isinstance(self.compile, bool), "compile", "True or False", self.compile)
        # Not shown in the message, as a secret.
        require(self.token is None or isinstance(self.token, str), "token", "None or a text", type(self.token).__name__)


@strict_keywords
@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingParams:
    """How one request is sampled.

    A temperature, `top_p` or `top_k` of None is the maker's for the pair (`PairInfo.sampling`), each by itself. The other defaults hold
    for every model.

    Raises:
        ConfigError: a value is out of its range.
        UnknownKeywordError: a keyword does not exist.
    """

    n: int = 1
    """Answers per prompt, all from one prefill."""
    max_tokens: int = 256
    """Longest answer, in tokens. An answer also ends where the context window does, with finish_reason "length"."""
    temperature: float | None = None
    """0 is greedy, else at least 0.01. None is the maker's, which is never greedy."""
    top_p: float | None = None
    """Nucleus: the smallest set of tokens whose probability reaches top_p. In (0, 1], 1 is off. None is the maker's."""
    top_k: int | None = None
    """Only the k most likely tokens. 0 is off. None is the maker's."""
    min_p: float = 0.0
    """Only tokens at least min_p times as likely as the most likely one. In [0, 1], 0 is off."""
    repetition_penalty: float = 1.0
    """Divides the positive (multiplies the negative) logits of tokens already in the model's context (CTRL, arXiv 1909.05858). 1 is off."""
    stop: Sequence[str] = ()
    """Texts that end the answer; they may span tokens and are trimmed. A single string is taken as one."""
    seed: int | None = None
    """Same seed, same answers. None draws one, and the result names it."""
    logprobs: int | None = None
    """None: off. 0: the log-probability of each chosen token. k: also the k most likely alternatives, at most 20."""
    grammar: Grammar | None = None
    """What the answer may be: `Grammar.json_schema(…)`, `Grammar.regex(…)` or `Grammar.choices(…)`. None: any text."""
    deadline: float | None = None
    """Seconds from submission after which the answer ends as it stands, with finish_reason "cancelled". What was written by then is
    still scored, if that was asked for."""

    def __post_init__(self) -> None:
        require(is_integer(self.n) and self.n >= 1, "n", "an integer of at least 1", self.n)
        require(is_integer(self.max_tokens) and self.max_tokens >= 1, "max_tokens", "an integer of at least 1", self.max_tokens)
        self._check_makers()
        require(is_number(self.min_p) and 0 <= self.min_p <= 1, "min_p", "a number in [0, 1]", self.min_p)
        penalty = self.repetition_penalty
        require(is_number(penalty) and penalty > 0, "repetition_penalty", "a number above 0 (1 is off)", penalty)
        self._check_stop()
        seeded = self.seed is None or (is_integer(self.seed) and 0 <= self.seed < 2**63)
        require(seeded, "seed", "None or an integer in [0, 2**63)", self.seed)
        listed = self.logprobs is None or (is_integer(self.logprobs) and 0 <= self.logprobs <= MAX_LOGPROBS)
        require(listed, "logprobs", f"None or an integer in [0, {MAX_LOGPROBS}]", self.logprobs)
        grammar = self.grammar is None or isinstance(self.grammar, Grammar)
        require(grammar, "grammar", "None or a Grammar, such as Grammar.choices(['yes', 'no'])", self.grammar)
        timed = self.deadline is None or (is_number(self.deadline) and self.deadline > 0)
        require(timed, "deadline", "None or a number of seconds above 0", self.deadline)

    @property
    def is_greedy(self) -> bool:
        """Whether it takes the likeliest token each time: at temperature 0. A maker's temperature, which None stands for, never is 0."""
        return self.temperature == 0

    def resolve(self, defaults: SamplingSettings) -> "ResolvedSamplingParams":
        """Put a pair's defaults where nothing is set."""
        given = {setting.name: getattr(self, setting.name) for setting in fields(SamplingParams)}
        unset = {name: value for name, value in defaults.as_dict().items() if given[name] is None}
        return ResolvedSamplingParams(**given | unset)

    def _check_makers(self) -> None:
        """Check the settings that a maker may recommend."""
        temperature, top_p, top_k = self.temperature, self.top_p, self.top_k
        warm = temperature is None or (is_number(temperature) and (temperature == 0 or temperature >= MIN_TEMPERATURE))
        require(warm, "temperature", f"0 (greedy) or a number of at least {MIN_TEMPERATURE}, or None (the maker's)", temperature)
        require(top_p is None or (is_number(top_p) and 0 < top_p <= 1), "top_p", "a number in (0, 1], or None (the maker's)", top_p)
        counted = top_k is None or (is_integer(top_k) and top_k >= 0)
        require(counted, "top_k", "an integer of at least 0 (0 is off), or None (the maker's)", top_k)

    def _check_stop(self) -> None:
        stop = (self.stop,) if isinstance(self.stop, str) else self.stop
        texts = isinstance(stop, Sequence) and all(isinstance(text, str) and text for text in stop)
        require(texts, "stop", "a text or a list of texts, none of them empty", self.stop)
        for text in stop:
            check_characters("a text of `stop`", text, ConfigError)
        object.__setattr__(self, "stop", tuple(stop))


@strict_keywords
@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedSamplingParams(SamplingParams):
    """How one request is sampled, with nothing left to the maker. Made by `SamplingParams.resolve`."""

    temperature: float = SamplingSettings().temperature
    top_p: float = SamplingSettings().top_p
    top_k: int = SamplingSettings().top_k

    @property
    def settings(self) -> SamplingSettings:
        """Those of the settings that a maker may recommend."""
        return SamplingSettings(temperature=self.temperature, top_p=self.top_p, top_k=self.top_k)
