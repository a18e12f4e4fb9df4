"""What the layers of a model keep from token to token: keys and values by position, a state, both, or nothing.

Knows configurations, in transformers' own terms; knows no weights. A model with a layer of another kind is refused when it is loaded.
"""

from dataclasses import dataclass

from transformers import PreTrainedConfig
from transformers.cache_utils import get_layer_types_and_kwargs

from baco.errors import UnsupportedModelError


@dataclass(frozen=True, slots=True)
class LayerKind:
    """What one layer keeps."""

    has_attention: bool = True
    """Keys and values of every position."""
    has_state: bool = False
    """A state at one position: a recurrent one, the last inputs of a convolution, or both."""
    number_of_states: int = 1


KINDS = {
    "full_attention": LayerKind(),
    "sliding_attention": LayerKind(),
    "chunked_attention": LayerKind(),
    "linear_attention": LayerKind(has_attention=False, has_state=True),
    "conv": LayerKind(has_attention=False, has_state=True),
    "hybrid": LayerKind(has_state=True),
    "dummy": LayerKind(has_attention=False),
}
"""By transformers' name."""


def layer_kinds(config: PreTrainedConfig) -> list[LayerKind]:
    """The kinds of a model's layers, by their index in its cache.

    Raises:
        UnsupportedModelError: a layer is of a kind that is not among `KINDS`.
    """
    names, options = get_layer_types_and_kwargs(config.get_text_config())
    for name, option in zip(names, options, strict=True):
        if name not in KINDS or option.get("number_of_states", 1) != 1:
            states = "" if name in KINDS else f", which are none of {', '.join(KINDS)}"
            raise UnsupportedModelError(
                f"{config.model_type} has layers of kind {name!r}{states or ' with several states'}: baco cannot keep what they hold from "
                "token to token; choose another pair, or run the aligned model alone with transformers"
            )
    return [KINDS[name] for name in names]
