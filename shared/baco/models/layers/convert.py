"""Memory of a pair's models: layers converted for inference, equal tensors shared, bytes counted.

Knows modules and tensors; knows nothing of where models come from or what they are for.
"""

import copy
from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor, nn

from baco.config import Quantization
from baco.models.layers.linear import PackedLinear, WeightOnlyLinear
from baco.models.layers.norm import FusedRMSNorm
from baco.models.layers.quantized import Int4Linear, Int8Linear

FORMS: dict[Quantization | None, type[WeightOnlyLinear]] = {None: PackedLinear, "int8": Int8Linear, "int4": Int4Linear}

Copied = TypeVar("Copied", bound=nn.Module)

Place = tuple[nn.Module, str, nn.Module]
"""A parent, the name of its child, and the child."""


def convert_layers(models: Sequence[nn.Module], quantization: Quantization | None) -> None:
    """Convert the layers of models, all on one device, for inference, in place: packed or quantised, and with fused norms."""
    replace_linears(models, quantization)
    copy_out_of_mmap(models)
    if next(models[0].parameters()).device.type == "cuda":  # elsewhere torch runs a fused norm in the same steps
        fuse_norms(models)


def replace_linears(models: Sequence[nn.Module], quantization: Quantization | None) -> None:
    """Replace the linear layers of models, in place: quantised, or packed where the processor gains by it.

    Weights are converted one at a time, so that never more than one exists in both forms. A weight that several layers share, in one
    model or in two, is converted once, and the layers share the result. A weight stays as it is where anything but a linear layer uses it
    too (a head tied to the embedding), and where the form does not support its size.
    """
    form = FORMS[quantization]
    groups = _by_weight(models)
    while groups:
        _, places = groups.popitem()
        first = places[0][2]
        if all(type(child) is nn.Linear and child.bias is first.bias for _, _, child in places) and form.takes(first):  # type: ignore[arg-type]
            converted = form(first).train(first.training)  # type: ignore[arg-type]
            for parent, name, _ in places:
                setattr(parent, name, converted)


def copy_out_of_mmap(models: Sequence[nn.Module]) -> None:
    """Copy tensors out of a memory-mapped weight file, in place.

    In such a file tensors are not aligned, so that matrix products of 2 rows take 1.2 times as long (measured, bfloat16); and one tensor
    keeps the pages of all the others in memory.
    """
    tensors = chain.from_iterable(chain(model.parameters(), model.buffers()) for model in models)
    for tensor in {id(tensor): tensor for tensor in tensors}.values():
        if tensor.device.type == "cpu" and not tensor.is_mkldnn:
            tensor.data = tensor.data.clone()


def fuse_norms(models: Sequence[nn.Module]) -> None:
    """Replace root-mean-square norms by fused ones, in place, wherever that gives the same numbers."""
    for parent in [module for model in models for module in model.modules()]:
        for name, child in parent._modules.items():
            fused = None if child is None else FusedRMSNorm.like(child)
            if fused is not None:
                setattr(parent, name, fused)


def _by_weight(models: Sequence[nn.Module]) -> dict[int, list[Place]]:
    """All modules that have a parameter named `weight`, by the identity of that parameter."""
    groups: dict[int, list[Place]] = {}
    for parent in chain.from_iterable(model.modules() for model in models):
        for name, child in parent._modules.items():
            weight = None if child is None else child._parameters.get("weight")
            if child is not None and weight is not None:
                groups.setdefault(id(weight), []).append((parent, name, child))
    return groups


def share_equal_tensors(kept: nn.Module, other: nn.Module) -> None:
    """Make `other` use the tensors of `kept` wherever name, type, shape and every bit agree.

    Tensors that carry state of their own, as those of bitsandbytes do, are left alone.
    """
    modules = dict(kept.named_modules())
    for name, module in other.named_modules():
        twin = modules.get(name)
        if twin is None or type(twin) is not type(module):
            continue
        for theirs, ours in ((twin._parameters, module._parameters), (twin._buffers, module._buffers)):
            for key, tensor in ours.items():
                original = theirs.get(key)
                if tensor is not None and original is not None and _same_bits(original, tensor):
                    ours[key] = original


def _same_bits(left: Tensor, right: Tensor) -> bool:
    if left is right:
        return True
    if not {type(left), type(right)} <= {Tensor, nn.Parameter}:
        return False
    if any(getattr(left, what) != getattr(right, what) for what in ("dtype", "shape", "device", "layout")):
        return False
    # As bytes: -0.0 equals 0.0, and no NaN equals itself.
    return torch.equal(*(tensor.to_dense().reshape(-1).view(torch.uint8) for tensor in (left, right)))


def copy_structure(model: Copied) -> Copied:
    """Copy a model's modules and settings, but not its tensors, which both then use."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())})


def tensor_bytes(model: nn.Module) -> dict[object, int]:
    """Bytes of a model's tensors by their identity, so that a tensor of two models has one key."""
    return dict(_identified(tensor) for tensor in chain(model.parameters(), model.buffers()))


def _identified(tensor: Tensor) -> tuple[object, int]:
    if tensor.is_mkldnn:
        # A packed tensor has no address; its blocks may be larger than its shape.
        return ("packed", id(tensor)), torch.ops.mkldnn._nbytes(tensor)
    return tensor.data_ptr(), tensor.nbytes
