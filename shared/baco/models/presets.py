"""The named pairs: hub ids, sizes and licences of base models and their aligned counterparts.

Knows names and ids only; loads and fetches nothing. Each pair comes from one maker and shares one vocabulary. Which pairs are
listed is our own choice; Llama-3-8B and OLMo-2-7B are those of the paper (arXiv 2511.05650).
"""

from dataclasses import dataclass

from baco.checks import nearest
from baco.errors import ModelNotFoundError

EMBEDDED = "tiny"
"""Name of the pair that ships with the package."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A pair that can be loaded by name."""

    name: str
    base: str
    """Hub id of the base model."""
    aligned: str
    """Hub id of its aligned counterpart."""
    parameters: float
    """Size of one of the two models, in billions of parameters, tied embeddings counted once."""
    license: str
    """Licence of the weights: an SPDX identifier, or the name of the maker's own terms."""
    gated: bool = False
    """Whether the hub asks for accepted terms and a token."""


_LISTED = (
    Preset(
        "llama-3-8b", "meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B-Instruct", 8.03, "Llama 3 community licence", gated=True
    ),
    Preset("olmo-2-7b", "allenai/OLMo-2-1124-7B", "allenai/OLMo-2-1124-7B-Instruct", 7.30, "Apache-2.0"),
    Preset("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct", 0.49, "Apache-2.0"),
    Preset("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-1.5B-Instruct", 1.54, "Apache-2.0"),
    Preset("qwen2.5-3b", "Qwen/Qwen2.5-3B", "Qwen/Qwen2.5-3B-Instruct", 3.09, "Qwen research licence"),
    Preset("qwen2.5-7b", "Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct", 7.62, "Apache-2.0"),
    Preset("qwen3-0.6b", "Qwen/Qwen3-0.6B-Base", "Qwen/Qwen3-0.6B", 0.60, "Apache-2.0"),
    Preset("qwen3-1.7b", "Qwen/Qwen3-1.7B-Base", "Qwen/Qwen3-1.7B", 1.72, "Apache-2.0"),
    Preset("qwen3-4b", "Qwen/Qwen3-4B-Base", "Qwen/Qwen3-4B", 4.02, "Apache-2.0"),
    Preset("qwen3-8b", "Qwen/Qwen3-8B-Base", "Qwen/Qwen3-8B", 8.19, "Apache-2.0"),
    Preset("smollm2-135m", "HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct", 0.135, "Apache-2.0"),
    Preset("smollm2-360m", "HuggingFaceTB/SmolLM2-360M", "HuggingFaceTB/SmolLM2-360M-Instruct", 0.362, "Apache-2.0"),
    Preset("smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct", 1.71, "Apache-2.0"),
    Preset("gemma-3-1b", "google/gemma-3-1b-pt", "google/gemma-3-1b-it", 1.00, "Gemma terms", gated=True),
    Preset("gemma-3-4b", "google/gemma-3-4b-pt", "google/gemma-3-4b-it", 4.30, "Gemma terms", gated=True),
    Preset("mistral-7b-v0.3", "mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-Instruct-v0.3", 7.25, "Apache-2.0"),
)
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
