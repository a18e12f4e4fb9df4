"""`BacoBinding`: tools and schemas that answers are held to, bound to a model in LangChain's ways."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Literal

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from baco.config import require
from langchain_baco.decoding import BacoDecoding
from langchain_baco.messages import openai_tools

METHODS = ("json_schema", "function_calling", "json_mode")
Schema = dict[str, Any] | type


class BacoBinding(BacoDecoding):
    """Calls and JSON by construction: a grammar holds both models to them."""

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools that answers may call, or must.

        Args:
            tools: LangChain tools, functions, Pydantic classes, TypedDicts, or schemas in OpenAI's form.
            tool_choice: None or "auto" leaves the choice to the models; "any", "required" or True makes the answer a call of one of the
                tools, and a tool's name, or OpenAI's or Anthropic's form of it, a call of that tool; "none" binds no tools.
            parallel_tool_calls: whether an answer that must call may call several times. None: once (our own choice).
            **kwargs: settings to bind with them.

        Raises:
            ConfigError: there is no such tool, a tool is malformed, or its schema cannot be enforced.
        """
        bound = {**kwargs, "tools": openai_tools(tools), "tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        bound = {name: value for name, value in bound.items() if value is not None}
        self._settings(bound)
        return self.bind(**bound)

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
        require(method in METHODS, "method", f"one of {', '.join(METHODS)}", method)
        traced: dict[str, Any] = {
            "ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": convert_to_openai_tool(schema)}
        }
        if method == "function_calling":
            name = convert_to_openai_tool(schema)["function"]["name"]
            model = self.bind_tools([schema], tool_choice=name, **traced, **kwargs)
        else:
            form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": convert_to_json_schema(schema)}}
            self._settings({"response_format": form, **kwargs})
            model = self.bind(response_format=form, **traced, **kwargs)
        parser = _parser(schema, method)
        if not include_raw:
            return model | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _parser(schema: Schema, method: str) -> Runnable[Any, Any]:
    """What turns a message into what the schema stands for."""
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method == "function_calling":
        if is_class:
            return PydanticToolsParser(tools=[schema], first_tool_only=True)  # type: ignore[list-item]
        return JsonOutputKeyToolsParser(key_name=convert_to_openai_tool(schema)["function"]["name"], first_tool_only=True)
    return PydanticOutputParser(pydantic_object=schema) if is_class else JsonOutputParser()  # type: ignore[arg-type]
