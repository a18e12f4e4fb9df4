"""Tokenizers from folders as makers publish them: with Mistral's files beside transformers', or with a tokenizer in Python alone."""

from pathlib import Path

import pytest
from transformers.integrations.mistral import tokenizer as mistral_format
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from baco.errors import PairError
from baco.models.loading import load_tokenizer
from tests.support.tokenizers import byte_level_bpe


def test_a_folder_with_tekken_json_is_read_from_its_tokenizer_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    byte_level_bpe().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "mistral"}')
    (tmp_path / "tekken.json").write_text("{}")
    # What transformers finds where mistral-common is installed.
    monkeypatch.setitem(TOKENIZER_MAPPING_NAMES, "mistral", "MistralCommonBackend")
    monkeypatch.setattr(mistral_format, "resolve_mistral_format", lambda *_, **__: (True, str(tmp_path / "tekken.json")))
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.get_vocab() == byte_level_bpe().get_vocab()
    assert tokenizer.encode("the sea") == byte_level_bpe().encode("the sea")


def test_a_tokenizer_in_python_alone_is_refused_by_its_class(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    with pytest.raises(PairError, match="is a ByT5Tokenizer, which is not one of the tokenizers library"):
        load_tokenizer(str(tmp_path))
