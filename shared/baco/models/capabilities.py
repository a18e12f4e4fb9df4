"""What is known of a pair before it is loaded: its context window, whether its chat template has a place for tools, and its files.

Reads small files that are on this machine, in a folder or in the hub's cache; only `fetch_capabilities` asks the hub. Reads no weights.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from transformers import AutoConfig
from transformers.utils.hub import cached_file

from baco.config import PairConfig
from baco.errors import ModelNotFoundError
from baco.models.adapter import ADAPTER_FILE, load_aligned_tokenizer
from baco.models.loading import MODEL_FILE, context_window, load_config, locate
from baco.models.presets import preset_of
from baco.parsing.detection import find_reasoning

TEMPLATE_FILES = ("chat_template.jinja", "tokenizer_config.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What is known of a pair. None where that stands in files that are not on this machine yet."""

    context_window: int | None
    """Longest prompt and answer together, in tokens."""
    has_tools: bool | None
    """Whether the aligned model's chat template names tools."""
    thinks: bool | None
    """Whether the aligned model's chat template has a place for reasoning."""
    asks_date: bool | None
    """Whether the aligned model's chat template asks for the date."""

    @classmethod
    def of(cls, window: int | None, template: str | None) -> "Capabilities":
        """State what a window and the text of a chat template tell; None for what is not known."""
        return cls(
            context_window=window,
            has_tools=None if template is None else "tools" in template,
            thinks=None if template is None else find_reasoning(template) is not None,
            asks_date=None if template is None else "strftime_now" in template,
        )


_known: dict[PairConfig, Capabilities] = {}
"""Complete results, which do not change."""


def capabilities(config: PairConfig) -> Capabilities:
    """Look a pair up in files that are on this machine. An incomplete result is looked up again the next time."""
    found = _known.get(config) or Capabilities.of(_window(config), _template(config))
    if None not in (found.context_window, found.has_tools):
        _known[config] = found
    return found


def fetch_capabilities(config: PairConfig) -> Capabilities:
    """Look a pair up; its configurations and its tokenizer are downloaded where they are not on this machine.

    Raises:
        ModelNotFoundError: a model is not there, or the hub cannot be reached.
    """
    found = capabilities(config)
    if None in (found.context_window, found.has_tools):
        window = context_window(*(load_config(source) for source in (config.base, config.aligned) if source is not None))
        found = _known[config] = Capabilities.of(window, str(load_aligned_tokenizer(config).chat_template or ""))
    return found


def fingerprint(config: PairConfig) -> str:
    """Hash what a pair's answers depend on: the names, sizes and modification times of its files, and what its preset recommends.

    In the hub's cache the names contain the revision. What else recommends how to sample, a generation config, is a file.
    """
    preset = preset_of(config.base, config.aligned)
    recommended = None if preset is None else (preset.temperature, preset.top_p, preset.top_k)
    given = ((config.base, MODEL_FILE), (config.aligned, MODEL_FILE), (config.aligned_adapter, ADAPTER_FILE))
    found = [_cached(source, needed, needed) for source, needed in given if source is not None]
    listed = [file for path in found if path is not None for file in sorted(path.parent.iterdir())]
    described = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in listed]
    return sha256(repr([recommended, described]).encode()).hexdigest()


def _cached(source: str, needed: str, name: str) -> Path | None:
    """A file of a folder or hub id that must have the `needed` one; None where it lacks it, or has not been downloaded."""
    try:
        found = cached_file(locate(source, needed)[0], name, local_files_only=True, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError, ModelNotFoundError):
        return None
    return None if found is None else Path(found)


def _window(config: PairConfig) -> int | None:
    sources = [source for source in (config.base, config.aligned) if source is not None]
    try:
        return context_window(*(AutoConfig.from_pretrained(locate(source)[0], local_files_only=True) for source in sources))
    except (OSError, ValueError, AttributeError, ModelNotFoundError):
        return None


def _template(config: PairConfig) -> str | None:
    """The text of the aligned model's chat template, which an adapter may bring itself."""
    adapted = [(config.aligned_adapter, ADAPTER_FILE), (config.base, MODEL_FILE)]
    for source, needed in [(config.aligned, MODEL_FILE)] if config.aligned_adapter is None else adapted:
        assert source is not None, "a configuration has one or the other"
        for name in TEMPLATE_FILES:
            path = _cached(source, needed, name)
            if path is not None:
                text = path.read_text(encoding="utf-8")
                written = text if name.endswith(".jinja") else json.dumps(json.loads(text).get("chat_template"))
                if written != "null":
                    return written
    return None
