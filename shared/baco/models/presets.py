"""The named pairs: hub ids of base models and their aligned counterparts, with what a user chooses by.

Knows names, ids and figures only; loads and fetches nothing. Each pair comes from one maker and shares one vocabulary. Which pairs are
listed is our own choice; Llama-3-8B and OLMo-2-7B are those of the paper (arXiv 2511.05650).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from baco.checks import nearest
from baco.config import Quantization
from baco.errors import ModelNotFoundError

EMBEDDED = "tiny"
"""Name of the pair that ships with the package."""

Thinks = Literal["never", "on request", "by default", "always"]
BYTES: dict[Quantization | None, float] = {None: 2.0, "int8": 1.0, "int4": 0.625}
"""Bytes of a linear layer's parameter; int4 has a scale and a zero point for every 32 of them."""
EMBEDDING_BYTES = 2.0
"""Bytes of an embedding's parameter: it stays in bfloat16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A pair that can be loaded by name."""

    name: str
    family: str
    """The maker's name for the models of one generation, which differ in size."""
    base: str
    """Hub id of the base model."""
    aligned: str
    """Hub id of its aligned counterpart."""
    parameters: float
    """Size of one of the two models as it is published, in billions of parameters, tied embeddings counted once. Towers for images and
    sound count."""
    embedding: float
    """Those of the parameters that quantisation leaves alone, in billions: the tables of input embeddings, tied heads among them."""
    context: int
    """Longest prompt and answer together, in tokens: the smaller of the two models' windows."""
    license: str
    """Licence of the weights: an SPDX identifier, or the name of the maker's own terms."""
    calls: str | None = None
    """How the aligned model writes tool calls; None where its chat template has no place for tools."""
    thinks: Thinks = "never"
    """Whether the aligned model writes its reasoning before an answer."""
    temperature: float | None = None
    """What the maker recommends, where it is not what the aligned model's generation config says (see `baco.models.sampling`)."""
    top_p: float | None = None
    top_k: int | None = None
    gated: bool = False
    """Whether the hub asks for accepted terms and a token."""
    unchecked: frozenset[str] = frozenset()
    """Which of the figures stand here from memory, since no public copy of the maker's card or configuration was found to compare them
    with: names of these fields, "sampling" for the three settings."""

    def memory(self, quantization: Quantization | None = None) -> float:
        """Bytes that the weights of both models take in bfloat16, or quantised."""
        linear = self.parameters - self.embedding
        return 2e9 * (linear * BYTES[quantization] + self.embedding * EMBEDDING_BYTES)

    def peak(self, quantization: Quantization | None = None) -> float:
        """Bytes that loading takes where layers are quantised after they were read: the second model is whole when the first is not."""
        return (self.memory() + self.memory(quantization)) / 2


Model = tuple[str, str, str, float, float]
"""A name, the hub ids of base and aligned model, parameters and those of embeddings."""


def _family(family: str, models: Sequence[Model], unchecked: Sequence[str] = (), **shared: Any) -> list[Preset]:
    return [
        Preset(
            family=family,
            name=name,
            base=base,
            aligned=aligned,
            parameters=parameters,
            embedding=embedding,
            unchecked=frozenset(unchecked),
            **shared,
        )
        for name, base, aligned, parameters, embedding in models
    ]


