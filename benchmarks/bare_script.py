"""What the pipeline is measured against: the least that fills the same tables.

A pool of 20 threads, one call a movie, fields picked by key, COPY to temporary tables and an upsert. No retries, no
claims, no checks, no shared rate limit, no second run: it shows what the work itself costs.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import orjson
import psycopg2  # type: ignore[import-untyped]  # it has no types; SQLAlchemy would cost the script time
import requests
from requests.adapters import HTTPAdapter

from benchmarks.measure import measured
from tmdb_dagster.rate_limit import parse_rate_limit

WORKERS = 20
BATCH = 50
GZIP_LEVEL = 3  # half the time of the default
# Calls reach the server after different times; without some room a window could hold 41.
MARGIN_S = 0.06
IMAGES = "https://image.tmdb.org/t/p/"

Rows = dict[str, list[dict[str, Any]]]

KEYS = {
    "works": ("tmdb_id",),
    "movie_responses": ("work_id",),
    "works_meta": ("work_id",),
    "rating_sources": ("work_id", "source_name"),
    "aggregates": ("work_id", "method_version"),
    "similar_movies": ("work_id", "similar_tmdb_id", "source"),
    "work_cards_cache": ("work_id",),
    "tmdb_api_logs": (),
    "scheduled_ingestion_log": (),
}
"""The nine tables, and the keys by which rows replace those that are there."""


class SlidingWindow:
    """At most `calls` calls in any `seconds`, in this process."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._sent: deque[float] = deque(maxlen=calls)
        self._seconds = seconds + MARGIN_S
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Wait until one call may be sent."""
        with self._lock:
            moment = time.monotonic()
            if len(self._sent) == self._sent.maxlen:
                moment = max(moment, self._sent[0] + self._seconds)
            self._sent.append(moment)
        time.sleep(max(0.0, moment - time.monotonic()))


def fetch(session: requests.Session, url: str, movie_id: int, window: SlidingWindow | None) -> Rows:
    """One movie's rows; without a work_id yet."""
    status = 429
    while status == 429:
        if window is not None:
            window.acquire()
        sent_at, start = now(), time.perf_counter()
        with session.get(f"{url}/movie/{movie_id}", params=QUERY, timeout=60) as response:
            status, body = response.status_code, response.content
    response.raise_for_status()
    took_ms = milliseconds(start)
    rows = movie_rows(orjson.loads(body), sent_at)
    rows["movie_responses"] = [
        {
            "body": f"\\x{gzip.compress(body, GZIP_LEVEL).hex()}",
            "body_bytes": len(body),
            "content_hash": response.headers.get("etag", ""),
            "fetched_at": sent_at,
        }
    ]
    rows["tmdb_api_logs"] = [
        {
            "endpoint": f"/movie/{movie_id}",
            "method": "GET",
            "http_status": response.status_code,
            "response_size_bytes": len(body),
            "response_time_ms": took_ms,
            "tmdb_id": movie_id,
            "created_at": sent_at,
        }
    ]
    return rows


QUERY = {
    "api_key": "benchmark",
    "language": "en-US",
    "append_to_response": "credits,videos,similar,release_dates,images,keywords,watch/providers,"
    "translations,recommendations,external_ids,alternative_titles",
    "include_image_language": "en,null",
    "include_video_language": "en,null",
}


def movie_rows(movie: dict[str, Any], moment: str) -> Rows:
    """The rows of the derived tables, by plain key access."""
    tmdb_id, title, released = str(movie["id"]), movie["title"], movie["release_date"] or None
    year = int(released[:4]) if released else None
    score = (movie["vote_average"] or 0) * 10
    similar = first_ten(movie["similar"])
    meta = meta_row(movie, similar, moment)
    card = {"tmdb_id": tmdb_id, "title": title, "year": year, "ai_score": score, **meta}
    short = {"tmdb_id": tmdb_id, "title": title, "year": year, "ai_score": score, "poster": meta["poster_url_medium"]}
    work = {
        "tmdb_id": tmdb_id,
        "imdb_id": None,  # two movies may have the same one: the least leaves it out
        "title": title,
        "original_title": movie["original_title"],
        "year": year,
        "release_date": released,
        "last_refreshed_at": moment,
        "ingestion_status": "complete",
    }
    rating = {"source_name": "TMDB", "scale_type": "0_10", "value_raw": movie["vote_average"], "value_0_100": score}
    aggregate = {"method_version": "v1", "ai_score": score, "n_audience": movie["vote_count"]}
    return {
        "works": [work],
        "works_meta": [meta],
        "rating_sources": [{**rating, "votes_count": movie["vote_count"], "last_seen_at": moment}],
        "aggregates": [{**aggregate, "computed_at": moment}],
        "similar_movies": [
            {"similar_tmdb_id": one, "source": source, "rank_order": rank, "confidence": 0.3}
            for source, found in (("tmdb", similar), ("tmdb_recommendation", first_ten(movie["recommendations"])))
            for rank, one in enumerate(found, start=1)
        ],
        "work_cards_cache": [{"payload": card, "payload_short": short, "computed_at": moment}],
    }


def first_ten(movies: dict[str, Any]) -> list[int]:
    """Ids: TMDB may name a movie twice, and an upsert may not change a row twice."""
    return list(dict.fromkeys(one["id"] for one in movies["results"]))[:10]


