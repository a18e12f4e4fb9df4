"""`ModelPair`: a base and an aligned model with one vocabulary, loaded once per process.

Knows models and tokenizers; knows nothing of prompts, routing or decoding.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from baco.checks import require
from baco.config import PairConfig
from baco.errors import ConfigError
from baco.models.adapter import check_adapter, load_adapted, load_aligned_tokenizer
from baco.models.info import PairInfo
from baco.models.layer_kinds import layer_kinds
from baco.models.layers.convert import convert_layers, share_equal_tensors, tensor_bytes
from baco.models.layers.linear import WeightOnlyLinear
from baco.models.loading import (
    context_window,
    embedding_rows,
    hub_token,
    load_config,
    load_model,
    load_tokenizer,
    logit_columns,
    resolve_device,
    resolve_dtype,
)
from baco.models.presets import preset_of
from baco.models.quantized_checkpoint import check_quantization
from baco.models.resolve import resolve
from baco.models.sampling import recommended_sampling
from baco.results import Model
from baco.vocab.compatibility import check_vocabularies
from baco.vocab.lexicon import Lexicon

_registry: dict[PairConfig, "ModelPair"] = {}
_registry_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelPair:
    """Two causal language models of one family and their tokenizers. Use `from_pretrained` or `from_models`."""

    info: PairInfo
    """What is known of the pair without its models."""
    base: PreTrainedModel
    aligned: PreTrainedModel
    compile: bool = False
    """Whether decoding passes are compiled with `torch.compile`."""
    unload_callbacks: list[Callable[[], None]] = field(default_factory=list, init=False, repr=False, compare=False)
    """Called by `unload`."""

    @classmethod
    def from_pretrained(
        cls,
        pair: str | None = None,
        *,
        base: str | None = None,
        aligned: str | None = None,
        aligned_adapter: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        quantization: str | None = None,
        compile: bool = False,
        token: str | None = None,
    ) -> "ModelPair":
        """Load a pair, or return it if this process holds it already.

        Args:
            pair: a preset (see `baco.models.presets`), "base|aligned" with two folders or hub ids, or None.
            base: folder or hub id of the base model, with `aligned` or `aligned_adapter`.
            aligned: folder or hub id of the aligned model. With no argument at all, the embedded pair is loaded.
            aligned_adapter: instead of `aligned`, folder or hub id of a plain LoRA adapter of the base (needs peft). Both models use
                one set of weights. The adapter's tokenizer is used where it has one.
            device: "auto" (CUDA, then MPS, then CPU) or a device.
            dtype: "auto", "float32", "bfloat16" or "float16".
            quantization: None, "int8" or "int4": weight-only quantisation of the linear layers. Embeddings, heads tied to them, norms
                and layers of odd sizes stay in `dtype`. It saves memory; on a CPU it saves time only in bfloat16 and for a few rows, and
                costs time otherwise (int4 in float32 most). On CUDA, bitsandbytes does it.
            compile: compile decoding passes with `torch.compile`, which needs a C++ compiler. The first answers wait for it: half a minute
                or more for each of up to four programs, a few seconds where torch finds one in its cache on disk. It saves launch
                overhead: much of a small model's time, little of the time of one that is bound by memory bandwidth.
            token: hub token for gated models; None uses that of `hf auth login` or HF_TOKEN.

        Raises:
            ConfigError: arguments that contradict each other or are out of range.
            ModelNotFoundError: there is no such folder, hub id or preset.
            VocabularyError: the two models do not share a vocabulary.
            UnsupportedModelError: a model has layers that the decode loop cannot run.
            PairError: the adapter does not fit, or is more than plain LoRA; or weights are quantised already, in a way that cannot be
                loaded here.
            MissingExtraError: peft or bitsandbytes is needed and not installed.
        """
        how: dict[str, Any] = {"device": device, "dtype": dtype, "quantization": quantization, "compile": compile, "token": token}
        name, config = resolve(pair, base, aligned, aligned_adapter, **how)
        config = replace(config, device=str(resolve_device(config.device)))
        with _registry_lock:
            if config not in _registry:
                with hub_token(token):
                    _registry[config] = cls._load(name, config)
            return _registry[config]

    @classmethod
    def from_models(
        cls,
        base: PreTrainedModel,
        aligned: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        base_tokenizer: PreTrainedTokenizerBase | None = None,
        *,
        name: str = "in-memory",
        compile: bool = False,
    ) -> "ModelPair":
        """Make a pair of two models that are in memory already; `tokenizer` is the aligned model's.

        The models are used as they are: nothing in them is packed, quantised or shared.

        Raises:
            VocabularyError: the two models do not share a vocabulary.
            UnsupportedModelError: a model has layers that the decode loop cannot run.
            ConfigError: the models are on two devices, or `compile` is not a bool.
        """
        base_tokenizer = base_tokenizer or tokenizer
        check_vocabularies(base_tokenizer, tokenizer)
        for model in (base, aligned):
            layer_kinds(model.config)
        require(base.device == aligned.device, "aligned", f"on the base model's device ({base.device})", str(aligned.device))
        require(isinstance(compile, bool), "compile", "True or False", compile)
        return cls(info=_describe(name, None, base, aligned, tokenizer, base_tokenizer), base=base, aligned=aligned, compile=compile)

    @classmethod
    def _load(cls, name: str, config: PairConfig) -> "ModelPair":
        # Cheap checks first: both models must exist and fit together before any weight is read.
        sources = [source for source in (config.base, config.aligned) if source is not None]
        configs = [load_config(source) for source in sources]
        for source, read in zip(sources, configs, strict=True):
            check_quantization(source, read, config.quantization, config.aligned_adapter)
        base_tokenizer, tokenizer = load_tokenizer(config.base), load_aligned_tokenizer(config)
        check_vocabularies(base_tokenizer, tokenizer)
        for one in configs:
            layer_kinds(one)
        device = torch.device(config.device)
        dtype = resolve_dtype(config.dtype, device, max(c.get_text_config().hidden_size for c in configs))
        base, aligned = _load_models(config, device, dtype, tokenizer)
        info = _describe(name, config, base, aligned, tokenizer, base_tokenizer)
        return cls(info=info, base=base, aligned=aligned, compile=config.compile)

    def unload(self) -> None:
        """Drop the pair from the registry, so that its memory is freed once nothing else refers to it. Running requests finish."""
        with _registry_lock:
            for config in [config for config, pair in _registry.items() if pair is self]:
                del _registry[config]
        for call in self.unload_callbacks:
            call()

    def model(self, which: Model) -> PreTrainedModel:
        """The base or the aligned model."""
        return self.base if which == "base" else self.aligned

    @property
    def device(self) -> torch.device:
        """Where both models are."""
        return self.aligned.device

    @property
    def dtype(self) -> torch.dtype:
        """The aligned model's number type."""
        return self.aligned.dtype

    @property
    def name(self) -> str:
        """The preset's name, "base|aligned", "base+adapter" or the name that `from_models` was given."""
        return self.info.name

    @property
    def config(self) -> PairConfig | None:
        """What was loaded, or None for models that came from memory."""
        return self.info.config

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The aligned model's tokenizer, with the chat template."""
        return self.info.tokenizer

    @property
    def base_tokenizer(self) -> PreTrainedTokenizerBase:
        """The base model's tokenizer."""
        return self.info.base_tokenizer

    @property
    def vocab_size(self) -> int:
        """Number of token ids that either model can score, V."""
        return self.info.vocab_size

    @property
    def context_window(self) -> int:
        """Longest prompt and answer together, in tokens: the smaller of the two models' windows."""
        return self.info.context_window

    def end_ids(self, which: Model) -> frozenset[int]:
        """Ids that end an answer of this model: its generation config's, else its tokenizer's."""
        return self.info.end_ids(which)

    @cached_property
    def lexicon(self) -> Lexicon:
        """Token classes over the vocabulary, on the models' device."""
        return self.info.lexicon.to(self.device)

    def fingerprint(self) -> str:
        """Hash the shapes, and a few weights of every tensor, of both models: 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for model in (self.base, self.aligned):
            parts = [type(model).__name__, str(model.dtype)]
            parts += [f"{name}{tuple(p.shape)}{p.flatten()[:4].tolist()}" for name, p in model.named_parameters()]
            layers = [(name, module) for name, module in model.named_modules() if isinstance(module, WeightOnlyLinear)]
            parts += [f"{name}{type(layer).__name__}{layer.out_features, layer.in_features}{layer.sample}" for name, layer in layers]
            digest.update("\n".join(parts).encode())
        return digest.hexdigest()[:16]

    def memory(self) -> dict[str, int]:
        """Bytes that the weights take: "base", "aligned", and "total" with shared tensors counted once."""
        sizes = {which: tensor_bytes(self.model(which)) for which in ("base", "aligned")}
        merged = sizes["base"] | sizes["aligned"]
        return {which: sum(tensors.values()) for which, tensors in sizes.items()} | {"total": sum(merged.values())}


def _describe(
    name: str,
    config: PairConfig | None,
    base: PreTrainedModel,
    aligned: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    base_tokenizer: PreTrainedTokenizerBase,
) -> PairInfo:
    return PairInfo(
        name=name,
        config=config,
        tokenizer=tokenizer,
        base_tokenizer=base_tokenizer,
        vocab_size=max(logit_columns(base), logit_columns(aligned)),
        base_embedding_rows=embedding_rows(base),
        context_window=context_window(base.config, aligned.config),
        base_end_ids=_end_ids(base, base_tokenizer),
        aligned_end_ids=_end_ids(aligned, tokenizer),
        sampling=recommended_sampling(aligned.generation_config, None if config is None else preset_of(config.base, config.aligned)),
    )


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    generation: Any = model.generation_config
    ids = generation.eos_token_id if generation is not None else None
    if ids is None:
        ids = tokenizer.eos_token_id
    return frozenset() if ids is None else frozenset({ids} if isinstance(ids, int) else ids)


def loaded_pair(config: PairConfig) -> ModelPair | None:
    """The pair of a configuration, if this process holds it."""
    with _registry_lock:
        return _registry.get(replace(config, device=str(resolve_device(config.device))))


def _load_models(
    config: PairConfig, device: torch.device, dtype: torch.dtype, tokenizer: PreTrainedTokenizerBase
) -> tuple[PreTrainedModel, PreTrainedModel]:
    """Load both models, convert their linear layers for inference, and share equal tensors."""
    # On CUDA, bitsandbytes quantises while it loads.
    form = None if device.type == "cuda" else config.quantization
    if config.aligned is None:
        assert config.aligned_adapter is not None, "a configuration has one or the other"
        if config.quantization is not None and device.type == "cuda":
            raise ConfigError("`quantization` and `aligned_adapter` do not go together on CUDA; use dtype='bfloat16', or device='cpu'")
        adapter = check_adapter(config.aligned_adapter)
        base = load_model(config.base, device, dtype)
        aligned = load_adapted(base, config.aligned_adapter, adapter, tokenizer)
        convert_layers([base, aligned], form)
    else:
        base = load_model(config.base, device, dtype, config.quantization)
        # Convert before the other model is read, so that two unconverted models are never in memory at once.
        convert_layers([base], form)
        aligned = load_model(config.aligned, device, dtype, config.quantization)
        convert_layers([aligned], form)
        share_equal_tensors(base, aligned)
    return base, aligned
