"""Validation that takes out what does not fit, instead of refusing the whole.

A valid body is validated once. In any other, exactly the unfit goes: a wrong value, so that its field's
default applies; a list item or object that lacks a required field. Each is named as a problem, in a short
text that never quotes the value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from tmdb_dagster.tmdb.errors import InvalidResponse

_MAX_PASSES = 5  # wrong values, then the objects that lack them, then list items: no model needs more
_MAX_PROBLEMS = 20
_MAX_DEPTH = 12  # no declared field lies deeper; a hostile body may

_M = TypeVar("_M", bound=BaseModel)
_Location: TypeAlias = tuple[int | str, ...]


def validated(model: type[_M], body: object, what: str) -> tuple[_M, tuple[str, ...]]:
    """The body as the model, and what had to be left out of it. `body` itself is not changed.

    Raises InvalidResponse, which names `what`, where a field is missing that the model cannot do without.
    """
    body, problems = _storable(model, body)
    result = _attempt(model, body)
    for _ in range(_MAX_PASSES):
        if not isinstance(result, ValidationError):
            break
        unfit = set()
        for detail in result.errors(include_url=False, include_context=False, include_input=False):
            location = detail["loc"]
            of_holder = detail["type"] == "missing" or location[-1:] == ("[key]",)
            unfit.add(location[:-1] if of_holder else location)
            problems.setdefault(location, f"{_path(location)}: {detail['msg']}")
        if () in unfit:
            break
        in_objects = {location for location in unfit if isinstance(location[-1], str)}
        body = _pruned(body, in_objects or unfit)  # list items last, so that the others keep their index
        result = _attempt(model, body)
    if isinstance(result, ValidationError):
        raise InvalidResponse(f"Unusable {what}: {'; '.join(_few(problems.values()))}") from result
    return result, _few(problems.values())


def clean_text(text: str) -> str:
    """The text without what Postgres cannot store: NUL characters and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def _attempt(model: type[_M], body: object) -> _M | ValidationError:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        return error


def _storable(model: type[BaseModel], body: object) -> tuple[object, dict[_Location, str]]:
    """The body with text that Postgres can store, and the problems in doing so."""
    if not isinstance(body, dict) or not _may_be_unstorable(body):
        return body, {}
    names = [field.alias or name for name, field in model.model_fields.items()]
    cleaned = {name: _cleaned(body[name], _MAX_DEPTH) for name in names if name in body}
    changed = [name for name in cleaned if cleaned[name] != body[name]]
    return cleaned, {(name, "text"): f"{name}: unstorable characters left out" for name in changed}


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


def _pruned(value: Any, unfit: Iterable[_Location]) -> Any:
    """A copy of the value without what lies at the unfit locations; the rest is shared with the original."""
    below: defaultdict[int | str, list[_Location]] = defaultdict(list)
    for location in unfit:
        below[location[0]].append(location[1:])

    def kept(entries: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        for key, item in entries:
            if key not in below:
                yield key, item
            elif () not in below[key]:
                yield key, _pruned(item, below[key])

    if isinstance(value, dict):
        return dict(kept(value.items()))
    if isinstance(value, list):
        return [item for _, item in kept(enumerate(value))]
    return value
