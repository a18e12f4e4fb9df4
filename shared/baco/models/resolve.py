"""Which two models a user means: a preset, two folders or hub ids, a base and its adapter, or nothing, which is the embedded pair.

Knows presets and folders; reads no model.
"""

from importlib.resources import files
from typing import Any

from baco.config import PairConfig
from baco.errors import ConfigError, ModelNotFoundError
from baco.models.adapter import ADAPTER_FILE
from baco.models.loading import locate
from baco.models.presets import EMBEDDED, PRESETS, get_preset


def pair_name(pair: str | None, base: str | None, aligned: str | None, aligned_adapter: str | None = None) -> str:
    """Name a pair without looking for it: its preset, "base|aligned", "base+adapter", or the embedded pair."""
    if pair is not None:
        return pair
    if aligned_adapter is not None:
        return f"{base}+{aligned_adapter}"
    return EMBEDDED if base is None and aligned is None else f"{base}|{aligned}"


def resolve(
    pair: str | None, base: str | None, aligned: str | None, aligned_adapter: str | None = None, **options: Any
) -> tuple[str, PairConfig]:
    """Turn a preset name, "base|aligned", two folders or hub ids, or nothing into a name and a configuration.

    `options` are the other fields of `PairConfig`, which say how to load.

    Raises:
        ConfigError: arguments contradict each other, or an option is out of its range.
        ModelNotFoundError: there is no such preset or folder.
    """
    if pair is not None and (base is not None or aligned is not None or aligned_adapter is not None):
        raise ConfigError("give a pair by name, or `base` and `aligned`, not both")
    name = pair_name(pair, base, aligned, aligned_adapter)
    if aligned_adapter is not None:
        return name, _adapted(base, aligned, aligned_adapter, options)
    if name == EMBEDDED:
        folder = files("baco") / "pairs" / EMBEDDED
        return name, PairConfig(base=str(folder / "base"), aligned=str(folder / "aligned"), **options)
    if pair is not None and "|" not in pair:
        preset = get_preset(pair)
        return name, PairConfig(base=preset.base, aligned=preset.aligned, **options)
    if pair is not None:
        base, _, aligned = pair.partition("|")
    if base is None or aligned is None:
        raise ConfigError("a pair needs both `base` and `aligned`: two folders or hub ids of one model family")
    for source in (base, aligned):
        _check_not_preset(source)
        locate(source)
    return name, PairConfig(base=base, aligned=aligned, **options)


def _adapted(base: str | None, aligned: str | None, adapter: str, options: dict[str, Any]) -> PairConfig:
    if base is None:
        raise ConfigError("`aligned_adapter` needs `base`: the folder or hub id of the model that the adapter was trained on")
    config = PairConfig(base=base, aligned=aligned, aligned_adapter=adapter, **options)
    _check_not_preset(base)
    locate(base)
    locate(adapter, ADAPTER_FILE)
    return config


def _check_not_preset(source: str) -> None:
    if source in PRESETS:
        raise ModelNotFoundError(f"{source!r} is a preset, which names two models: use ModelPair.from_pretrained({source!r})")
