"""Linear layers for inference that store their weight in another form than `nn.Linear`: their base class, and packed ones.

Knows one layer at a time; knows nothing of models. Weights are never written to, so copies of a layer share them. Only `nn.Linear` is
replaced: embedding tables, heads tied to them and norms stay as they are.
"""

import itertools
import platform
from functools import cache
from pathlib import Path
from typing import Any, Self
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

PACKED_FOR_ROWS = 8
"""Rows for which oneDNN lays out a packed weight. Other numbers of rows work too; 1 would make 8 rows slower and 1 no faster."""
MIN_FLOAT32_WEIGHTS = 2**17
"""Smallest float32 weight that is packed: below it, the call itself costs more than the layout saves at a few rows (measured)."""

_numbers = itertools.count()
_packed: WeakValueDictionary[int, Tensor] = WeakValueDictionary()
"""Packed weights by number: a compiled program cannot take a packed tensor, but can take a number."""

# Not `torch.library.custom_op`, which adds 4 µs to each call in a compiled program (29 µs in place of 25 for a small layer, measured).
_library = torch.library.Library("baco", "DEF")
_library.define("packed_linear(Tensor x, int number, int out_features, Tensor? bias) -> Tensor")


def _packed_linear(x: Tensor, number: int, out_features: int, bias: Tensor | None) -> Tensor:
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, _packed[number], bias, "none", [], "")
    return result


def _packed_linear_shape(x: Tensor, number: int, out_features: int, bias: Tensor | None) -> Tensor:
    return x.new_empty((*x.shape[:-1], out_features))


_library.impl("packed_linear", _packed_linear, "CPU")
torch.library.register_fake("baco::packed_linear", _packed_linear_shape, lib=_library)


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether oneDNN packs and multiplies weights of this type here: on an x86 processor, if a tiny trial succeeds."""
    if dtype not in (torch.float32, torch.bfloat16) or not torch.backends.mkldnn.is_available():
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    weight, x = torch.eye(16, dtype=dtype), torch.arange(32, dtype=dtype).view(2, 16)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, PACKED_FOR_ROWS)
        return torch.equal(torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], ""), x)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False


@cache
def packing_pays(dtype: torch.dtype) -> bool:
    """Whether a packed weight is faster than a plain one for the few rows of a decoding pass (measured on processors of each kind).

    In bfloat16 it is where the processor has instructions for it; elsewhere 2 rows cost 1.5 to 2 times as much. In float32 it is not on
    Intel's, whose MKL is as fast with plain weights for 8 rows or more and 1.2 times as fast for 1 to 3.
    """
    if dtype == torch.bfloat16:
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return not _is_intel()


def _is_intel() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return "GenuineIntel" in (cpuinfo.read_text() if cpuinfo.exists() else platform.processor())


class WeightOnlyLinear(nn.Module):
    """A linear layer `[..., I] -> [..., O]` without a dense weight. The bias is the tensor of the layer that it replaces."""

    in_features: int
    out_features: int
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())
        self.sample: list[float] = linear.weight.detach().flatten()[:4].tolist()
        """The first weights before any change, which tell two models apart."""

    @classmethod
    def takes(cls, linear: nn.Linear) -> bool:
        """Whether this form can, and should, replace the layer."""
        raise NotImplementedError

    @property
    def weight(self) -> Tensor:
        """The dense weight `[O, I]` that this layer represents, in the model's type; made anew by every access."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Sizes, as `nn.Linear` shows them."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Save a plain `nn.Linear`, so that `save_pretrained` writes a folder that anything can load."""
        destination[f"{prefix}weight"] = self.weight
        if self.bias is not None:
            destination[f"{prefix}bias"] = self.bias

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Packed tensors have no storage that torch could copy.
        copied = type(self).__new__(type(self))
        nn.Module.__init__(copied)
        copied.__dict__.update({name: value for name, value in vars(self).items() if name not in vars(copied)})
        copied.train(self.training)._buffers.update(self._buffers)
        memo[id(self)] = copied
        return copied


class PackedLinear(WeightOnlyLinear):
    """The same weight in the blocks that oneDNN computes with (float32 and bfloat16, x86): as exact, faster for a few rows.

    torch makes these blocks anew in every call of `nn.Linear`. They are an opaque tensor, which has a shape but no address.
    """

    packed: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self.register_buffer("packed", torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), PACKED_FOR_ROWS))
        self.number = next(_numbers)
        _packed[self.number] = self.packed

    @classmethod
    def takes(cls, linear: nn.Linear) -> bool:
        """Whether the layer is on a processor that packs its type and gains by it, and not too small to gain."""
        weight = linear.weight
        large = weight.dtype != torch.float32 or weight.numel() >= MIN_FLOAT32_WEIGHTS
        return large and weight.device.type == "cpu" and can_pack(weight.dtype) and packing_pays(weight.dtype)

    @property
    def weight(self) -> Tensor:
        """The dense weight `[O, I]`, bit for bit the one that was packed."""
        return self.packed.to_dense()

    def forward(self, x: Tensor) -> Tensor:
        """Multiply `[..., I]` with the weight."""
        if torch.compiler.is_compiling():
            traced: Tensor = torch.ops.baco.packed_linear(x, self.number, self.out_features, self.bias)
            return traced
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")
        return result
