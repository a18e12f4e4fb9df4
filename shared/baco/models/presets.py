"""The named pairs: hub ids, sizes and licences of base models and their aligned counterparts.

Knows names and ids only; loads and fetches nothing. Each pair comes from one maker and shares one vocabulary. Which pairs are
listed is our own choice; Llama-3-8B and OLMo-2-7B are those of the paper (arXiv 2511.05650).
"""

from dataclasses import dataclass

from baco.checks import nearest
from baco.errors import ModelNotFoundError

EMBEDDED = "tiny"
"""Name of the pair that ships with the package."""


@dataclass(frozen=True, kw_only=True, slots=True)
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


def _catalogue(*presets: Preset) -> dict[str, Preset]:
    return {preset.name: preset for preset in presets}


def _suffixed(name: str, base: str, parameters: float, license: str, *, gated: bool = False) -> Preset:
    """A family whose aligned model is named after its base with "-Instruct"."""
    return Preset(name=name, base=base, aligned=f"{base}-Instruct", parameters=parameters, license=license, gated=gated)


def _qwen3(size: str, parameters: float) -> Preset:
    """Qwen3 names the other way round: the aligned model has the plain name."""
    aligned = f"Qwen/Qwen3-{size}"
    return Preset(name=f"qwen3-{size.lower()}", base=f"{aligned}-Base", aligned=aligned, parameters=parameters, license="Apache-2.0")


def _gemma3(size: str, parameters: float) -> Preset:
    model = f"google/gemma-3-{size}"
    return Preset(
        name=f"gemma-3-{size}", base=f"{model}-pt", aligned=f"{model}-it", parameters=parameters, license="Gemma terms", gated=True
    )


PRESETS: dict[str, Preset] = _catalogue(
    _suffixed("llama-3-8b", "meta-llama/Meta-Llama-3-8B", 8.03, "Llama 3 community licence", gated=True),
    _suffixed("olmo-2-7b", "allenai/OLMo-2-1124-7B", 7.30, "Apache-2.0"),
    _suffixed("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B", 0.49, "Apache-2.0"),
    _suffixed("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B", 1.54, "Apache-2.0"),
    _suffixed("qwen2.5-3b", "Qwen/Qwen2.5-3B", 3.09, "Qwen research licence"),
    _suffixed("qwen2.5-7b", "Qwen/Qwen2.5-7B", 7.62, "Apache-2.0"),
    _qwen3("0.6B", 0.60),
    _qwen3("1.7B", 1.72),
    _qwen3("4B", 4.02),
    _qwen3("8B", 8.19),
    _suffixed("smollm2-135m", "HuggingFaceTB/SmolLM2-135M", 0.135, "Apache-2.0"),
    _suffixed("smollm2-360m", "HuggingFaceTB/SmolLM2-360M", 0.362, "Apache-2.0"),
    _suffixed("smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B", 1.71, "Apache-2.0"),
    _gemma3("1b", 1.00),
    _gemma3("4b", 4.30),
    Preset(
        name="mistral-7b-v0.3",
        base="mistralai/Mistral-7B-v0.3",
        aligned="mistralai/Mistral-7B-Instruct-v0.3",
        parameters=7.25,
        license="Apache-2.0",
    ),
)
"""Every preset by its name."""


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
