"""`BacoSettings`: the fields of `BacoLLM`, and what they and the keywords of one call amount to.

Knows the settings of the core; knows no messages, no responses and no weights. Everything is checked by the core's own rules, when the
LLM is made and again at every call, before any work.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from baco.call_settings import PAIR_SETTINGS, ROUTER_SETTINGS, SAMPLING_SETTINGS, CallSettings, build_call, check_pair
from baco.errors import UnknownKeywordError, check_keywords
from baco.sources import pair_name, resolve

CALL_FIELDS = (*ROUTER_SETTINGS, "base_prompt", *SAMPLING_SETTINGS)
"""Settings that a single call may override."""
IGNORED_KEYWORDS = ("extra_headers",)
"""What LlamaIndex's own extractors pass to any LLM, for services behind HTTP: nothing to do here."""
ONE_ANSWER = (
    "BacoLLM has no `n`, since LlamaIndex takes one answer per call; call it several times (without a seed every call draws its own), "
    "or ask baco.Engine for SamplingParams(n=…)"
)


class BacoSettings(BaseModel):
    """Settings of `BacoLLM`, all of them plain values: they can be copied, pickled and written as JSON.

    Raises:
        UnknownKeywordError: a setting does not exist.
        ConfigError: a value is out of range, or two contradict each other.
        ModelNotFoundError: a preset or a model folder is not there.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str | None = None
    """The pair: a preset (`baco pairs` lists them), "base|aligned" with two folders or hub ids, or None for the embedded pair."""
    base: str | None = None
    """Folder or hub id of the base model, together with `aligned` and in place of `model`."""
    aligned: str | None = None
    """Folder or hub id of the aligned model."""
    aligned_adapter: str | None = None
    """Folder or hub id of a LoRA adapter of `base`, in place of `aligned`: both models use one set of weights. Needs baco[adapters]."""
    device: str = "auto"
    """"auto" (CUDA, then MPS, then CPU) or a device."""
    dtype: str = "auto"
    """"auto", "float32", "bfloat16" or "float16"."""
    quantization: str | None = None
    """"int8" or "int4": how the weights are kept. None keeps them in `dtype`."""
    compile: bool = False
    """Whether decoding passes are compiled with `torch.compile`: the first answers wait a minute or more for it, later ones are faster."""
    router: str = "p-punc"
    """Who decides which model writes the next token; `baco.router_names()` lists the names."""
    threshold: float | None = None
    """Where the router switches. None takes the router's default."""
    diversity: float | None = None
    """Target share of base tokens in [0, 1], in place of a threshold."""
    probe: Literal["base", "aligned"] = "base"
    """Whose top-1 token the router's content rule and word rule read."""
    word_boundary: bool = True
    """Whether the owner may change only where a new word may start."""
    base_prompt: str = "transcript"
    """What the base model reads: "transcript", "template" (the aligned model's chat template) or a Jinja template."""
    max_tokens: int = 256
    """Longest answer, in tokens."""
    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling, in (0, 1]; 1 is off."""
    top_k: int = 0
    """Only the k most likely tokens; 0 is off."""
    min_p: float = 0.0
    """Only tokens at least min_p times as likely as the most likely one; 0 is off."""
    repetition_penalty: float = 1.0
    """Makes tokens of the context less likely; 1 is off."""
    stop: str | Sequence[str] = ()
    """Texts that end the answer and are trimmed."""
    seed: int | None = None
    """Same seed, same answer. None draws one at every call, and the response names it."""
    logprobs: int | None = None
    """None: off. 0: the log-probability of each token. k: also the k most likely alternatives, at most 20."""
    timeout: float | None = None
    """Seconds after which the answer ends as it stands, with finish_reason "cancelled"."""

    def __init__(self, **keywords: Any) -> None:
        # Before pydantic, which would drop unknown keywords, coerce wrong types and wrap the errors.
        if "n" in keywords:
            raise UnknownKeywordError(ONE_ANSWER)
        check_keywords(type(self).__name__, keywords, type(self).model_fields)
        settings = {name: keywords.get(name, field.default) for name, field in BacoSettings.model_fields.items()}
        check_pair(settings)
        build_call(settings)
        super().__init__(**keywords)

    def for_call(self, keywords: Mapping[str, Any]) -> CallSettings:
        """Join the LLM's settings with the keywords of one call, which win.

        A call that names a router, a threshold or a diversity drops the LLM's own threshold and diversity: they belong to another rule, or
        say the same thing in other words.

        Raises:
            UnknownKeywordError: a keyword does not exist, or is one that a call cannot change.
            ConfigError: a value is out of range, or two contradict each other.
        """
        _check_call_keywords(keywords)
        settings = {name: getattr(self, name) for name in CALL_FIELDS}
        if not keywords.keys().isdisjoint(("router", "threshold", "diversity")):
            settings |= {"threshold": None, "diversity": None}
        return build_call(settings | dict(keywords))

    @property
    def pair_name(self) -> str:
        """The pair's name: "tiny", the preset's, or "base|aligned"."""
        return pair_name(self.model, self.base, self.aligned, self.aligned_adapter)

    @property
    def sources(self) -> tuple[str, ...]:
        """Folder or hub id of each whole model: the base and the aligned one, or the base alone where the other is an adapter of it."""
        config = resolve(self.model, self.base, self.aligned, self.aligned_adapter)[1]
        return (config.base,) if config.aligned is None else (config.base, config.aligned)


def _check_call_keywords(keywords: Mapping[str, Any]) -> None:
    if "n" in keywords:
        raise UnknownKeywordError(ONE_ANSWER)
    for name in PAIR_SETTINGS:
        if name in keywords:
            raise UnknownKeywordError(f"`{name}` is fixed when BacoLLM is made; make another one, which shares what is loaded already")
    check_keywords("a call of BacoLLM", keywords, (*CALL_FIELDS, *IGNORED_KEYWORDS))
