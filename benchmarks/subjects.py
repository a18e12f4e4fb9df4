"""A pair as the benchmark meets it: in an engine, as any user's folders would be loaded, and as plain models of transformers.

Knows how pairs load; knows nothing of how they are timed.
"""

import copy
import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from baco import Engine, ModelPair
from baco.models.loading import resolve_device
from benchmarks.random_pair import Shape, save_random_pair

MAX_ROWS = 32


class Save(Protocol):
    """Makes two models of a shape and saves them."""

    def __call__(self, shape: Shape, folder: Path, /, *, device: torch.device, dtype: torch.dtype) -> tuple[str, str]:
        """Return the folders of the base and of the aligned model."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the methods run on. No answer of it ends by itself."""

    name: str
    engine: Engine
    """Over the pair as `ModelPair.from_pretrained` gives it: with layers packed for inference, where the library does that."""
    base: PreTrainedModel
    """The same weights as transformers loads them: what somebody has who does not use this library."""
    aligned: PreTrainedModel

    @property
    def device(self) -> torch.device:
        """Where all models are."""
        return self.engine.pair.device

    @property
    def title(self) -> str:
        """Name, parameters of each model, and number type."""
        count = sum(weight.numel() for weight in self.aligned.parameters())
        return f"{self.name}, 2 x {count / 1e6:.0f} M, {str(self.aligned.dtype).removeprefix('torch.')}"


def load_subject(name: str, pair: ModelPair) -> Subject:
    """Put a pair that was loaded from folders into an engine, and load its models a second time, as transformers does it."""
    assert pair.config is not None and pair.config.aligned is not None, "the pair must come from two folders"
    base, aligned = (_without_end(_plain(folder, pair)) for folder in (pair.config.base, pair.config.aligned))
    return Subject(name=name, engine=Engine(endless(pair), max_batch_size=MAX_ROWS), base=base, aligned=aligned)


@contextmanager
def embedded_subject(device: str, compile: bool = False) -> Iterator[Subject]:
    """The pair that comes with the package, in float32."""
    yield load_subject("embedded", ModelPair.from_pretrained(device=device, dtype="float32", compile=compile))


@contextmanager
def made_subject(
    name: str, shape: Shape, device: str, dtype: str, save: Save = save_random_pair, *, compile: bool = False
) -> Iterator[Subject]:
    """Models made by `save`, for as long as they are needed."""
    with tempfile.TemporaryDirectory() as folder:
        base, aligned = save(shape, Path(folder), device=resolve_device(device), dtype=getattr(torch, dtype))
        pair = ModelPair.from_pretrained(base=base, aligned=aligned, device=device, dtype=dtype, compile=compile)
        try:
            yield load_subject(name, pair)
        finally:
            pair.unload()
            del pair
            gc.collect()


def endless(pair: ModelPair) -> ModelPair:
    """Copy a pair so that no answer ends by itself: neither generation configuration nor tokenizer names an end token.

    The copy shares the weights; the pair itself stays as it is.
    """
    tokenizer = copy.deepcopy(pair.tokenizer)
    tokenizer.eos_token = None
    base, aligned = _without_end(pair.base), _without_end(pair.aligned)
    return ModelPair.from_models(base, aligned, tokenizer, name=pair.name, compile=pair.compile)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide what transformers has to say on the way, and its bars over weights: the benchmark has a bar of its own."""
    shown, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()


def _plain(folder: str, pair: ModelPair) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=pair.dtype)
    model.to(pair.device)  # type: ignore[arg-type]
    model.eval().requires_grad_(False)
    return model


def _without_end(model: PreTrainedModel) -> PreTrainedModel:
    model = copy.copy(model)
    model.generation_config = copy.deepcopy(model.generation_config)
    if model.generation_config is not None:
        model.generation_config.eos_token_id = None
    return model
