"""Checkpoints whose weights are quantised already, such as AWQ, GPTQ, FP8 and compressed-tensors: which of them load.

transformers loads them through its own integrations, each with a package or a device that it needs; what it keeps quantised is no plain
linear layer, and is neither packed nor quantised again. Knows configurations and transformers' integrations; reads no weights.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

from baco.errors import ConfigError, PairError


def quantization_method(config: Any) -> str | None:
    """The method, as transformers names it, by which a model's weights are quantised; None where they are not."""
    found = getattr(config, "quantization_config", None) or getattr(config.get_text_config(), "quantization_config", None)
    if not found:
        return None
    method = found.get("quant_method") if isinstance(found, dict) else found.quant_method
    return str(getattr(method, "value", method))


def check_quantization(source: str, config: Any, quantization: str | None, aligned_adapter: str | None) -> None:
    """Check that a checkpoint, if its weights are quantised, is of a known method and is asked for nothing that needs plain weights.

    Raises:
        PairError: transformers does not know the method; it would load the weights as if they were plain.
        ConfigError: they are to be quantised again, or to carry an adapter.
    """
    method = quantization_method(config)
    if method is None:
        return
    # bitsandbytes goes there by two names, one for each number of bits.
    if not any(known == method or known.startswith(f"{method}_") for known in AUTO_QUANTIZATION_CONFIG_MAPPING):
        known = ", ".join(sorted(AUTO_QUANTIZATION_CONFIG_MAPPING))
        raise PairError(f"the weights of {source!r} are quantised by {method!r}, which transformers does not know (it knows: {known})")
    if quantization is not None:
        raise ConfigError(
            f"`quantization` must be left out for {source!r}, whose weights are quantised already ({method}), but is {quantization!r}"
        )
    if aligned_adapter is not None:
        raise ConfigError(
            f"`aligned_adapter` needs a base with plain weights, but those of {source!r} are quantised ({method}); use the checkpoint that "
            "it was made of, with quantization='int8' on a CPU"
        )


@contextmanager
def explained_quantization(source: str, read_config: Callable[[], Any]) -> Iterator[None]:
    """Turn what an integration lacks, a package or a device, into `PairError` where the checkpoint that is loaded inside is quantised."""
    try:
        yield
    except (ImportError, RuntimeError, ValueError, NotImplementedError) as error:
        method = quantization_method(read_config())
        if method is None:
            raise
        raise PairError(
            f"the weights of {source!r} are quantised ({method}), and cannot be loaded here: {error}\n(do what it says, or use the "
            "checkpoint that it was made of, with quantization='int8' or 'int4')"
        ) from error
