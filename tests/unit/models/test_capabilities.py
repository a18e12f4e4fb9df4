"""What is known of a pair before it is loaded, and what is fetched where it is not."""

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from baco import ModelNotFoundError, ModelPair
from baco.config import PairConfig
from baco.models import presets
from baco.models.capabilities import capabilities, fetch_capabilities, fingerprint
from baco.models.loading import load_tokenizer
from baco.models.pair import loaded_pair
from baco.models.presets import get_preset
from baco.models.resolve import resolve
from tests.conftest import PairFolders
from tests.support.pairs import make_pair_folders


def test_a_local_pair_is_known_without_fetching_or_loading(pair_folders: PairFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baco.models.capabilities.load_config", lambda source: pytest.fail("fetched"))
    base, aligned = pair_folders("qwen2")
    config = PairConfig(base=str(base), aligned=str(aligned))
    assert fetch_capabilities(config) == capabilities(config)
    assert capabilities(config).context_window is not None and capabilities(config).has_tools is False
    assert fetch_capabilities(resolve(None, None, None)[1]).has_tools is True, "the embedded pair calls tools"


def test_what_a_folder_lacks_is_asked_for_once(pair_folders: PairFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, aligned = pair_folders("llama")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text((aligned / "config.json").read_text())
    asked: list[str] = []

    def fetch(source: str) -> PreTrainedTokenizerBase:
        asked.append(source)
        return load_tokenizer(str(aligned))

    monkeypatch.setattr("baco.models.adapter.load_tokenizer", fetch)
    config = PairConfig(base=str(base), aligned=str(bare))
    assert capabilities(config).has_tools is None
    assert [fetch_capabilities(config).has_tools, fetch_capabilities(config).has_tools] == [False, False]
    assert asked == [str(bare)]


def test_a_pair_that_cannot_be_fetched_is_an_error_that_names_it() -> None:
    with pytest.raises(ModelNotFoundError, match=r"Qwen2\.5-0\.5B"):
        fetch_capabilities(resolve("qwen2.5-0.5b", None, None)[1])


def test_a_pair_is_held_from_its_loading_to_its_unloading(tmp_path: Path) -> None:
    base, aligned = make_pair_folders(tmp_path, "llama")
    config = PairConfig(base=str(base), aligned=str(aligned), device="cpu", dtype="float32")
    assert loaded_pair(config) is None
    pair = ModelPair.from_pretrained(base=str(base), aligned=str(aligned), device="cpu", dtype="float32")
    assert loaded_pair(config) is pair
    pair.unload()
    assert loaded_pair(config) is None


def test_a_fingerprint_changes_with_what_the_preset_recommends(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve("qwen3-4b", None, None)[1]
    before = fingerprint(config)
    assert fingerprint(config) == before
    monkeypatch.setitem(presets.PRESETS, "qwen3-4b", replace(get_preset("qwen3-4b"), temperature=0.9))
    assert fingerprint(config) != before
