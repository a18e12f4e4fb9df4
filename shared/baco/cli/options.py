"""The options that commands share, and the core's objects that they become.

Knows typer and the core's settings; knows nothing of output. Imports neither torch nor transformers before a command asks for an engine
or a router.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from baco.checks import require
from baco.config import SamplingParams
from baco.errors import ConfigError

if TYPE_CHECKING:
    from baco.engine.engine import Engine
    from baco.routing import Router

DEFAULT: dict[str, Any] = {field.name: field.default for field in fields(SamplingParams)}


SWITCH = {"on": True, "off": False}
"""What --reasoning says beside efforts."""


def _option(help: str, panel: str | None = None) -> Any:
    return typer.Option(help=help, rich_help_panel=panel)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of every command that decodes."""

    system: Annotated[str | None, _option("A system message before the prompt.")] = None
    pair: Annotated[str | None, _option("A preset, see `baco pairs`; by default the embedded pair.", "Models")] = None
    base: Annotated[str | None, _option("Folder or hub id of the base model; needs --aligned or --aligned-adapter.", "Models")] = None
    aligned: Annotated[str | None, _option("Folder or hub id of the aligned model; needs --base.", "Models")] = None
    aligned_adapter: Annotated[str | None, _option("Folder or hub id of a LoRA adapter of the base; needs --base.", "Models")] = None
    device: Annotated[str, _option("auto, cpu, cuda, cuda:1 or mps.", "Models")] = "auto"
    dtype: Annotated[str, _option("auto, float32, bfloat16 or float16.", "Models")] = "auto"
    quantization: Annotated[str | None, _option("int8 or int4; by default weights stay as --dtype says.", "Models")] = None
    compile: Annotated[bool, _option("Compile passes first: a minute or more, then faster for small models.", "Models")] = False
    chat_template_kwargs: Annotated[
        str | None, _option("Variables of the chat template, as a JSON object: '{\"enable_thinking\": false}'.", "Models")
    ] = None
    reasoning: Annotated[str | None, _option("on, off or an effort (low, medium, high); by default the model's own.", "Models")] = None
    router: Annotated[str, _option("Who speaks: p-punc, p, h, fc and others; base and aligned are one model alone.", "Routing")] = "p-punc"
    threshold: Annotated[float | None, _option("Where the router switches; by default the router's own.", "Routing")] = None
    diversity: Annotated[float | None, _option("Target share of base tokens, 0 to 1, in place of a threshold.", "Routing")] = None
    max_tokens: Annotated[int, _option("Longest answer, in tokens.", "Sampling")] = DEFAULT["max_tokens"]
    temperature: Annotated[float | None, _option("0 is greedy; by default the maker's.", "Sampling")] = None
    top_p: Annotated[float | None, _option("The fewest tokens that reach this; 1 is off, by default the maker's.", "Sampling")] = None
    top_k: Annotated[int | None, _option("The k most likely tokens; 0 is off, by default the maker's.", "Sampling")] = None
    min_p: Annotated[float, _option("Tokens this likely beside the likeliest; 0 is off.", "Sampling")] = DEFAULT["min_p"]
    seed: Annotated[int | None, _option("Same seed, same answers; by default one is drawn, and shown.", "Sampling")] = None
    stop: Annotated[list[str] | None, _option("A text that ends the answer; may be given several times.", "Sampling")] = None

    def messages(self, prompt: str) -> list[dict[str, str]]:
        """The prompt, after the system message if there is one."""
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": prompt}]

    def template(self) -> dict[str, Any]:
        """What the chat template is told, as keywords of an engine's call; a text that is no JSON object is a `ConfigError`."""
        given = None if self.chat_template_kwargs is None else _json_object("--chat-template-kwargs", self.chat_template_kwargs)
        return {"chat_template_kwargs": given, "reasoning": SWITCH.get(self.reasoning or "", self.reasoning)}

    def params(self, n: int, seed: int | None) -> SamplingParams:
        """How to sample n answers; a value out of its range is a `ConfigError`."""
        chosen = {name: value for name, value in vars(self).items() if name in DEFAULT}
        return SamplingParams(**chosen | {"n": n, "seed": seed, "stop": self.stop or ()})

    def make_router(self) -> "Router":
        """Who speaks; an unknown router, or a threshold or diversity that it does not take, is a `ConfigError`."""
        from baco.routing import Router

        return Router(self.router, threshold=self.threshold, diversity=self.diversity)

    def make_engine(self) -> "Engine":
        """Load the pair; one that is not there or does not fit together is a `PairError`."""
        from baco.engine.call_settings import load_pair
        from baco.engine.engine import Engine

        return Engine(load_pair(vars(self) | {"model": self.pair}))


def _json_object(option: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{option} must be a JSON object, but {text!r} is no JSON: {error}") from None
    require(isinstance(value, dict), option, "a JSON object", text)
    given: dict[str, Any] = value
    return given


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `Settings` to a command, which gets them as its argument `settings`.

    Typer reads options off a function's signature, so the two signatures are joined.
    """
    own = [parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "settings"]
    shared = inspect.signature(Settings).parameters
    joined = [*(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *shared.values()]

    @wraps(command)
    def run(**arguments: Any) -> None:
        settings = Settings(**{name: arguments.pop(name) for name in shared})
        command(**arguments, settings=settings)

    run.__signature__ = inspect.Signature(joined)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in joined}
    return run
