"""The errors that `baco` raises on purpose, each with a message that says what to do.

BacoError
├── ConfigError (ValueError)          a setting that is out of range, unknown or contradictory
│   └── UnknownKeywordError (TypeError)  a keyword that does not exist, with the nearest that does
├── PairError                         a pair that cannot be loaded
│   ├── ModelNotFoundError            a model folder or hub id that is not there
│   ├── UnsupportedModelError         a model whose layers the decode loop cannot run
│   └── VocabularyError               two models whose token ids mean different strings
├── PromptError (ValueError)          a prompt that cannot be decoded
│   ├── ChatTemplateError             a tokenizer without a chat template, or one that refuses the messages
│   └── ContextOverflowError          prompt and answer do not fit into the context window
├── GrammarError                      an answer that its grammar can no longer be held to
├── QueueFullError                    too many requests are waiting
├── OutOfMemoryError (MemoryError)    one request alone does not fit into memory
└── MissingExtraError (ImportError)   an optional dependency is not installed
"""


class BacoError(Exception):
    """Base class of every error that `baco` raises on purpose."""


class ConfigError(BacoError, ValueError):
    """A setting is out of range, unknown or contradicts another one."""


class UnknownKeywordError(ConfigError, TypeError):
    """A keyword argument does not exist."""


class PairError(BacoError):
    """A pair of models cannot be loaded."""


class ModelNotFoundError(PairError):
    """A model folder, hub id or preset does not exist."""


class UnsupportedModelError(PairError):
    """A model has layers that the decode loop cannot run."""


class VocabularyError(PairError):
    """The two models of a pair read the same token id as different strings."""


class PromptError(BacoError, ValueError):
    """A prompt cannot be decoded."""


class ChatTemplateError(PromptError):
    """The aligned model's tokenizer has no chat template, or its template refuses the messages."""


class ContextOverflowError(PromptError):
    """The prompt, or the prompt with its answer, is longer than the context window.

    Attributes:
        model: whose prompt is too long, "base" or "aligned".
        prompt_tokens: length of that prompt; where `is_exact` is false, at least so many.
        is_exact: whether the prompt was counted, and not only found to be far too long.
        max_model_len: the window, prompt and answer together, in tokens.
    """

    def __init__(self, *, model: str, prompt_tokens: int, max_model_len: int, is_exact: bool = True) -> None:
        self.model = model
        self.prompt_tokens = prompt_tokens
        self.is_exact = is_exact
        self.max_model_len = max_model_len
        super().__init__(
            f"the {model} model's prompt has {'' if is_exact else 'at least '}{prompt_tokens} tokens, "
            f"but its context window holds {max_model_len} "
            f"(prompt and at least one new token); shorten the prompt by {prompt_tokens - max_model_len + 1} tokens "
            "or raise Engine(max_model_len=…) if the models allow it"
        )


class GrammarError(BacoError):
    """An answer has become too complex for its grammar to be enforced any further."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the answer can no longer be held to its grammar ({reason}); use a simpler grammar, or fewer tokens")


class QueueFullError(BacoError):
    """Too many requests are waiting for this pair. The refused request has cost nothing, and can be sent again later."""

    def __init__(self, waiting: int, max_waiting: int) -> None:
        self.waiting = waiting
        self.max_waiting = max_waiting
        super().__init__(
            f"{waiting} answers are waiting already, and Engine(max_waiting={max_waiting}) takes no more; send the request again later, "
            "or raise the bound"
        )


class OutOfMemoryError(BacoError, MemoryError):
    """A request does not fit into memory even when it is decoded alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"not even one answer at a time fits into memory ({reason}); use a shorter prompt, a smaller max_model_len or dtype, or "
            "quantization"
        )


class MissingExtraError(BacoError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"`{module}` is not installed; run: pip install 'baco[{extra}]'")
