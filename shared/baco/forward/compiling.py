"""A model's padded passes as `torch.compile` makes them: one program for any number of rows, tokens and positions.

Compiling takes half a minute or so for a program, and torch keeps what it has compiled on disk. Knows tensors and one model; knows nothing
of what is in a pass.
"""

import itertools
import types
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.fx.experimental import _config
from tqdm import tqdm

from baco.forward.attention import packed_attention
from baco.forward.cuda import is_out_of_memory
from baco.forward.kv_cache import SlotCache
from baco.forward.model_pass import ModelPass
from baco.forward.padding import PaddedPass

Function = TypeVar("Function", bound=Callable[..., Any])

BACKEND = "inductor"
"""Which of torch's compilers makes the programs."""

_numbers = itertools.count()


class CompiledPass:
    """Runs padded passes of one model, as `ModelPass` does.

    torch takes a size of 1 to be fixed. So passes of one row and passes of several have a program each, to be made before the first of
    them, and there must be at least 2 of everything else: tokens of a row, slots, logits that are kept.
    """

    def __init__(self, plain: ModelPass) -> None:
        def run(numbers: Tensor, keys: Tensor, cache: SlotCache, keep: int | Tensor) -> Tensor:
            return plain.logits(PaddedPass(numbers, keys), cache, keep)

        self.plain = plain
        self._run = torch.compile(_with_code_of_its_own(run), fullgraph=True, backend=BACKEND)
        self._prepared: set[bool] = set()
        self._preparing = False
        self.failed = False
        """Whether there is none, since it cannot be compiled."""

    def __call__(self, layout: PaddedPass, cache: SlotCache, keep: int | Tensor = 0) -> Tensor:
        """Feed the tokens of a pass; arguments and result as in `ModelPass`. The cache must have been in use before."""
        cache.places = layout.places
        if self._preparing:
            _let_vary(layout, cache, keep)
        with packed_attention(self.plain.model, None):
            logits: Tensor = self._run(layout.numbers, layout.keys, cache, keep)
        return logits

    def has(self, rows: int) -> bool:
        """Whether the program for so many rows has been made."""
        return (rows == 1) in self._prepared

    def prepare(self, layout: PaddedPass, cache: SlotCache, keep: int | Tensor) -> None:
        """Make the program for such passes by running this one, which nobody reads.

        A model that torch cannot compile, or a machine without a compiler, is warned of, and sets `failed`.
        """
        name, rows = type(self.plain.model).__name__, layout.numbers.shape[1]
        title = f"compiling passes of {name} for {'one row' if rows == 1 else 'several rows'}"
        self._preparing = True
        try:
            # Sizes that happen to be equal now need not be so later.
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


def _let_vary(layout: PaddedPass, cache: SlotCache, keep: int | Tensor) -> None:
    """Have what is compiled next take any size where passes differ."""
    varying = [(layout.numbers, (1, 2)), (layout.keys, (0,)), (cache.places, (0,)), *((tensor, (0, 1)) for tensor in cache.tensors)]
    varying += [(keep, (0,))] if isinstance(keep, Tensor) else []
    for tensor, dimensions in varying:
        for dimension in dimensions:
            if tensor.shape[dimension] > 1:
                torch._dynamo.maybe_mark_dynamic(tensor, dimension)


def _with_code_of_its_own(function: Function) -> Function:
    """Copy a function's code: torch keeps its programs with the code, a few for each, and lets go of them with it."""
    code = function.__code__.replace(co_name=f"{function.__name__}_{next(_numbers)}")
    return types.FunctionType(code, function.__globals__, code.co_name, function.__defaults__, function.__closure__)  # type: ignore[return-value]
