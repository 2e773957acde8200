"""Validation that takes out what does not fit, instead of refusing the whole.

A valid body is validated once. In any other, a value that plainly says what it should be is read (a number that
came as text), and exactly the unfit goes: a wrong value, so that its field's default applies; a list item or
object that lacks a required field. Each is named as a problem, in a short text that never quotes the value.

Of a list 5,000 elements are looked at: pydantic keeps a kilobyte for each that is wrong, and a body may hold
millions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar, get_args, get_origin

import orjson
from pydantic import BaseModel, ValidationError

from tmdb_dagster.tmdb.errors import InvalidResponse

MAX_ELEMENTS = 5000
"""How many elements of a list are looked at; the longest that TMDB has, a crew, has some 600."""

_MAX_IN_ALL = 2 * MAX_ELEMENTS  # in one body; the fullest has 2,000
_MAX_OF_EACH = 1000  # of each list of a body that has more

_MAX_PASSES = 6  # wrong values, what was read and is wrong, the objects that lack them, list items
_MAX_PROBLEMS = 20
_MAX_DEPTH = 12  # no declared field lies deeper; a hostile body may

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,15}\s*")
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,15}(\.[0-9]{1,15})?\s*")
_GONE = object()

_M = TypeVar("_M", bound=BaseModel)
_Location: TypeAlias = tuple[int | str, ...]
_Problems: TypeAlias = dict[_Location, str]


def validated(model: type[_M], body: object, what: str) -> tuple[_M, tuple[str, ...]]:
    """The body as the model, and what had to be left out of it. `body` itself is not changed.

    Raises InvalidResponse, which names `what`, where a field is missing that the model cannot do without.
    """
    result, problems, _ = _fitted(model, body)
    if result is None:
        raise InvalidResponse(f"Unusable {what}: {'; '.join(_few(problems.values()))}")
    return result, _few(problems.values())


def unfit_fields(model: type[BaseModel], body: object) -> frozenset[str]:
    """The fields, by their keys, whose value in the body had to be left out as a whole."""
    _, _, unfit = _fitted(model, body)
    return frozenset(str(location[0]) for location in unfit if len(location) == 1)


def _fitted(model: type[_M], body: object) -> tuple[_M | None, _Problems, set[_Location]]:
    """The model, None where that cannot be; the problems; and all that was left out."""
    problems: _Problems = {}
    body = _storable(model, _measured(model, body, problems), problems)
    left_out: set[_Location] = set()
    result = _attempt(model, body)
    for _ in range(_MAX_PASSES):
        if not isinstance(result, ValidationError):
            return result, problems, left_out
        read: dict[_Location, Any] = {}
        unfit: set[_Location] = set()
        for detail in result.errors(include_url=False, include_context=False):
            location = detail["loc"]
            reading = _reading(detail["type"], detail["input"])
            if reading is not None and not (len(location) == 1 and _is_required(model, location[0])):
                read[location] = reading
                continue
            of_holder = detail["type"] == "missing" or location[-1:] == ("[key]",)
            unfit.add(location[:-1] if of_holder else location)
            left_out.add(location)
            problems.setdefault(location, f"{_path(location)}: {detail['msg']}")
        left_out |= unfit
        if () in unfit:
            return None, problems, left_out
        in_objects = {location for location in unfit if isinstance(location[-1], str)}
        # List items last, so that the others keep their index.
        body = _changed(body, dict.fromkeys(in_objects or unfit, _GONE) | read)
        result = _attempt(model, body)
    return (None if isinstance(result, ValidationError) else result), problems, left_out


def _reading(error: str, value: object) -> int | float | str | None:
    """What a value of a wrong type plainly says, or None."""
    match error, value:
        case "int_type", str() if _INTEGER.fullmatch(value):
            return int(value)
        case "int_type", float() if value.is_integer() and abs(value) <= 2**53:
            return int(value)
        case "float_type", str() if _NUMBER.fullmatch(value):
            return float(value)
        case "string_type", int() if not isinstance(value, bool) and abs(value) <= 2**53:
            return str(value)
    return None


def _is_required(model: type[BaseModel], key: int | str) -> bool:
    return any(field.is_required() for name, field in model.model_fields.items() if (field.alias or name) == key)


def clean_text(text: str) -> str:
    """The text without what Postgres cannot store: NUL characters and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def _attempt(model: type[_M], body: object) -> _M | ValidationError:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        return error


class _Lists(NamedTuple):
    """That a field is a list or a dict of a model (`kind`), or a model that holds some (None)."""

    kind: type[list[Any]] | type[dict[Any, Any]] | None
    of: type[BaseModel]


