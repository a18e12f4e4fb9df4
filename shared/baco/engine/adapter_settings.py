"""`AdapterSettings`: the fields that a user of either adapter sets, a pair's and those of a call, as a Pydantic model.

Knows names, types, defaults and their documentation; checks nothing, and knows no framework. The defaults are those of the core's settings.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class AdapterSettings(BaseModel):
    """The `PAIR_SETTINGS`, the `ROUTER_SETTINGS`, the `TEMPLATE_SETTINGS` and the `SAMPLING_SETTINGS`, all of them plain values."""

    # Not a plain class, whose attributes would replace a default that a subclass of an adapter's class sets, in its own subclasses.
    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str | None = None
    """The pair: a preset (`baco pairs` lists them), "base|aligned" with two folders or hub ids, or None for the embedded pair."""
    base: str | None = None
    """Folder or hub id of the base model, with `aligned`, in place of `model`."""
    aligned: str | None = None
    """Folder or hub id of the aligned model, with `base`, in place of `model`."""
    aligned_adapter: str | None = None
    """Folder or hub id of a LoRA adapter of `base`, in place of `aligned`: both models use one set of weights. Needs baco[adapters]."""
    device: str = "auto"
    """"auto" (CUDA, then MPS, then CPU), "cpu", "cuda", "cuda:1" or "mps"."""
    dtype: str = "auto"
    """"auto", "float32", "bfloat16" or "float16"."""
    quantization: str | None = None
    """"int8" or "int4": how the weights are kept. None keeps them in `dtype`."""
    compile: bool = False
    """Whether decoding passes are compiled with `torch.compile`: the first answers wait a minute or more for it, later ones are faster."""

    router: str = "p-punc"
    """Which rule chooses between base and aligned at each token; `baco.router_names()` lists them. "aligned" and "base" are one model."""
    threshold: float | None = None
    """Where the router switches; its range is the router's. None takes the router's default."""
    diversity: float | None = None
    """Target share of base tokens in [0, 1], in place of a threshold. Measured once per pair and router."""
    probe: Literal["base", "aligned"] = "base"
    """Whose most likely token the router's content rule and word rule read."""
    word_boundary: bool = True
    """Whether the models may take turns only where a new word may start."""
    base_prompt: str = "transcript"
    """What the base model reads: "transcript", "template" (the aligned model's chat template) or a Jinja template of your own."""
    chat_template_kwargs: dict[str, Any] | None = None
    """Variables of the aligned model's chat template, such as {"enable_thinking": False}; one that it never reads is refused. Its
    "strftime_now" is the date that it is told, in ISO 8601; today's by default."""
    reasoning: bool | str | None = None
    """Whether to reason before the answer, or how much ("low", "medium", "high"), by the variable that the chat template has for it. False
    asks for the least where there are only degrees. None leaves it to the template."""

    max_tokens: int = 256
    """Longest answer, in tokens."""
    temperature: float | None = None
    """0 is greedy, else at least 0.01. None is what the models' maker recommends, which is never greedy."""
    top_p: float | None = None
    """Only the smallest set of tokens whose probability reaches top_p. In (0, 1], 1 is off. None is what the maker recommends."""
    top_k: int | None = None
    """Only the k most likely tokens. 0 is off. None is what the maker recommends."""
    min_p: float = 0.0
    """Only tokens at least min_p times as likely as the most likely one. In [0, 1], 0 is off."""
    repetition_penalty: float = 1.0
    """Makes tokens that are in the context already less likely. 1 is off."""
    stop: str | list[str] | None = None
    """Texts that end the answer; they are trimmed."""
    seed: int | None = None
    """Same seed, same answers. None draws one at every call, and the answer names it."""
    logprobs: int | None = None
    """None: off. 0: the log-probability of each chosen token. k: also the k most likely alternatives, at most 20."""
    timeout: float | None = None
    """Seconds after which an answer ends as it stands, with finish_reason "cancelled"."""
