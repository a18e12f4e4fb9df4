"""What a pair's maker recommends for sampling: a preset's settings, else those of the aligned model's generation config.

Knows presets and generation configs; knows nothing of requests, which may set anything else.
"""

from typing import Any

from baco.checks import is_number
from baco.config import ResolvedSamplingParams
from baco.errors import ConfigError, PairError
from baco.models.presets import Preset
from baco.results import SamplingSettings

GREEDY = {"temperature": 0.1, "top_p": 0.1, "top_k": 1}
"""At these settings and below them, nearly every draw takes the likeliest token (our own choice)."""
OFF = (0, -1)
"""How makers write that top-k is off: transformers' way, and vLLM's."""


def recommended_sampling(generation: Any, preset: Preset | None) -> SamplingSettings:
    """Find the settings that hold where a request sets nothing, each by itself.

    First those of the preset, then those of the generation config, then temperature 1 without truncation. A generation config that asks
    for greedy decoding, by `do_sample=False` or by settings that come to the same (see `GREEDY`), has none: all n answers would be equal.

    Args:
        generation: the aligned model's `GenerationConfig`, or None where it has none.
        preset: the pair's preset, or None where it is not one.

    Raises:
        PairError: a setting of the generation config is out of its range.
    """
    found = {} if preset is None else {name: value for name in GREEDY if (value := getattr(preset, name)) is not None}
    settings = _configured(generation) | found
    try:
        return ResolvedSamplingParams(**settings).settings
    except ConfigError as error:
        raise PairError(
            f"the generation config of the aligned model has a setting that cannot be used: {error}; correct the file"
        ) from None


def _configured(generation: Any) -> dict[str, Any]:
    if generation is None or generation.do_sample is False:
        return {}
    settings = {name: value for name in GREEDY if (value := getattr(generation, name)) is not None}
    if settings.get("top_k") in OFF:
        del settings["top_k"]
    greedy = any(is_number(value) and value <= GREEDY[name] for name, value in settings.items())
    return {} if greedy else settings
