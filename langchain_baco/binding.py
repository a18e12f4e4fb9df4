"""Tools and schemas that answers are held to, in LangChain's forms: the settings that bind them, and the parsers of what comes back.

Knows settings, tools and schemas; decodes nothing.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal, get_args

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableBinding, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from baco.checks import require
from langchain_baco.fields import BacoFields
from langchain_baco.messages import LangChainTool, openai_tools

Method = Literal["json_schema", "function_calling", "json_mode"]
Schema = dict[str, Any] | type


def bound_tools(model: BacoFields, tools: Sequence[LangChainTool], call: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a call with tools, checked.

    Raises:
        ConfigError: a tool or a keyword is malformed, or a schema cannot be enforced.
    """
    bound = {name: value for name, value in {**call, "tools": openai_tools(tools)}.items() if value is not None}
    model._settings(bound)
    return bound


def bound_schema(
    model: BacoFields, schema: Schema, method: Method, include_raw: bool, strict: bool | None, call: Mapping[str, Any]
) -> tuple[dict[str, Any], Runnable[Any, Any]]:
    """The keywords of a call that hold its answer to a schema, checked, and what turns the answer into what the schema stands for.

    Raises:
        ConfigError: no such method, or a schema that cannot be enforced.
    """
    require(method in get_args(Method), "method", f"one of {', '.join(get_args(Method))}", method)
    titled = {"title": "answer", **schema} if isinstance(schema, dict) and not _is_tool(schema) else schema
    (tool,) = openai_tools([titled])
    traced = {"ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": tool}}
    if method == "function_calling":
        # In the long form, since a schema may have a name that means something else as a choice.
        choice = {"type": "function", "function": {"name": tool["function"]["name"]}}
        held = bound_tools(model, [tool], {"tool_choice": choice, **call})
    else:
        # LangChain's tools have objects as parameters, while an answer may be anything that a schema describes.
        wanted = tool["function"]["parameters"] if titled is schema else schema
        held = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}, **call}
        model._settings(held)
    parser = _parser(schema, method)
    return {**traced, **held}, _beside_raw(parser) if include_raw else parser


class BoundBaco(RunnableBinding[LanguageModelInput, AIMessage]):
    """A model with settings bound to it. Tools, schemas and numbers of answers that are asked of it keep them.

    (LangChain's own binding hands such methods on to the model, which knows nothing of what is bound.)
    """

    def bind_tools(self, tools: Sequence[LangChainTool], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """As the model's `bind_tools`."""
        return self._on_model("bind_tools", tools, **kwargs)

    def with_structured_output(self, schema: Schema, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
        """As the model's `with_structured_output`."""
        return self._on_model("with_structured_output", schema, **kwargs)

    def diverse(self, n: int, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
        """As the model's `diverse`."""
        return self._on_model("diverse", n, **kwargs)

    def _on_model(self, method: str, *args: Any, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
        made: Runnable[LanguageModelInput, Any] = getattr(self.bound, method)(*args, **{**self.kwargs, **kwargs})
        return made.with_config(self.config) if self.config else made

    @classmethod
    def lc_id(cls) -> list[str]:
        """Written as LangChain's own binding, which it is once it is made."""
        return RunnableBinding.lc_id()


def _beside_raw(parser: Runnable[Any, Any]) -> Runnable[Any, dict[str, Any]]:
    """Turn a message into `{"raw": message, "parsed": …, "parsing_error": …}`."""
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=RunnablePassthrough()) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _is_tool(schema: Mapping[str, Any]) -> bool:
    """Whether a dict is a tool in OpenAI's or Anthropic's form, and no schema."""
    return schema.get("type") == "function" or {"name", "parameters"} <= schema.keys() or {"name", "input_schema"} <= schema.keys()


def _parser(schema: Schema, method: str) -> Runnable[Any, Any]:
    """What turns a message into what the schema stands for."""
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method == "function_calling":
        if is_class:
            return PydanticToolsParser(tools=[schema], first_tool_only=True)  # type: ignore[list-item]
        return JsonOutputKeyToolsParser(key_name=convert_to_openai_tool(schema)["function"]["name"], first_tool_only=True)
    return PydanticOutputParser(pydantic_object=schema) if is_class else JsonOutputParser()  # type: ignore[arg-type]