def meta_row(movie: dict[str, Any], similar: list[int], moment: str) -> dict[str, Any]:
    """The row of works_meta."""
    videos = [video for video in movie["videos"]["results"] if video["site"] == "YouTube"]
    jobs = ("Director", "Writer", "Screenplay", "Producer", "Director of Photography", "Original Music Composer")
    return {
        "runtime_minutes": movie["runtime"],
        "tagline": movie["tagline"],
        "overview": movie["overview"],
        "overview_short": movie["overview"][:150],
        "genres": array(genre["name"] for genre in movie["genres"]),
        "keywords": array(keyword["name"] for keyword in movie["keywords"]["keywords"]),
        "poster_url_medium": image("w342", movie["poster_path"]),
        "poster_url_large": image("w500", movie["poster_path"]),
        "backdrop_url": image("w1280", movie["backdrop_path"]),
        "trailer_youtube_id": next((video["key"] for video in videos if video["type"] == "Trailer"), None),
        "cast_members": [
            {
                "person_id": person["id"],
                "name": person["name"],
                "character": person["character"],
                "photo_url_medium": image("w185", person["profile_path"]),
            }
            for person in movie["credits"]["cast"][:15]
        ],
        "crew_members": [
            {"person_id": person["id"], "name": person["name"], "job": person["job"]}
            for person in movie["credits"]["crew"]
            if person["job"] in jobs
        ][:10],
        "trailers": [{"key": video["key"], "name": video["name"], "type": video["type"]} for video in videos[:10]],
        "still_images": [image("w780", backdrop["file_path"]) for backdrop in movie["images"]["backdrops"][:5]],
        "streaming": movie["watch/providers"]["results"].get("US"),
        "production_companies": movie["production_companies"],
        "collection": movie["belongs_to_collection"],
        "production_countries": array(country["name"] for country in movie["production_countries"]),
        "spoken_languages": array(language["name"] for language in movie["spoken_languages"]),
        "original_language": movie["original_language"],
        "budget": movie["budget"],
        "revenue_worldwide": movie["revenue"],
        "external_ids": movie["external_ids"],
        "similar_movie_ids": array(str(one) for one in similar),
        "fetched_at": moment,
    }


def image(size: str, path: str | None) -> str | None:
    """An image's URL."""
    return f"{IMAGES}{size}{path}" if path else None


def array(names: Iterable[str]) -> str:
    """A Postgres array."""
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"


def now() -> str:
    """This moment, for a TIMESTAMPTZ column."""
    return time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())


def milliseconds(start: float) -> int:
    """Since `start`."""
    return round((time.perf_counter() - start) * 1000)


def write(connection: Any, movies: list[Rows]) -> None:
    """All tables of a batch in one transaction."""
    with connection, connection.cursor() as cursor:
        copy(cursor, "works", [row for movie in movies for row in movie["works"]])
        cursor.execute("SELECT tmdb_id, work_id FROM works JOIN new_works n USING (tmdb_id)")
        work_ids = dict(cursor.fetchall())
        for movie in movies:
            work_id = work_ids[movie["works"][0]["tmdb_id"]]
            for table, rows in movie.items():
                if table not in ("works", "tmdb_api_logs"):
                    for row in rows:
                        row["work_id"] = work_id
        for table in movies[0]:
            if table != "works":
                copy(cursor, table, [row for movie in movies for row in movie[table]])


def copy(cursor: Any, table: str, rows: list[dict[str, Any]]) -> None:
    """COPY to a temporary table, and from there an upsert."""
    if not rows:
        return
    columns = ", ".join(rows[0])
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in rows[0] if name not in KEYS[table])
    conflict = f"ON CONFLICT ({', '.join(KEYS[table])}) DO UPDATE SET {updates}" if KEYS[table] else ""
    cursor.execute(f"CREATE TEMPORARY TABLE new_{table} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA")
    lines = "".join("\t".join(map(field, row.values())) + "\n" for row in rows)
    cursor.copy_expert(f"COPY new_{table} ({columns}) FROM STDIN", io.StringIO(lines))
    cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new_{table} {conflict}")


def field(value: Any) -> str:
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    text = orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def ingest(movie_ids: list[int], url: str, database: str, window: SlidingWindow | None) -> int:
    """Fetch in threads and write meanwhile; returns how many movies were written."""
    start = time.perf_counter()
    connection = psycopg2.connect(database)
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=WORKERS))
    written = 0
    batch: list[Rows] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(fetch, session, url, movie_id, window) for movie_id in movie_ids]
        for future in as_completed(futures):
            batch.append(future.result())
            if len(batch) == BATCH or written + len(batch) == len(futures):
                write(connection, batch)
                written += len(batch)
                batch = []
    with connection, connection.cursor() as cursor:
        counts = {"movies_checked": written, "movies_skipped": 0, "movies_ingested": written, "movies_failed": 0}
        row = {"source": "popular", "trigger_type": "manual", "duration_ms": milliseconds(start), **counts}
        copy(cursor, "scheduled_ingestion_log", [row])
    connection.close()
    return written


def main() -> None:
    """Ingest the movies whose TMDB ids come by standard input (JSON), and report."""
    movie_ids = json.load(sys.stdin)
    database = os.environ["DATABASE_URL"].replace("postgresql+psycopg2", "postgresql")
    limit = parse_rate_limit(os.environ["TMDB_RATE_LIMIT"])
    window = None if limit is None else SlidingWindow(limit.calls, limit.seconds)
    with measured() as result:
        result["movies"] = ingest(movie_ids, os.environ["TMDB_API_URL"], database, window)


if __name__ == "__main__":
    main()
