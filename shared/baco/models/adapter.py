"""An aligned model that is a LoRA adapter of the base (arXiv 2106.09685): one set of weights for both.

peft reads the adapter; small layers of our own then replace peft's, and the base's layers below them may be packed or quantised.
Knows transformers and peft; knows nothing of pairs.
"""

import warnings
from collections.abc import Collection
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.hub import cached_file

from baco.config import PairConfig
from baco.errors import MissingExtraError, PairError
from baco.models.layers.convert import copy_structure
from baco.models.loading import explained, hub_options, load_tokenizer, locate

ADAPTER_FILE = "adapter_config.json"
PLAIN_STARTS = (True, False, "gaussian", "orthogonal", "eva")
"""Initialisations of peft that leave the base's weights unchanged."""
MERGE = "merge it into the base once (peft's merge_and_unload, then save_pretrained) and pass that folder as `aligned`"


class LoraLinear(nn.Module):
    """A layer of the base and a low-rank change of it: base(x) + scaling * B(A(x)), `[..., I] -> [..., O]`."""

    def __init__(self, base: nn.Module, a: Tensor, b: Tensor, scaling: float) -> None:
        """`a` is `[r, I]`, `b` is `[O, r]`."""
        super().__init__()
        self.base = base
        self.a = nn.Parameter(a, requires_grad=False)
        self.b = nn.Parameter(b, requires_grad=False)
        self.scaling = scaling
        self.in_features, self.out_features = a.shape[1], b.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        """Add the low-rank change to the base layer's output."""
        result: Tensor = self.base(x)
        return result + self.scaling * functional.linear(functional.linear(x, self.a), self.b)


def check_adapter(source: str) -> Any:
    """Read an adapter's configuration, before any weight is read.

    Raises:
        MissingExtraError: peft is not installed.
        ModelNotFoundError: the adapter is not there.
        PairError: it is no plain LoRA adapter.
    """
    try:
        from peft import LoraConfig, PeftConfig
    except ImportError as error:
        raise MissingExtraError("peft", "adapters") from error
    name, local = locate(source, ADAPTER_FILE)
    with explained(source):
        config = PeftConfig.from_pretrained(name, **hub_options(local))
    if type(config) is not LoraConfig:
        kind = getattr(config.peft_type, "value", config.peft_type)
        raise PairError(f"the adapter {source!r} is of type {kind}, but `aligned_adapter` takes LoRA only; {MERGE}")
    # The base's own tensors are shared, so nothing in the adapter may replace or rewrite them.
    unusual = {
        "use_dora": config.use_dora,
        f"bias={config.bias!r}": config.bias != "none",
        "lora_bias": config.lora_bias,
        f"init_lora_weights={config.init_lora_weights!r}": config.init_lora_weights not in PLAIN_STARTS,
        "layer_replication": bool(config.layer_replication),
        "target_parameters": bool(config.target_parameters),
        "trainable_token_indices": bool(config.trainable_token_indices),
    }
    found = [what for what, present in unusual.items() if present]
    if found:
        raise PairError(f"the adapter {source!r} has {' and '.join(found)}, which plain LoRA lacks; {MERGE}")
    return config


def load_aligned_tokenizer(config: PairConfig) -> PreTrainedTokenizerBase:
    """The aligned model's tokenizer, with its chat template: of an adapter the one beside it where there is one, else the base's."""
    if config.aligned is not None:
        return load_tokenizer(config.aligned)
    adapter = config.aligned_adapter
    assert adapter is not None, "a configuration has one or the other"
    name, local = locate(adapter, ADAPTER_FILE)
    with explained(adapter):
        beside = cached_file(name, "tokenizer.json", **hub_options(local), _raise_exceptions_for_missing_entries=False)
    return load_tokenizer(config.base) if beside is None else load_tokenizer(adapter, ADAPTER_FILE)


