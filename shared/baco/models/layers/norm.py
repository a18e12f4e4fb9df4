"""Root-mean-square normalisation in one operation of torch, in place of the half dozen that transformers' modules launch.

Knows one layer at a time; knows nothing of models.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class FusedRMSNorm(nn.Module):
    """`x / sqrt(mean(x²) + eps) * weight` over the last dimension; the weight is the tensor of the layer that it replaces."""

    weight: nn.Parameter

    def __init__(self, weight: nn.Parameter, eps: float) -> None:
        super().__init__()
        self.weight = weight
        self.eps = eps

    @classmethod
    def like(cls, norm: nn.Module) -> "FusedRMSNorm | None":
        """A replacement for a layer, or None if it is no such norm.

        Layers of this name differ between families: some add one to their weight, some normalise in parts. So the replacement must
        give the same numbers on a trial, up to rounding.
        """
        weight, eps = norm._parameters.get("weight"), getattr(norm, "variance_epsilon", getattr(norm, "eps", None))
        if not type(norm).__name__.endswith("RMSNorm") or weight is None or weight.dim() != 1 or not isinstance(eps, float):
            return None
        fused = cls(weight, eps)
        with torch.inference_mode():
            size = len(weight)
            trial = torch.linspace(-3, 5, 2 * size, device=weight.device).sin().view(2, size).to(weight.dtype)
            expected, found = norm(trial), fused(trial)
        rounding = 4 * torch.finfo(weight.dtype).eps
        same = expected.shape == found.shape and torch.allclose(found.float(), expected.float(), rtol=rounding, atol=rounding)
        return fused.train(norm.training) if same else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[..., D]`."""
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)

    def extra_repr(self) -> str:
        """Size and epsilon, as transformers shows them."""
        return f"{tuple(self.weight.shape)}, eps={self.eps}"
