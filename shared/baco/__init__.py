"""Base-aligned model collaboration: varied answers that stay good, from a base model and its aligned counterpart, in one pass.

>>> from baco import Engine, ModelPair, Router, SamplingParams
>>> engine = Engine(ModelPair.from_pretrained())
>>> result = engine.generate("Name a pet rabbit.", SamplingParams(n=3, max_tokens=24, seed=7), Router("p-punc", threshold=0.4))
>>> len(result.candidates)
3
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baco.config import PairConfig, SamplingParams
    from baco.engine.engine import Engine
    from baco.errors import (
        BacoError,
        ChatTemplateError,
        ConfigError,
        ContextOverflowError,
        GrammarError,
        MissingExtraError,
        ModelNotFoundError,
        PairError,
        PromptError,
        UnknownKeywordError,
        UnsupportedModelError,
        VocabularyError,
    )
    from baco.grammar.grammar import Grammar
    from baco.models.pair import ModelPair
    from baco.results import Candidate, GenerationResult, Passes, SamplingSettings, StreamEvent, Token, TokenLogprob, TopLogprob, Usage
    from baco.routing import Prefix, Router, Signals, register_router, router_names

__version__ = version("baco")

__all__ = [
    "BacoError",
    "Candidate",
    "ChatTemplateError",
    "ConfigError",
    "ContextOverflowError",
    "Engine",
    "GenerationResult",
    "Grammar",
    "GrammarError",
    "MissingExtraError",
    "ModelNotFoundError",
    "ModelPair",
    "PairConfig",
    "PairError",
    "Passes",
    "Prefix",
    "PromptError",
    "Router",
    "SamplingParams",
    "SamplingSettings",
    "Signals",
    "StreamEvent",
    "Token",
    "TokenLogprob",
    "TopLogprob",
    "UnknownKeywordError",
    "UnsupportedModelError",
    "Usage",
    "VocabularyError",
    "__version__",
    "register_router",
    "router_names",
]

# Importing torch takes seconds: a name's module is imported when the name is first used, so that `baco --help` need not wait for it.
_MODULES = {
    "baco.config": ("PairConfig", "SamplingParams"),
    "baco.engine.engine": ("Engine",),
    "baco.grammar.grammar": ("Grammar",),
    "baco.models.pair": ("ModelPair",),
    "baco.results": (
        "Candidate",
        "GenerationResult",
        "Passes",
        "SamplingSettings",
        "StreamEvent",
        "Token",
        "TokenLogprob",
        "TopLogprob",
        "Usage",
    ),
    "baco.routing": ("Prefix", "Router", "Signals", "register_router", "router_names"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'baco' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "baco.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
