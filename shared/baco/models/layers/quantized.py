"""Linear layers for inference that store their weight in 8 or in 4 bits.

Knows one layer at a time; knows nothing of models.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from baco.models.layers.linear import WeightOnlyLinear

MULTIPLE_OF = 32
"""Input features must be a multiple: the 8-bit kernel reads past the end of other rows, the 4-bit kernel has no smaller group."""
INT4_OUTPUTS_MULTIPLE_OF = 16
GROUP_SIZE = 32
"""Weights that share a scale and a zero point in 4 bits. 64 and 128 would take 6 and 9 % less memory of the embedded pair, and move its
base model's next-token distributions 1.1 and 1.4 times as far (measured with `benchmarks/quantization.py`)."""
MAX_INT8_ROWS = 16
"""Most rows for which the 8-bit kernel, which takes one row at a time, is faster than a product with a dense weight (measured)."""
BLOCK = 1024
"""Output features that are made dense at a time, which bounds the extra memory of a call."""


class Int8Linear(WeightOnlyLinear):
    """The weight in 8 bits, with one scale for every output feature: `weight[o] ~ codes[o] * scales[o]`, codes in [-127, 127].

    A few rows in bfloat16 on a CPU go to torch's kernel. In all other cases the codes are made dense numbers of the model's type, a block
    at a time: that saves memory, not time. (torch's kernel also takes float32, but is ten times slower there.)
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        codes, scales = quantize_int8(linear.weight.detach())
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)

    @classmethod
    def takes(cls, linear: nn.Linear) -> bool:
        """Whether the kernel supports the layer's size."""
        return linear.in_features % MULTIPLE_OF == 0

    @property
    def weight(self) -> Tensor:
        """The dense weight `[O, I]` that the codes stand for."""
        return self.codes.to(self.scales.dtype) * self.scales[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """Multiply `[..., I]` with the weight."""
        rows = x.reshape(-1, self.in_features)
        if x.device.type == "cpu" and x.dtype == torch.bfloat16 and len(rows) <= MAX_INT8_ROWS:
            result: Tensor = torch.ops.aten._weight_int8pack_mm(rows.contiguous(), self.codes, self.scales)
        else:
            # The scales belong to the outputs, so they can follow the product.
            blocks = [functional.linear(rows, codes.to(x.dtype)) for codes in self.codes.split(BLOCK)]
            result = torch.cat(blocks, dim=-1) * self.scales
        return _with_bias(result, self.bias, x)


class Int4Linear(WeightOnlyLinear):
    """The weight in 4 bits, with a scale and a zero point for every group of 32 weights along the input.

    In bfloat16 on a CPU the codes are laid out for torch's kernel. Elsewhere a byte holds two codes, and every call makes them dense, a
    block at a time: that saves memory, not time.
    """

    codes: Tensor
    scales_and_zeros: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        weight = linear.weight.detach()
        self.for_kernel = weight.device.type == "cpu" and weight.dtype == torch.bfloat16
        codes, scales_and_zeros = quantize_int4(weight)
        first, second = codes.chunk(2, dim=1)
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes.int(), 1) if self.for_kernel else first | (second << 4)
        self.register_buffer("codes", packed)
        self.register_buffer("scales_and_zeros", scales_and_zeros)

    @classmethod
    def takes(cls, linear: nn.Linear) -> bool:
        """Whether the kernel supports the layer's size."""
        return linear.in_features % MULTIPLE_OF == 0 and linear.out_features % INT4_OUTPUTS_MULTIPLE_OF == 0

    @property
    def weight(self) -> Tensor:
        """The dense weight `[O, I]` that the codes stand for."""
        if self.for_kernel:
            # Only the kernel knows its layout: its product with the unit vectors is the transposed weight.
            return self._kernel(torch.eye(self.in_features, dtype=self.scales_and_zeros.dtype)).t().contiguous()
        return self._dense(slice(None))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply `[..., I]` with the weight."""
        rows = x.reshape(-1, self.in_features)
        if self.for_kernel:
            return _with_bias(self._kernel(rows.contiguous()), self.bias, x)
        starts = range(0, self.out_features, BLOCK)
        result = torch.cat([functional.linear(rows, self._dense(slice(start, start + BLOCK))) for start in starts], dim=-1)
        return _with_bias(result, self.bias, x)

    def _kernel(self, rows: Tensor) -> Tensor:
        result: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self.codes, GROUP_SIZE, self.scales_and_zeros)
        return result

    def _dense(self, outputs: slice) -> Tensor:
        """Some outputs' weights, from two codes a byte: the first half of a row in the low bits, the second in the high ones."""
        packed = self.codes[outputs]
        codes = torch.cat([packed & 15, packed >> 4], dim=1)
        return dequantize_int4(codes, self.scales_and_zeros[:, outputs])


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round `[O, I]` to codes (int8) times one scale per row `[O]`, in the weight's type; off by at most half a scale."""
    scales = (weight.abs().amax(dim=1).float() / 127).clamp(min=torch.finfo(weight.dtype).tiny).to(weight.dtype)
    # Rounding to the scale as it is stored, not as it was computed, keeps the error within half of it.
    codes = (weight.float() / scales.float()[:, None]).round().clamp(-127, 127)
    return codes.to(torch.int8), scales


def quantize_int4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round `[O, I]` to codes (uint8, 0 to 15) between each group's smallest and largest weight.

    Returns:
        The codes `[O, I]`, and scales and zero points `[I / 32, O, 2]` in the weight's type: (code - 8) * scale + zero, as torch's
        kernel reads them (its zero point is the weight of code 8).
    """
    groups = weight.float().view(weight.shape[0], -1, GROUP_SIZE)
    low, high = groups.amin(dim=2), groups.amax(dim=2)
    scales = ((high - low) / 15).clamp(min=torch.finfo(weight.dtype).tiny).to(weight.dtype)
    zeros = (low + 8 * scales.float()).to(weight.dtype)
    codes = ((groups - zeros.float()[..., None]) / scales.float()[..., None]).round().add(8).clamp(0, 15)
    return codes.to(torch.uint8).view(weight.shape), torch.stack([scales.t(), zeros.t()], dim=-1).contiguous()


def dequantize_int4(codes: Tensor, scales_and_zeros: Tensor) -> Tensor:
    """The dense weight `[O, I]` of codes `[O, I]` and scales and zero points `[I / 32, O, 2]`, in the latter's type."""
    scales, zeros = scales_and_zeros.transpose(0, 1).unbind(dim=-1)
    groups = codes.view(*scales.shape, -1).to(scales.dtype) - 8
    return (groups * scales[..., None] + zeros[..., None]).view(codes.shape)


def _with_bias(result: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    result = result.view(*x.shape[:-1], result.shape[-1])
    return result if bias is None else result + bias