def load_adapted(base: PreTrainedModel, source: str, config: Any, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Make the aligned model: a copy of the base's structure that uses the base's tensors, with the adapter on it.

    The base has plain linear layers, and stays as it is. `config` is what `check_adapter` returned for the adapter `source`. The end
    token of `tokenizer`, the aligned model's, ends an answer as the base's do.

    Raises:
        PairError: the adapter was not made for this base, or changes more than linear layers.
    """
    from peft import PeftModel, set_peft_model_state_dict

    weights = _weights(base, source, config.modules_to_save or ())
    copied = copy_structure(base)
    with warnings.catch_warnings():
        # peft calls transformers by a deprecated name. Users who load a pair can do nothing about it.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        try:
            wrapped = PeftModel(copied, config, autocast_adapter_dtype=False)
            result: Any = set_peft_model_state_dict(wrapped, weights)
        except (RuntimeError, ValueError) as error:
            raise PairError(f"the adapter {source!r} does not fit the base {base.name_or_path!r}: {error}") from error
    # A layer without its change would go unnoticed, and leave the two models the same.
    unmatched = [name for name in result.missing_keys if "lora_" in name] + list(result.unexpected_keys)
    if unmatched:
        raise PairError(f"the adapter {source!r} does not fit the base {base.name_or_path!r}: no match for {', '.join(unmatched[:3])}")
    aligned: Any = wrapped.base_model.model
    _unwrap(aligned, source, base.dtype)
    del aligned.peft_config
    aligned.eval().requires_grad_(False)
    _end_with(aligned, tokenizer)
    return cast(PreTrainedModel, aligned)


def _weights(base: PreTrainedModel, source: str, modules_to_save: Collection[str]) -> dict[str, Tensor]:
    """Read an adapter's own weights.

    peft may store the base's embedding and head beside them. Loading these would write into tensors that the base uses too.

    Raises:
        PairError: such a weight is not the base's.
    """
    from peft.utils import load_peft_weights

    name, local = locate(source, ADAPTER_FILE)
    with explained(source):
        stored: dict[str, Tensor] = load_peft_weights(name, device="cpu", **hub_options(local))
    originals = dict(base.named_parameters(remove_duplicate=False))
    own = {}
    for key, weight in stored.items():
        path = key.removeprefix("base_model.model.").replace(".base_layer.", ".")
        if "lora_" in key or path.rsplit(".", 2)[-2] in modules_to_save:
            own[key] = weight
        elif path not in originals or not torch.equal(originals[path].cpu(), weight.to(originals[path].dtype)):
            raise PairError(f"the adapter {source!r} brings its own {path!r}, beside plain LoRA; {MERGE}")
    return own


def _unwrap(model: nn.Module, source: str, dtype: torch.dtype) -> None:
    """Replace peft's wrappers by our own layers, and by whole modules that came with the adapter."""
    from peft.tuners.lora.layer import Linear
    from peft.utils.other import ModulesToSaveWrapper

    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is Linear and not child.lora_variant:
                (adapter,) = child.active_adapters
                factors: list[Any] = [child.lora_A[adapter], child.lora_B[adapter]]
                a, b = (factor.weight.detach().to(dtype) for factor in factors)
                setattr(parent, name, LoraLinear(child.base_layer, a, b, child.scaling[adapter]))
            elif type(child) is ModulesToSaveWrapper:
                (adapter,) = child.active_adapters
                setattr(parent, name, child.modules_to_save[adapter].to(dtype))
    left = [name for name, module in model.named_modules() if type(module).__module__.startswith("peft.")]
    if left:
        raise PairError(f"the adapter {source!r} changes {left[0]!r}, which is no linear layer; {MERGE}")


def _end_with(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Make the tokenizer's end token end an answer too: the generation config is the base's, which knows no turns."""
    generation: Any = model.generation_config
    if generation is not None and generation.eos_token_id is not None and tokenizer.eos_token_id is not None:
        known = generation.eos_token_id if isinstance(generation.eos_token_id, list) else [generation.eos_token_id]
        generation.eos_token_id = sorted({*known, int(tokenizer.eos_token_id)})
