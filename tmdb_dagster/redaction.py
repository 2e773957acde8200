"""Keeps secrets out of texts that leave the process: log lines, errors, events, rows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from urllib.parse import parse_qsl, quote, quote_plus, unquote

REDACTED = "[redacted]"

_SHORTEST_SECRET = 6
"""What is shorter is in too many words to be taken out of them; a password that short is none."""
_SHORTEST_PART = 8
# A login may hold what it should have encoded; but not where the path is the secret.
_ADDRESS = r"[\w+.-]+://(?:(?P<login>{login}*)@)?(?P<host>[^/?#@]*)(?P<path>[^?#]*)(?:\?(?P<query>.*))?"
_NAMES_A_SECRET = re.compile("pass|pwd|secret|token|key|sig|auth", re.IGNORECASE)


def secrets_of_address(address: str, *, path: bool = False) -> set[str]:
    """What must not be shown of an address: itself, its password, and what its parameters call a secret.

    With `path` whoever knows the path may do as the address does. A password that is the user's or the database's name
    hides nothing, and is none.
    """
    found = re.fullmatch(_ADDRESS.format(login="[^/]" if path else "."), address.strip(), re.DOTALL)
    if found is None:
        return {address}
    user, _, password = (unquote(part) for part in (found["login"] or "").partition(":"))
    query = found["query"] or ""
    parameters = {value for name, value in parse_qsl(query) if _NAMES_A_SECRET.search(name)}
    secrets = set(parameters)
    if password and password not in (user, found["path"].strip("/")):
        secrets |= {password, f"{user}:{password}", base64.b64encode(f"{user}:{password}".encode()).decode()}
        # What a program shows that takes the @ or # of a password for the end of it.
        secrets |= {part for part in re.split(r"[@:/?#\[\]]", password) if len(part) >= _SHORTEST_PART}
    if path:
        secrets |= {f"{found['path']}?{query}" if query else found["path"], found["path"].strip("/")}
        parts = re.split("[/?&=]", f"{found['path']}/{query}")
        secrets |= {part for part in parts if len(part) >= _SHORTEST_PART and re.search("[0-9]", part)}
    return secrets | {address} if secrets else set()


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, in whatever form programs write them."""
    pattern = _pattern(frozenset(secrets))
    return text if pattern is None else pattern.sub(REDACTED, text)


@lru_cache(maxsize=16)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
    # The longest first: one secret may be the beginning of another.
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None


def _forms(secret: str) -> set[str]:
    """A secret as it stands in texts, URLs, forms, JSON, Python and HTML."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret), repr(secret)[1:-1]}
    return forms | {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