@cache
def _lists(model: type[BaseModel]) -> dict[str, _Lists]:
    """The fields of a model, by their keys, that are or hold lists."""
    found = {field.alias or name: _lists_in(field.annotation) for name, field in model.model_fields.items()}
    return {key: lists for key, lists in found.items() if lists is not None}


def _lists_in(annotation: Any) -> _Lists | None:
    arguments = get_args(annotation)
    match get_origin(annotation):
        case None:
            is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
            return _Lists(None, annotation) if is_model and _lists(annotation) else None
        case kind if kind is tuple:
            return _Lists(list, arguments[0])
        case kind if kind is dict:
            return _Lists(dict, arguments[1])
    return next(filter(None, map(_lists_in, arguments)), None)


def _measured(model: type[BaseModel], body: object, problems: _Problems) -> object:
    """The body with lists of a length that can be looked at."""
    measured, elements = _cut(model, body, (), MAX_ELEMENTS, problems)
    return measured if elements <= _MAX_IN_ALL else _cut(model, body, (), _MAX_OF_EACH, problems)[0]


def _cut(model: type[BaseModel], body: Any, at: _Location, most: int, problems: _Problems) -> tuple[Any, int]:
    """The body with at most so many elements of each list, and how many these are in all."""
    if not isinstance(body, dict):
        return body, 0
    changed, elements = {}, 0
    for key, lists in _lists(model).items():
        value = body.get(key)
        if lists.kind is None:
            kept, number = _cut(lists.of, value, (*at, key), most, problems)
        else:
            kept, number = _cut_list(lists, value, (*at, key), most, problems)
        elements += number
        if kept is not value:
            changed[key] = kept
    return ({**body, **changed} if changed else body), elements


def _cut_list(lists: _Lists, value: Any, at: _Location, most: int, problems: _Problems) -> tuple[Any, int]:
    """The same of a list, whose elements' own lists share the measure."""
    if lists.kind is None or not isinstance(value, lists.kind):
        return value, 0
    if len(value) > most:
        problems[at] = f"{_path(at)}: {most} of {len(value)} elements are looked at"
        value = value[:most] if isinstance(value, list) else dict(islice(value.items(), most))
    elements = len(value)
    if _lists(lists.of):
        left = most
        changed: dict[_Location, Any] = {}
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            kept, number = _cut(lists.of, item, (*at, key), left, problems)
            left, elements = max(0, left - number), elements + number
            if kept is not item:
                changed[(key,)] = kept
        value = _changed(value, changed) if changed else value
    return value, elements


def _storable(model: type[BaseModel], body: object, problems: _Problems) -> object:
    """The body with text that Postgres can store."""
    if not isinstance(body, dict):
        return body
    names = [field.alias or name for name, field in model.model_fields.items()]
    declared = {name: body[name] for name in names if name in body}
    if not _may_be_unstorable(declared):
        return body
    cleaned = {name: _cleaned(value, _MAX_DEPTH) for name, value in declared.items()}
    for name, value in cleaned.items():
        if value != body[name]:
            problems[name, "text"] = f"{name}: unstorable characters left out"
    return cleaned


def _may_be_unstorable(body: dict[str, Any]) -> bool:
    """One fast look: encoding 100 kB takes a tenth of a millisecond, a walk in Python twenty times that."""
    try:
        return b"\\u0000" in orjson.dumps(body)
    except orjson.JSONEncodeError:  # a lone surrogate, or nested too deeply
        return True


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): _cleaned(item, depth - 1) for key, item in value.items()} if depth else None
    if isinstance(value, list):
        return [_cleaned(item, depth - 1) for item in value] if depth else None
    return value


def _path(location: _Location) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return steps.lstrip(".")[:120] or "body"


def _few(problems: Iterable[str]) -> tuple[str, ...]:
    texts = tuple(problems)
    if len(texts) <= _MAX_PROBLEMS:
        return texts
    return (*texts[:_MAX_PROBLEMS], f"and {len(texts) - _MAX_PROBLEMS} more")


def _changed(value: Any, changes: Mapping[_Location, Any]) -> Any:
    """A copy of the value with other values at some locations, and none for _GONE; the rest is shared."""
    below: defaultdict[int | str, dict[_Location, Any]] = defaultdict(dict)
    for location, new in changes.items():
        below[location[0]][location[1:]] = new

    def kept(entries: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        for key, item in entries:
            if key not in below:
                yield key, item
            elif () not in below[key]:
                yield key, _changed(item, below[key])
            elif below[key][()] is not _GONE:
                yield key, below[key][()]

    if isinstance(value, dict):
        return dict(kept(value.items()))
    if isinstance(value, list):
        return [item for _, item in kept(enumerate(value))]
    return value