_LISTED = [
    *_family(
        "Llama 3",
        [("llama-3-8b", "meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B-Instruct", 8.03, 0.525)],
        ["sampling"],
        context=8192,
        license="Llama 3 community licence",
        gated=True,
        temperature=0.6,
        top_p=0.9,
    ),
    *_family(
        "Llama 3.1",
        [("llama-3.1-8b", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct", 8.03, 0.525)],
        ["sampling"],
        context=131_072,
        license="Llama 3.1 community licence",
        calls="llama3",
        gated=True,
        temperature=0.6,
        top_p=0.9,
    ),
    *_family(
        "Llama 3.2",
        [
            ("llama-3.2-1b", "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B-Instruct", 1.24, 0.263),
            ("llama-3.2-3b", "meta-llama/Llama-3.2-3B", "meta-llama/Llama-3.2-3B-Instruct", 3.21, 0.394),
        ],
        ["sampling"],
        context=131_072,
        license="Llama 3.2 community licence",
        calls="llama3",
        gated=True,
        temperature=0.6,
        top_p=0.9,
    ),
    *_family(
        "Qwen 2.5",
        [
            ("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct", 0.49, 0.136),
            ("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-1.5B-Instruct", 1.54, 0.233),
        ],
        ["sampling"],
        context=32_768,
        license="Apache-2.0",
        calls="hermes",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
    ),
    *_family(
        "Qwen 2.5",
        [("qwen2.5-3b", "Qwen/Qwen2.5-3B", "Qwen/Qwen2.5-3B-Instruct", 3.09, 0.311)],
        ["sampling"],
        context=32_768,
        license="Qwen research licence",
        calls="hermes",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
    ),
    *_family(
        "Qwen 2.5",
        [("qwen2.5-7b", "Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct", 7.62, 0.545)],
        ["sampling"],
        context=32_768,
        license="Apache-2.0",
        calls="hermes",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
    ),
    *_family(
        "Qwen 3",
        [
            ("qwen3-0.6b", "Qwen/Qwen3-0.6B-Base", "Qwen/Qwen3-0.6B", 0.60, 0.156),
            ("qwen3-1.7b", "Qwen/Qwen3-1.7B-Base", "Qwen/Qwen3-1.7B", 1.72, 0.311),
            ("qwen3-4b", "Qwen/Qwen3-4B-Base", "Qwen/Qwen3-4B", 4.02, 0.389),
            ("qwen3-8b", "Qwen/Qwen3-8B-Base", "Qwen/Qwen3-8B", 8.19, 0.622),
            ("qwen3-14b", "Qwen/Qwen3-14B-Base", "Qwen/Qwen3-14B", 14.77, 0.778),
        ],
        ["sampling"],
        context=32_768,
        license="Apache-2.0",
        calls="hermes",
        thinks="by default",
        temperature=0.6,
        top_p=0.95,
        top_k=20,
    ),
    *_family(
        "Qwen 3.5",
        [
            ("qwen3.5-0.8b", "Qwen/Qwen3.5-0.8B-Base", "Qwen/Qwen3.5-0.8B", 0.87, 0.254),
            ("qwen3.5-2b", "Qwen/Qwen3.5-2B-Base", "Qwen/Qwen3.5-2B", 2.27, 0.509),
        ],
        ["sampling"],
        context=262_144,
        license="Apache-2.0",
        calls="qwen3-xml",
        thinks="on request",
        temperature=1.0,
        top_p=1.0,
        top_k=20,
    ),
    *_family(
        "Qwen 3.5",
        [
            ("qwen3.5-4b", "Qwen/Qwen3.5-4B-Base", "Qwen/Qwen3.5-4B", 4.66, 0.636),
            ("qwen3.5-9b", "Qwen/Qwen3.5-9B-Base", "Qwen/Qwen3.5-9B", 9.65, 1.017),
        ],
        context=262_144,
        license="Apache-2.0",
        calls="qwen3-xml",
        thinks="by default",
        temperature=1.0,
        top_p=0.95,
        top_k=20,
    ),
    *_family(
        "Gemma 3",
        [
            ("gemma-3-270m", "google/gemma-3-270m", "google/gemma-3-270m-it", 0.268, 0.168),
            ("gemma-3-1b", "google/gemma-3-1b-pt", "google/gemma-3-1b-it", 1.00, 0.302),
        ],
        ["sampling"],
        context=32_768,
        license="Gemma terms",
        gated=True,
        temperature=1.0,
        top_p=0.95,
        top_k=64,
    ),
    *_family(
        "Gemma 3",
        [
            ("gemma-3-4b", "google/gemma-3-4b-pt", "google/gemma-3-4b-it", 4.30, 0.671),
            ("gemma-3-12b", "google/gemma-3-12b-pt", "google/gemma-3-12b-it", 12.19, 1.007),
        ],
        ["sampling"],
        context=131_072,
        license="Gemma terms",
        gated=True,
        temperature=1.0,
        top_p=0.95,
        top_k=64,
    ),
    *_family(
        "Gemma 4",
        [
            # Most of their embeddings are tables for each layer.
            ("gemma-4-e2b", "google/gemma-4-E2B", "google/gemma-4-E2B-it", 5.12, 2.75),
            ("gemma-4-e4b", "google/gemma-4-E4B", "google/gemma-4-E4B-it", 8.00, 3.49),
        ],
        context=131_072,
        license="Apache-2.0",
        calls="gemma4",
        thinks="on request",
        temperature=1.0,
        top_p=0.95,
        top_k=64,
    ),
    *_family(
        "Gemma 4",
        [("gemma-4-12b", "google/gemma-4-12B", "google/gemma-4-12B-it", 11.95, 1.007)],
        context=262_144,
        license="Apache-2.0",
        calls="gemma4",
        thinks="on request",
        temperature=1.0,
        top_p=0.95,
        top_k=64,
    ),
    *_family(
        "OLMo 2",
        [
            ("olmo-2-1b", "allenai/OLMo-2-0425-1B", "allenai/OLMo-2-0425-1B-Instruct", 1.48, 0.206),
            ("olmo-2-7b", "allenai/OLMo-2-1124-7B", "allenai/OLMo-2-1124-7B-Instruct", 7.30, 0.411),
        ],
        context=4096,
        license="Apache-2.0",
    ),
    *_family(
        "OLMo 3",
        [("olmo-3-7b", "allenai/Olmo-3-1025-7B", "allenai/Olmo-3-7B-Instruct", 7.30, 0.411)],
        ["context", "calls", "sampling"],
        context=65_536,
        license="Apache-2.0",
        calls="olmo3",
        temperature=0.6,
        top_p=0.95,
    ),
    *_family(
        "SmolLM2",
        [
            ("smollm2-135m", "HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct", 0.135, 0.028),
            ("smollm2-360m", "HuggingFaceTB/SmolLM2-360M", "HuggingFaceTB/SmolLM2-360M-Instruct", 0.362, 0.047),
            ("smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct", 1.71, 0.101),
        ],
        ["sampling"],
        context=8192,
        license="Apache-2.0",
        temperature=0.2,
        top_p=0.9,
    ),
    *_family(
        "SmolLM3",
        [("smollm3-3b", "HuggingFaceTB/SmolLM3-3B-Base", "HuggingFaceTB/SmolLM3-3B", 3.08, 0.263)],
        ["context", "sampling"],
        context=65_536,
        license="Apache-2.0",
        thinks="by default",
        temperature=0.6,
        top_p=0.95,
    ),
    *_family(
        "Mistral",
        [("mistral-7b-v0.3", "mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-Instruct-v0.3", 7.25, 0.134)],
        context=32_768,
        license="Apache-2.0",
        calls="mistral",
    ),
    *_family(
        "Ministral 3",
        [
            ("ministral-3-3b", "mistralai/Ministral-3-3B-Base-2512", "mistralai/Ministral-3-3B-Instruct-2512-BF16", 3.85, 0.403),
            ("ministral-3-8b", "mistralai/Ministral-3-8B-Base-2512", "mistralai/Ministral-3-8B-Instruct-2512-BF16", 8.92, 0.537),
        ],
        context=262_144,
        license="Apache-2.0",
        calls="mistral",
    ),
    *_family(
        "Granite 4.0",
        [
            ("granite-4.0-350m", "ibm-granite/granite-4.0-350m-base", "ibm-granite/granite-4.0-350m", 0.352, 0.103),
            ("granite-4.0-1b", "ibm-granite/granite-4.0-1b-base", "ibm-granite/granite-4.0-1b", 1.63, 0.206),
            ("granite-4.0-h-350m", "ibm-granite/granite-4.0-h-350m-base", "ibm-granite/granite-4.0-h-350m", 0.340, 0.077),
            ("granite-4.0-h-1b", "ibm-granite/granite-4.0-h-1b-base", "ibm-granite/granite-4.0-h-1b", 1.46, 0.154),
        ],
        ["parameters", "context"],
        context=32_768,
        license="Apache-2.0",
        calls="hermes",
    ),
    *_family(
        "Granite 4.0",
        [
            ("granite-4.0-micro", "ibm-granite/granite-4.0-micro-base", "ibm-granite/granite-4.0-micro", 3.40, 0.257),
            ("granite-4.0-h-micro", "ibm-granite/granite-4.0-h-micro-base", "ibm-granite/granite-4.0-h-micro", 3.19, 0.206),
        ],
        ["parameters", "context"],
        context=131_072,
        license="Apache-2.0",
        calls="hermes",
    ),
    *_family(
        "Granite 4.1",
        [("granite-4.1-3b", "ibm-granite/granite-4.1-3b-base", "ibm-granite/granite-4.1-3b", 3.40, 0.257)],
        ["context"],
        context=131_072,
        license="Apache-2.0",
        calls="hermes",
    ),
    *_family(
        "LFM 2.5",
        [
            ("lfm2.5-350m", "LiquidAI/LFM2.5-350M-Base", "LiquidAI/LFM2.5-350M", 0.354, 0.067),
            ("lfm2.5-1.2b", "LiquidAI/LFM2.5-1.2B-Base", "LiquidAI/LFM2.5-1.2B-Instruct", 1.17, 0.134),
        ],
        context=32_768,
        license="LFM 1.0 licence",
        calls="lfm2",
    ),
    *_family(
        "LFM 2.5",
        [("lfm2.5-2.6b", "LiquidAI/LFM2.5-2.6B-Base", "LiquidAI/LFM2.5-2.6B", 2.69, 0.134)],
        ["calls"],
        context=131_072,
        license="LFM 1.0 licence",
        calls="lfm2",
        thinks="always",
    ),
    *_family(
        "Falcon-H1",
        [("falcon-h1-0.5b", "tiiuae/Falcon-H1-0.5B-Base", "tiiuae/Falcon-H1-0.5B-Instruct", 0.521, 0.034)],
        ["context", "calls"],
        context=16_384,
        license="Falcon LLM licence",
        calls="hermes",
    ),
    *_family(
        "Falcon-H1",
        [
            ("falcon-h1-1.5b", "tiiuae/Falcon-H1-1.5B-Base", "tiiuae/Falcon-H1-1.5B-Instruct", 1.55, 0.134),
            ("falcon-h1-3b", "tiiuae/Falcon-H1-3B-Base", "tiiuae/Falcon-H1-3B-Instruct", 3.15, 0.168),
        ],
        ["parameters", "context", "calls"],
        context=131_072,
        license="Falcon LLM licence",
        calls="hermes",
    ),
    *_family(
        "Falcon-H1",
        [("falcon-h1-7b", "tiiuae/Falcon-H1-7B-Base", "tiiuae/Falcon-H1-7B-Instruct", 7.59, 0.400)],
        ["context", "calls"],
        context=262_144,
        license="Falcon LLM licence",
        calls="hermes",
    ),
    *_family(
        "Apertus",
        [("apertus-8b", "swiss-ai/Apertus-8B-2509", "swiss-ai/Apertus-8B-Instruct-2509", 8.05, 0.537)],
        ["context", "sampling"],
        context=65_536,
        license="Apache-2.0",
        calls="apertus",
        thinks="on request",
        temperature=0.8,
        top_p=0.9,
    ),
    *_family(
        "ERNIE 4.5",
        [("ernie-4.5-0.3b", "baidu/ERNIE-4.5-0.3B-Base-PT", "baidu/ERNIE-4.5-0.3B-PT", 0.36, 0.106)],
        ["parameters", "context", "calls", "license"],
        context=131_072,
        license="Apache-2.0",
    ),
]
PRESETS = {preset.name: preset for preset in _LISTED}


def get_preset(name: str) -> Preset:
    """Look up a preset.

    Raises:
        ModelNotFoundError: no preset has that name. The message names the nearest and tells how to load any other pair.
    """
    if name in PRESETS:
        return PRESETS[name]
    raise ModelNotFoundError(
        f"there is no preset {name!r}{nearest(name.lower(), PRESETS)} (presets: {', '.join(PRESETS)}); to load any other pair, "
        "pass both models as local folders or hub ids: ModelPair.from_pretrained(base=…, aligned=…)"
    )


def preset_of(base: str, aligned: str | None) -> Preset | None:
    """The preset of two hub ids, whether it was asked for by its name or by them."""
    return next((preset for preset in PRESETS.values() if (preset.base, preset.aligned) == (base, aligned)), None)
