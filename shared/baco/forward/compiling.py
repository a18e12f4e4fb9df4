"""`CompiledPass`: a model's padded passes through `torch.compile`, with dynamic numbers of rows, tokens and positions.

Compiling a program takes about half a minute; torch caches it on disk. Knows tensors and one model; knows nothing of what is in a pass.
"""

import itertools
import types
import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.fx.experimental import _config
from tqdm import tqdm

from baco.forward.attention import packed_attention
from baco.forward.cuda import is_out_of_memory
from baco.forward.model_pass import ModelPass
from baco.forward.padding import PaddedPass
from baco.forward.slot_cache import SlotCache

BACKEND = "inductor"
"""The backend of `torch.compile`."""

_numbers = itertools.count()


class CompiledPass:
    """Runs padded passes of one model, as `ModelPass` does.

    torch specialises on a size of 1. So passes of one row and passes of several rows have a program each, which must be compiled before
    the first such pass, and all other sizes must be at least 2: tokens of a row, slots, kept logits.
    """

    def __init__(self, plain: ModelPass) -> None:
        def run(numbers: Tensor, keys: Tensor, cache: SlotCache, keep: int | Tensor) -> Tensor:
            return plain.logits(PaddedPass(numbers, keys), cache, keep)

        self.plain = plain
        self._run = torch.compile(_copy_with_own_code(run), fullgraph=True, backend=BACKEND)
        self._prepared: set[bool] = set()
        self._preparing = False
        self.failed = False
        """Whether the model cannot be compiled."""

    def __call__(self, layout: PaddedPass, cache: SlotCache, keep: int | Tensor = 0) -> Tensor:
        """Run a pass; arguments and result as in `ModelPass`. The cache must hold tensors."""
        cache.places, cache.extent, cache.past = layout.places, None, self.plain.past(layout)
        if self._preparing:
            _mark_dynamic(layout, cache, keep)
        with packed_attention(self.plain.model, None):
            logits: Tensor = self._run(layout.numbers, layout.keys, cache, keep)
        return logits

    def has(self, rows: int) -> bool:
        """Whether the program for so many rows is compiled."""
        return (rows == 1) in self._prepared

    def prepare(self, layout: PaddedPass, cache: SlotCache, keep: int | Tensor) -> None:
        """Compile the program for such passes by running this one, whose result is dropped.

        If torch cannot compile the model, or the machine has no compiler, warn and set `failed`.
        """
        name, rows = type(self.plain.model).__name__, layout.numbers.shape[1]
        title = f"compiling passes of {name} for {'one row' if rows == 1 else 'several rows'}"
        self._preparing = True
        try:
            # Sizes that are equal in this pass may differ in another.
            with tqdm(total=1, desc=title, unit="program", leave=False) as bar, _config.patch(use_duck_shape=False):  # type: ignore[attr-defined]
                self(layout, cache, keep)
                bar.update()
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self.failed = True
            cause = getattr(error, "inner_exception", error)
            reason = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
            warnings.warn(f"passes of {name} cannot be compiled, so they run slower ({reason})", stacklevel=2)
        finally:
            self._preparing = False
        self._prepared.add(rows == 1)


def _mark_dynamic(layout: PaddedPass, cache: SlotCache, keep: int | Tensor) -> None:
    """Mark the dimensions in which passes differ as dynamic, for the program that is compiled next."""
    varying = [(layout.numbers, (1, 2)), (layout.keys, (0,)), (cache.places, (0,)), *((tensor, (0, 1)) for tensor in cache.tensors)]
    varying += [(cache.past, (0,))] if cache.past is not None else []
    varying += [(keep, (0,))] if isinstance(keep, Tensor) else []
    for tensor, dimensions in varying:
        for dimension in dimensions:
            if tensor.shape[dimension] > 1:
                torch._dynamo.maybe_mark_dynamic(tensor, dimension)


def _copy_with_own_code(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Copy a function with its code object: torch keeps programs by code object, with a limit for each, and frees them with it."""
    code = function.__code__.replace(co_name=f"{function.__name__}_{next(_numbers)}")
    return types.FunctionType(code, function.__globals__, code.co_name, function.__defaults__, function.__closure__)
