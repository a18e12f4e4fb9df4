"""`BacoBinding`: tools and schemas that answers are held to, bound to a model in LangChain's ways."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableBinding, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from baco.checks import require
from baco.grammar.constraints import forced_tool
from langchain_baco.decoding import BacoDecoding
from langchain_baco.messages import LangChainTool, openai_tools

METHODS = ("json_schema", "function_calling", "json_mode")
Schema = dict[str, Any] | type


class BacoBinding(BacoDecoding):
    """Calls and JSON by construction: a grammar holds both models to them."""

    def bind_tools(
        self,
        tools: Sequence[LangChainTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools that answers may call, or must.

        Args:
            tools: LangChain tools, functions, Pydantic classes, TypedDicts, or schemas in OpenAI's form.
            tool_choice: None or "auto" leaves the choice to the models; "any", "required" or True makes the answer a call of one of the
                tools, and a tool's name, or OpenAI's or Anthropic's form of it, a call of that tool; "none" binds no tools.
            parallel_tool_calls: whether an answer that must call may call several times. None: once (our own choice).
            strict: True asks that calls are held to their schemas. Forced ones are in any case; others are not yet, so that True without a
                forced call is refused.
            **kwargs: settings to bind with them.

        Raises:
            ConfigError: there is no such tool, a tool is malformed, or its schema cannot be enforced.
        """
        holds = forced_tool(tool_choice) is not None or "response_format" in kwargs
        require(strict is not True or holds, "strict", 'left out, or beside tool_choice="any" or a tool\'s name', strict)
        choice = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        return self.bind(**self._bound_tools(tools, {**kwargs, **choice}))

    def bind(self, **kwargs: Any) -> "BoundBaco":  # type: ignore[override]
        """Bind settings: the calls of what is returned have them."""
        return BoundBaco(bound=self, kwargs=kwargs, config={})

    def with_structured_output(
        self,
        schema: Schema,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answer with JSON that a schema describes. It is valid by construction, also where `max_tokens` is near.

        The models are not told the schema: say in the prompt what is wanted.

        Args:
            schema: a Pydantic class, whose instances come back; or a TypedDict, a JSON schema with a title, or a tool in OpenAI's form,
                for which dicts do.
            method: "json_schema": the answer is the JSON. "function_calling": the answer is a call of a tool with this schema, so that the
                aligned model's chat template must have a place for tools. "json_mode": as "json_schema".
            include_raw: whether to return `{"raw": message, "parsed": …, "parsing_error": …}`.
            strict: accepted for the sake of other models' settings; here every schema is enforced.
            **kwargs: settings to bind with it.

        Raises:
            ConfigError: no such method, or a schema that cannot be enforced.
        """
        settings, parser = self._structured(schema, method, strict, kwargs)
        model = self.bind(**settings)
        return model | (beside_raw(parser) if include_raw else parser)

    def _structured(
        self, schema: Schema, method: str, strict: bool | None, kwargs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Runnable[Any, Any]]:
        """The settings that hold answers to a schema, checked, and what turns a message into what the schema stands for."""
        require(method in METHODS, "method", f"one of {', '.join(METHODS)}", method)
        titled = {"title": "answer", **schema} if isinstance(schema, dict) and not _is_tool(schema) else schema
        (tool,) = openai_tools([titled])
        traced = {"ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": tool}}
        if method == "function_calling":
            # In the long form, since a schema may have a name that means something else as a choice.
            held = self._bound_tools(
                [tool], {"tool_choice": {"type": "function", "function": {"name": tool["function"]["name"]}}, **kwargs}
            )
        else:
            # LangChain's tools have objects as parameters, while an answer may be anything that a schema describes.
            wanted = schema if isinstance(schema, dict) and not _is_tool(schema) else tool["function"]["parameters"]
            held = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}, **kwargs}
            self._settings(held)
        return {**traced, **held}, _parser(schema, method)

    def _bound_tools(self, tools: Sequence[LangChainTool], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that bind tools, checked."""
        bound = {name: value for name, value in {**kwargs, "tools": openai_tools(tools)}.items() if value is not None}
        self._settings(bound)
        return bound


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


def beside_raw(parser: Runnable[Any, Any]) -> Runnable[Any, dict[str, Any]]:
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
