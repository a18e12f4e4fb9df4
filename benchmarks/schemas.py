"""Twenty schemas, in the three forms that `with_structured_output` takes: Pydantic classes, TypedDicts, and JSON schemas.

Knows what is asked for; knows no models.
"""

from datetime import date, time
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

Schema = dict[str, Any] | type


class Pet(BaseModel):
    """A pet."""

    name: str = Field(max_length=20)
    kind: Literal["rabbit", "cat", "hedgehog"]
    age: int = Field(ge=0, le=30)
    tame: bool


class Customer(BaseModel):
    """Somebody who buys."""

    name: str
    town: str | None


class Item(BaseModel):
    """One line of an order."""

    product: str = Field(min_length=1, max_length=24)
    count: int = Field(gt=0, le=99)
    price: float = Field(ge=0, le=1000)


class Order(BaseModel):
    """An object in an object, and several in a list."""

    customer: Customer
    items: list[Item] = Field(min_length=1, max_length=3)


class Note(BaseModel):
    """Fields that may be left out, and values of several types."""

    text: str | None = None
    value: int | bool | str
    tags: list[str] | None = Field(default=None, max_length=3)


class Branch(BaseModel):
    """A class that holds itself."""

    name: str = Field(max_length=12)
    below: list["Branch"] = Field(max_length=2)


class Visit(BaseModel):
    """Dates and times."""

    day: date
    at: time
    back: date | None


class Circle(BaseModel):
    """A round shape."""

    kind: Literal["circle"]
    radius: float = Field(gt=0, lt=100)


class Square(BaseModel):
    """A shape of four sides."""

    kind: Literal["square"]
    side: int = Field(ge=1, le=9)
    label: str


class Drawing(BaseModel):
    """Shapes that are told apart by a field."""

    shapes: list[Annotated[Circle | Square, Field(discriminator="kind")]] = Field(min_length=1, max_length=3)


class Level(StrEnum):
    """How urgent something is."""

    LOW = "low"
    HIGH = "high"
    NEVER = "not before everything else is done"


class Ticket(BaseModel):
    """Patterns, a constant, an enumeration."""

    version: Literal["v1"]
    code: str = Field(pattern=r"^[A-Z]{2}-[0-9]{4}$")
    level: Level
    title: str = Field(min_length=3, max_length=40)


class Measured(BaseModel):
    """Numbers in ranges."""

    celsius: float = Field(ge=-40, le=60)
    percent: int = Field(ge=0, le=100)
    pairs: int = Field(ge=2, le=20, multiple_of=2)
    offset: int = Field(gt=-1000, lt=1000)
    any_number: float


class Film(TypedDict):
    """A film."""

    title: str
    actors: list[str]
    year: int | None


class Trip(TypedDict):
    """A journey by way of some places."""

    start: str
    stops: list[Film]
    paid: bool


def _object(title: str, properties: dict[str, Any], *, required: list[str] | None = None) -> dict[str, Any]:
    """Describe an object; all of its properties are required unless some are named."""
    needed = list(properties) if required is None else required
    return {"title": title, "type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def _nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "string", "maxLength": 16}
    for level in range(depth):
        inner = {"type": "object", "properties": {f"level_{level}": inner}, "required": [f"level_{level}"]}
    return inner


TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
PERSON = _object("Person", {"name": TEXT, "age": {"type": "integer", "minimum": 0, "maximum": 120}})
UNICODE = _object(
    "Größen",
    {
        "größe": {"enum": ["klein", "groß", "riesengroß"]},
        "名前": {"type": "string", "maxLength": 12},
        "été": {"const": "œuvre d’été ☀"},
        "emoji 🐇": {"type": "array", "items": {"enum": ["🐇", "🦔", "猫"]}, "minItems": 1, "maxItems": 3},
    },
)
WORDS = [f"{first} {second}" for first in ("red", "dark green", "blue", "pale yellow", "grey") for second in range(40)]
FREE_FIELDS = {"title": "FreeFields", "type": "object", "additionalProperties": {"type": "string", "maxLength": 10}, "minProperties": 1}
EITHER = _object("Either", {"answer": {"anyOf": [{"type": "null"}, PERSON, {"type": "array", "items": PERSON, "minItems": 2}]}})
TUPLE = _object(
    "Entry",
    {"row": {"type": "array", "prefixItems": [TEXT, {"type": "integer"}, FLAG], "items": False, "minItems": 3}, "done": FLAG},
)
TERM = {"$ref": "#/$defs/term"}
EXPRESSION = _object("Expression", {"value": TERM}) | {
    "$defs": {
        "term": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 99}, {"$ref": "#/$defs/operation"}]},
        "operation": _object("Operation", {"op": {"enum": ["+", "-"]}, "left": TERM, "right": TERM}),
    }
}
MIXED = _object("Mixed", {"fixed": {"const": {"a": [1, None]}}, "any": {"enum": [7, None, True, "seven", 2.5, ["x", 1]]}})
FORMATS = _object("Formats", {name: {"type": "string", "format": name} for name in ("uuid", "ipv4", "date-time")})
OPTIONAL = _object("Flags", {f"flag_{letter}": FLAG for letter in "abcdefghijkl"}, required=["flag_c"])
MATRIX = _object(
    "Matrix",
    {
        "rows": {
            "type": "array",
            "minItems": 2,
            "maxItems": 3,
            "items": {"type": "array", "items": {"type": "integer", "minimum": -9, "maximum": 9}, "minItems": 2, "maxItems": 2},
        }
    },
)

SCHEMAS: dict[str, Schema] = {
    "flat": Pet,
    "nested, list of objects": Order,
    "optional, unions": Note,
    "recursive": Branch,
    "dates and times": Visit,
    "union by a field": Drawing,
    "pattern, constant, enum": Ticket,
    "numbers in ranges": Measured,
    "list of strings": Film,
    "list of TypedDicts": Trip,
    "unicode names and values": UNICODE,
    "enum of 200": _object("Colour", {"colour": {"enum": WORDS}, "why": {"type": "string", "maxLength": 30}}),
    "twelve levels deep": {**_nested(12), "title": "Deep"},
    "free property names": FREE_FIELDS,
    "null, object or list": EITHER,
    "tuple": TUPLE,
    "recursive expression": EXPRESSION,
    "constants and mixed enum": MIXED,
    "formats": FORMATS,
    "optional flags, matrix": _object("Both", {"flags": OPTIONAL, "matrix": MATRIX}),
}
