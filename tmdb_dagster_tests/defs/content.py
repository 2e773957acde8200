"""What a catalogue says of its movies, without what differs between two equal ones: row ids and times."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text

_CONTENT = text("""
    SELECT
        w.tmdb_id,
        to_jsonb(w) - '{work_id,created_at,updated_at,last_refreshed_at}'::text[] AS work,
        (to_jsonb(m) - '{work_id,fetched_at,updated_at}'::text[]) #- '{streaming,updated_at}' AS meta,
        (SELECT content_hash FROM movie_responses WHERE work_id = w.work_id) AS response,
        (SELECT jsonb_agg(to_jsonb(r) - '{rating_id,work_id,last_seen_at}'::text[] ORDER BY source_name)
            FROM rating_sources r WHERE work_id = w.work_id) AS ratings,
        (SELECT jsonb_agg(to_jsonb(a) - '{work_id,computed_at}'::text[] ORDER BY method_version)
            FROM aggregates a WHERE work_id = w.work_id) AS aggregates,
        (SELECT jsonb_agg(to_jsonb(s) - '{id,work_id,created_at}'::text[] ORDER BY source, rank_order)
            FROM similar_movies s WHERE work_id = w.work_id) AS similar,
        (c.payload - '{work_id,last_updated}'::text[]) #- '{streaming,updated_at}' AS card,
        c.payload_short - 'work_id' AS short_card
    FROM works w LEFT JOIN works_meta m USING (work_id) LEFT JOIN work_cards_cache c USING (work_id)
""")


def catalogue_content(engine: Engine) -> dict[str, dict[str, Any]]:
    """All that the catalogue says, by TMDB id."""
    with engine.begin() as connection:
        return {str(row["tmdb_id"]): dict(row) for row in connection.execute(_CONTENT).mappings()}


def etags(engine: Engine) -> dict[str, str]:
    """The cards' etags by TMDB id; they cover our row ids."""
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT tmdb_id, etag FROM works JOIN work_cards_cache USING (work_id)"))
        return {row.tmdb_id: row.etag for row in rows}
