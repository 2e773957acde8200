"""Addresses of Postgres as people copy them: read, and written so that every program reads them alike."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

_SCHEME = re.compile(r"(postgres|postgresql|postgresql\+psycopg2)://(.*)", re.DOTALL)
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#\[\]@]*)(?::([0-9]{1,5}))?((?:/[^?#]*)?)(?:\?(.*))?")

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_KNOWN_TO_LIBPQ = frozenset(
    re.findall(
        r"\w+",
        """
        application_name channel_binding client_encoding connect_timeout dbname fallback_application_name
        gssdelegation gssencmode gsslib host hostaddr keepalives keepalives_count keepalives_idle keepalives_interval
        krbsrvname load_balance_hosts max_protocol_version min_protocol_version oauth_client_id oauth_client_secret
        oauth_issuer oauth_scope options passfile password port replication require_auth requirepeer requiressl
        scram_client_key scram_server_key service servicefile ssl_max_protocol_version ssl_min_protocol_version
        sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey sslkeylogfile sslmode sslnegotiation sslpassword
        sslrootcert sslsni target_session_attrs tcp_user_timeout user
        """,
    )
)
# What other programs' parameters are called here.
_INSTEAD = {
    "schema": "set DATABASE_SCHEMA instead",
    "currentschema": "set DATABASE_SCHEMA instead",
    "search_path": "set DATABASE_SCHEMA instead",
    "connection_limit": "TMDB_CONCURRENCY says how many connections a run opens",
    "pool_timeout": "nothing takes its place",
    "pgbouncer": "poolers need no parameter here",
}


def read_database_url(given: str) -> str:
    """The address for SQLAlchemy, its user and password percent-encoded as they must be.

    Raises ValueError, which shows no part of the address.
    """
    scheme = _SCHEME.fullmatch(given.strip())
    if scheme is None:
        raise ValueError("expected an address such as `postgresql://user:password@host:5432/name`")
    if scheme[2].count("@") > 1:
        raise ValueError("it has more than one @: write those in the password as %40")
    login, at, rest = scheme[2].rpartition("@")
    user, colon, password = login.partition(":")
    if re.fullmatch(r"\[.*\]|<.*>", password):
        raise ValueError(
            "the password stands in brackets, as the placeholder in a copied address does: leave them out, or write "
            "them as %5B and %5D if they belong to it"
        )
    place = _PLACE.fullmatch(rest)
    if place is None or int(place[2] or 0) > 65535:
        raise ValueError("what follows the password must be `@host:port/name`, its port a number up to 65535")
    _check_parameters(place[4] or "")
    encoded = f"{quote(unquote(user), safe='')}{colon}{quote(unquote(password), safe='')}"
    return f"postgresql+psycopg2://{encoded}{at}{rest}"


def _check_parameters(query: str) -> None:
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name not in _KNOWN_TO_LIBPQ:
            known = re.fullmatch(r"\w{1,30}", name) is not None
            what = f"the parameter `{name}`" if known else "a parameter"
            instead = f" ({_INSTEAD[name.lower()]})" if name.lower() in _INSTEAD else ""
            raise ValueError(
                f"it has {what}, which Postgres's own client does not know, as Prisma's address of Supabase has: "
                f"take it out{instead}"
            )
