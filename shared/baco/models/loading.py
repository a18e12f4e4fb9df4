"""From a folder or hub id to a model and a tokenizer on a device. Knows transformers; knows nothing of pairs.

A folder never touches the hub. Nothing is loaded at import.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from baco.config import Quantization
from baco.errors import ConfigError, MissingExtraError, ModelNotFoundError, PairError
from baco.models.quantized_checkpoint import explained_quantization, quantization_method

SMALL_HIDDEN_SIZE = 512
NO_WINDOW = 2**20
"""Tokens that models without positions may read (our own choice)."""
MODEL_FILE = "config.json"
"""The file that every model folder has."""

_token: ContextVar[str | None] = ContextVar("baco_hub_token", default=None)


def resolve_device(device: str) -> torch.device:
    """Turn "auto" into CUDA, then MPS, then CPU; check that a named device is there.

    Raises:
        ConfigError: the named device is not available.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    if not available[device.split(":")[0]]:
        present = ", ".join(kind for kind, here in available.items() if here)
        raise ConfigError(f"`device` is {device!r}, but torch finds only: {present}; use device='auto' or install a torch build for it")
    return torch.device(device)


def resolve_dtype(dtype: str, device: torch.device, hidden_size: int) -> torch.dtype:
    """Turn "auto" into the fastest exact-enough type (our own choice).

    CUDA: bfloat16 where the hardware has it, else float16. MPS: float16. CPU: bfloat16 where it has the instructions and the model is
    too large for the caches (hidden size of at least 512), else float32.
    """
    if dtype != "auto":
        return cast(torch.dtype, getattr(torch, dtype))
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast and hidden_size >= SMALL_HIDDEN_SIZE else torch.float32


def locate(source: str, needed: str = MODEL_FILE) -> tuple[str, bool]:
    """Tell a folder from a hub id: return what transformers should load, and whether it is local.

    Raises:
        ModelNotFoundError: it reads as a path, but there is no such folder, or the folder lacks the `needed` file.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        if not (path / needed).is_file():
            kind = "a transformers model" if needed == MODEL_FILE else "an adapter"
            raise ModelNotFoundError(f"the folder {source!r} has no {needed}, so it is not {kind} folder")
        return str(path), True
    if source.startswith((".", "~", os.sep)) or source.count("/") != 1 or path.exists():
        raise ModelNotFoundError(
            f"there is no model folder {source!r}; give a folder made by save_pretrained, a hub id like 'org/name', or a preset"
        )
    return source, False


@contextmanager
def hub_token(token: str | None) -> Iterator[None]:
    """Use this hub token inside the block; None uses that of `hf auth login` or HF_TOKEN."""
    reset = _token.set(token)
    try:
        yield
    finally:
        _token.reset(reset)


def hub_options(local: bool) -> dict[str, Any]:
    """Arguments that tell transformers and peft where to look for files: where `local`, never at the hub."""
    return {"local_files_only": local, "token": _token.get()}


def load_config(source: str) -> Any:
    """Read a model's configuration, before any weight is read."""
    name, local = locate(source)
    with explained(source):
        return AutoConfig.from_pretrained(name, **hub_options(local))


def context_window(*configs: Any) -> int:
    """Longest prompt and answer together that models of all these configurations can read, in tokens: the smallest of their windows.

    A model without positions reads texts of any length; where no model has some, the window is `NO_WINDOW`.
    """
    windows = (getattr(config.get_text_config(), "max_position_embeddings", None) for config in configs)
    return min((int(window) for window in windows if window is not None and window > 0), default=NO_WINDOW)


def load_model(source: str, device: torch.device, dtype: torch.dtype, quantization: Quantization | None = None) -> PreTrainedModel:
    """Load a causal language model from a folder or hub id, for inference; of a model of images and text, the text model.

    On CUDA, bitsandbytes quantises the linear layers while they load. Elsewhere `convert_layers` does it afterwards.

    Raises:
        ModelNotFoundError: there is no such model.
        MissingExtraError: bitsandbytes is needed and not installed.
        PairError: its weights are quantised already, in a way that cannot be loaded here.
    """
    name, local = locate(source)
    placed: dict[str, Any]
    if quantization is not None and device.type == "cuda":
        if importlib.util.find_spec("bitsandbytes") is None:
            raise MissingExtraError("bitsandbytes", "quant")
        # A quantised model cannot be moved, so its device is given now.
        placed = {"quantization_config": _bits_and_bytes(quantization, dtype), "device_map": {"": device}}
    elif device.type == "cuda" and quantization_method(load_config(source)) is not None:
        placed = {"device_map": {"": device}}
    else:
        placed = {}
    with explained(source), explained_quantization(source, lambda: load_config(source)), _quiet():
        loader = AutoModelForImageTextToText if _is_wrapped(load_config(source)) else AutoModelForCausalLM
        model: PreTrainedModel = loader.from_pretrained(name, dtype=dtype, **hub_options(local), **placed)
    _drop_encoders(model)
    if not placed:
        model.to(device)  # type: ignore[arg-type]
    model.eval().requires_grad_(False)
    return model


def _is_wrapped(config: PreTrainedConfig) -> bool:
    """Whether a text model comes only inside a model of images and text."""
    return type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING and type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def _drop_encoders(model: PreTrainedModel) -> None:
    """Free everything of a model of images (or sounds) and text that only images and sounds go through."""
    if model.config is not model.config.get_text_config() and (text := model.get_decoder()) is not model:
        body = model.base_model
        for name, child in list(body.named_children()):
            if child is not text and text not in child.modules():
                setattr(body, name, None)


def _bits_and_bytes(quantization: Quantization, dtype: torch.dtype) -> BitsAndBytesConfig:
    """The library's own defaults (LLM.int8(), arXiv 2208.07339), and NF4 with double quantisation (QLoRA, arXiv 2305.14314)."""
    if quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype)


def load_tokenizer(source: str, needed: str = MODEL_FILE) -> PreTrainedTokenizerBase:
    """Load a tokenizer of the `tokenizers` library from a folder that holds the `needed` file, or from the hub.

    Where a folder has Mistral's tekken.json beside tokenizer.json, the latter is read, whether mistral-common is installed or not.

    Raises:
        PairError: the model has only a tokenizer in Python, or one of mistral-common.
    """
    name, local = locate(source, needed)
    with explained(source):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name, mistral_format=False, **hub_options(local))
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise PairError(
            f"the tokenizer of {source!r} is a {type(tokenizer).__name__}, which is not one of the tokenizers library; load a copy of the "
            "model whose folder has a tokenizer.json, and whose tokenizer_config.json does not name that class"
        )
    # It would warn about texts longer than the window. We may only want to count them, and raise an error of our own otherwise.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer


def embedding_rows(model: PreTrainedModel) -> int:
    """Number of token ids that a model can read."""
    embedding: Any = model.get_input_embeddings()
    return int(embedding.weight.shape[0])


def logit_columns(model: PreTrainedModel) -> int:
    """Number of token ids that a model can score."""
    head: Any = model.get_output_embeddings()
    # A quantised or packed head would make a dense weight only to show its shape.
    return int(head.out_features if hasattr(head, "out_features") else head.weight.shape[0])


@contextmanager
def explained(source: str) -> Iterator[None]:
    """Turn the errors that transformers raises for a model that it cannot load into `ModelNotFoundError`."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(
            f"cannot load {source!r}: {error}\n(a hub model needs network access once, and a token or `hf auth login` if it is gated; a "
            "folder needs config.json, model.safetensors and tokenizer.json)"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide transformers' progress bar while weights load."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
