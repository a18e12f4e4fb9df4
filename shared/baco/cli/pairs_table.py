"""The table of pairs that can be loaded by name, with what each takes in memory, and what is known of a single one.

Reads names, sizes and file headers; needs neither torch nor transformers.
"""

from importlib.resources import files
from math import prod

from rich.box import SIMPLE, SIMPLE_HEAD
from rich.table import Table
from safetensors import safe_open

from baco.config import Quantization
from baco.models.presets import BYTES, EMBEDDED, PRESETS, Preset

CAPTION = (
    "bfloat16, int8: the weights of both models; the cache of running answers comes on top · context: prompt and answer together · "
    "sampling: temperature / top-p / top-k where you set none, else as the model's generation config says · ?: from memory, not compared "
    "with a public copy of the maker's card or configuration · baco pairs NAME shows where a pair comes from · {fits}, named as the "
    "dtype or quantization to load it with; the default dtype of a CPU may be float32, twice bfloat16"
)
COLUMNS = ("name", "size", "bfloat16", "int8", "fits as", "context", "calls", "thinks", "sampling", "licence")
RIGHT = ("size", "bfloat16", "int8", "context")
BFLOAT16_BYTES = 2
USABLE = 0.8
"""Share of the memory that weights may take; the rest is for the cache of running answers and the programs (our own choice)."""


def pairs_table(device: str, memory: int | None) -> Table:
    """List every pair, the embedded one first, the others by family, and say in which form each fits into a device's memory in bytes."""
    place = (
        "?, as this system does not tell its memory" if memory is None else f"into {USABLE:.0%} of the {memory / 1e9:.0f} GB for {device}"
    )
    table = Table(box=SIMPLE_HEAD, caption=CAPTION.format(fits=f"fits as: {place}"))
    for heading in COLUMNS:
        table.add_column(heading, justify="right" if heading in RIGHT else "left", no_wrap=heading != "licence")
    parameters, *sizes = _embedded()
    embedded = [_count(parameters), *map(_bytes, sizes), "bfloat16" if memory else "?", "1,024", "hermes", "never", "1", "Apache-2.0"]
    table.add_row(EMBEDDED, *embedded, style="bold", end_section=True)
    families = list(PRESETS.values())
    for preset, following in zip(families, [*families[1:], None], strict=True):
        facts = described(preset) | {"fits as": fitting_form(preset, device, memory)}
        table.add_row(*(facts[heading] for heading in COLUMNS), end_section=following is None or following.family != preset.family)
    return table


def pair_table(preset: Preset, device: str, memory: int | None) -> Table:
    """Say of one pair everything that is known."""
    table = Table(
        box=SIMPLE, show_header=False, caption="?: from memory, not compared with a public copy of the maker's card or configuration"
    )
    origin = {"family": preset.family, "base": preset.base, "aligned": preset.aligned}
    facts = origin | described(preset) | {"fits as": fitting_form(preset, device, memory)}
    for heading in (*origin, *COLUMNS[1:]):
        table.add_row(heading, facts[heading])
    return table


def fitting_form(preset: Preset, device: str, memory: int | None) -> str:
    """The best form in which a pair's weights can be loaded into a device's memory: "bfloat16", "int8", "int4", or "–" for none."""
    if memory is None:
        return "?"
    forms: tuple[Quantization | None, ...] = tuple(BYTES)
    for form in forms:
        # On CUDA layers are quantised while they are read.
        needed = preset.memory(form) if device == "cuda" else preset.peak(form)
        if needed <= USABLE * memory:
            return form or "bfloat16"
    return "–"


def described(preset: Preset) -> dict[str, str]:
    """What is known of a pair, as text, by the headings of the table; what could not be checked has a question mark."""

    def marked(value: str, name: str) -> str:
        return value + "?" if name in preset.unchecked else value

    recommended = (preset.temperature, preset.top_p, preset.top_k)
    known = any(value is not None for value in recommended)
    sampling = " / ".join("–" if value is None else f"{value:g}" for value in recommended) if known else "–"
    return {
        "name": preset.name,
        "size": marked(_count(preset.parameters * 1e9), "parameters"),
        "bfloat16": _bytes(preset.memory()),
        "int8": _bytes(preset.memory("int8")),
        "context": marked(f"{preset.context:,}", "context"),
        "calls": marked(preset.calls or "none", "calls"),
        "thinks": marked(preset.thinks, "thinks"),
        "sampling": marked(sampling, "sampling"),
        "licence": marked(preset.license, "license") + (", gated" if preset.gated else ""),
    }


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
