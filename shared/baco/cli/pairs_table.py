"""The table of pairs that can be loaded by name, with what each takes in memory.

Reads names, sizes and file headers; needs neither torch nor transformers.
"""

from importlib.resources import files
from math import prod

from rich.box import SIMPLE_HEAD
from rich.table import Table
from safetensors import safe_open

from baco.models.presets import EMBEDDED, PRESETS

CAPTION = (
    "memory: the weights of both models in bfloat16, and with quantization='int8' one byte a parameter, to which the embedding tables "
    f"of small models add up to a third; the cache of running answers comes on top · {EMBEDDED}: as measured; its default on a CPU is "
    "float32, twice its bfloat16"
)
BFLOAT16_BYTES = 2


def pairs_table() -> Table:
    """List every pair, the embedded one first."""
    table = Table(box=SIMPLE_HEAD, caption=CAPTION)
    for heading in ("name", "base", "aligned", "size", "bfloat16", "int8", "licence"):
        numbers = heading in ("size", "bfloat16", "int8")
        table.add_column(heading, justify="right" if numbers else "left", no_wrap=numbers or heading == "name")
    packaged = "(in the package)"
    parameters, *sizes = _embedded()
    table.add_row(EMBEDDED, packaged, packaged, _count(parameters), *map(_bytes, sizes), "Apache-2.0", style="bold")
    for preset in PRESETS.values():
        parameters = preset.parameters * 1e9
        terms = preset.license + (", gated" if preset.gated else "")
        sizes = [2 * parameters * BFLOAT16_BYTES, 2 * parameters]
        table.add_row(preset.name, preset.base, preset.aligned, _count(parameters), *map(_bytes, sizes), terms)
    return table


def _embedded() -> tuple[float, float, float]:
    """Parameters of one model of the embedded pair, and bytes of both in bfloat16 and in 8 bits, from the headers of their files."""
    parameters, plain, quantized = 0, 0, 0
    for which in ("base", "aligned"):
        parameters = 0
        with safe_open(str(files("baco") / "pairs" / EMBEDDED / which / "model.safetensors"), "np") as weights:
            for name in weights.keys():
                shape = weights.get_slice(name).get_shape()
                count = prod(shape)
                parameters += count
                plain += count * BFLOAT16_BYTES
                # The matrices of linear layers shrink, and get a scale for every output; the embedding, which is the head too, stays.
                shrinks = len(shape) == 2 and "embed" not in name
                quantized += count + shape[0] * BFLOAT16_BYTES if shrinks else count * BFLOAT16_BYTES
    return parameters, plain, quantized


def _count(parameters: float) -> str:
    return f"{parameters / 1e9:.2f} B" if parameters >= 0.45e9 else f"{parameters / 1e6:.3g} M"


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 0.1e9 else f"{size / 1e6:.0f} MB"
