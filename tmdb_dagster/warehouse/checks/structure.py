"""What must hold between rows whatever was cut, killed or answered: who owns what, what agrees with what."""

from __future__ import annotations

from tmdb_dagster.warehouse.checks.check import Check, none_of
from tmdb_dagster.warehouse.images import MAX_ATTEMPTS
from tmdb_dagster.warehouse.leases import lease_lives
from tmdb_dagster.warehouse.refresh_queue import MAX_RETRIES

_REBUILD = "Run rebuild_from_raw; for works without a stored answer run batch_ingest with force_refresh."
_RESCUE = "The sensor rescue_dead_work frees it within minutes: see that it is on, and that the daemon runs."
_MOVIE = "w.title || ' (TMDB id ' || w.tmdb_id || ')'"


# A file of a movie's own, by its key, and the column that shows it.
_SHOWN = """(VALUES ('posters/%_medium.jpg', 'poster_url_medium'), ('posters/%_large.jpg', 'poster_url_large'),
    ('trailers/%_thumb.jpg', 'trailer_thumbnail')) AS s(key, shown)"""

STRUCTURE_CHECKS = (
    Check(
        "answers_are_stored",
        "works",
        "error",
        "Every complete work that this pipeline refreshed has TMDB's answer.",
        "Run batch_ingest with force_refresh.",
        none_of(
            "works without an answer",
            f"""SELECT {_MOVIE} AS example, count(*) OVER () AS found FROM works w
            WHERE w.ingestion_status = 'complete' AND w.last_refreshed_at >= (SELECT min(since) FROM catalogue_origin)
                AND NOT EXISTS (SELECT FROM movie_responses r WHERE r.work_id = w.work_id)
            ORDER BY w.work_id""",  # noqa: S608 - constants only, here and below
        ),
    ),
    Check(
        "works_are_in_one_state",
        "works",
        "error",
        "Only a work that is being ingested is claimed, and a complete one is neither gone nor has an error.",
        "Run batch_ingest with force_refresh; if it comes again, it is a fault of the pipeline.",
        none_of(
            "works in two states",
            f"""SELECT {_MOVIE} || ': ' || coalesce(w.ingestion_status, 'no status') || concat_ws(
                    ', ', '', 'claimed by ' || w.claimed_by, 'before ' || w.status_before_claim,
                    'gone at ' || w.gone_at
                ) AS example, count(*) OVER () AS found
            FROM works w
            WHERE w.ingestion_status IS DISTINCT FROM 'ingesting'
                    AND (w.claimed_by IS NOT NULL OR w.status_before_claim IS NOT NULL)
                OR w.ingestion_status = 'complete' AND w.gone_at IS NOT NULL
            ORDER BY w.work_id""",  # noqa: S608
        ),
    ),
    Check(
        "entries_are_in_one_state",
        "works",
        "error",
        "An entry of the queue is claimed, by a run that lives, while it is processed, and never else.",
        _RESCUE,
        none_of(
            "entries in two states",
            f"""SELECT 'entry ' || q.id || ' (work ' || coalesce(q.work_id::text, 'none') || '): '
                    || coalesce(q.status, 'no status') || ', claimed by ' || coalesce(q.claimed_by, 'nobody')
                    AS example, count(*) OVER () AS found
            FROM refresh_queue q
            WHERE (q.status IS NOT DISTINCT FROM 'processing') <> coalesce({lease_lives("q.claimed_by")}, false)
                OR q.status <> 'processing' AND q.claimed_by IS NOT NULL
            ORDER BY q.id""",  # noqa: S608
        ),
    ),
    Check(
        "one_open_entry",
        "works",
        "error",
        "A work has one open entry in the queue, or none.",
        "Set all but the oldest of them to completed.",
        none_of(
            "works with several open entries",
            """SELECT 'work ' || work_id || ': entries ' || string_agg(id::text, ', ' ORDER BY id::text) AS example,
                count(*) OVER () AS found
            FROM refresh_queue WHERE status IN ('queued', 'processing') GROUP BY work_id HAVING count(*) > 1""",
        ),
    ),
    Check(
        "tries_within_bounds",
        "works",
        "error",
        f"An entry is retried at most {MAX_RETRIES} times, and an image is given up after {MAX_ATTEMPTS} failures.",
        "If it comes again, it is a fault of the pipeline.",
        none_of(
            "counts out of bounds",
            f"""SELECT example, count(*) OVER () AS found FROM (
                    SELECT 'entry ' || id || ': ' || retry_count || ' retries' AS example FROM refresh_queue
                    WHERE NOT retry_count BETWEEN 0 AND {MAX_RETRIES}
                    UNION ALL
                    SELECT 'image ' || key || ': ' || status || ' after ' || attempts || ' failures'
                    FROM image_inventory
                    WHERE attempts < 0 OR (status = 'gave_up') <> (attempts >= {MAX_ATTEMPTS})
                    UNION ALL
                    SELECT {_MOVIE} || ': ' || failures || ' failures' FROM works w WHERE failures < 0
                ) AS counts ORDER BY example""",  # noqa: S608
        ),
    ),
    Check(
        "cards_agree",
        "work_cards_cache",
        "error",
        "Every card says what works and works_meta say: ids, title, year, poster and backdrop.",
        _REBUILD,
        none_of(
            "cards that disagree",
            f"""SELECT {_MOVIE} || ': ' || string_agg(d.name, ', ' ORDER BY d.name) AS example,
                count(*) OVER () AS found
            FROM works w JOIN works_meta m USING (work_id) JOIN work_cards_cache k USING (work_id),
            LATERAL (VALUES
                ('work_id', k.payload ->> 'work_id', w.work_id::text),
                ('tmdb_id', k.payload ->> 'tmdb_id', w.tmdb_id),
                ('imdb_id', k.payload ->> 'imdb_id', w.imdb_id),
                ('title', k.payload ->> 'title', w.title),
                ('year', k.payload ->> 'year', w.year::text),
                ('poster.small', k.payload #>> '{{poster,small}}', m.poster_url_small),
                ('poster.medium', k.payload #>> '{{poster,medium}}', m.poster_url_medium),
                ('poster.large', k.payload #>> '{{poster,large}}', m.poster_url_large),
                ('backdrop', k.payload ->> 'backdrop', m.backdrop_url),
                ('the short work_id', k.payload_short ->> 'work_id', w.work_id::text),
                ('the short tmdb_id', k.payload_short ->> 'tmdb_id', w.tmdb_id),
                ('the short title', k.payload_short ->> 'title', w.title),
                ('the short poster', k.payload_short ->> 'poster', m.poster_url_medium)
            ) AS d(name, card, said)
            WHERE d.card IS DISTINCT FROM d.said AND w.ingestion_status = 'complete' AND k.payload ? 'attribution'
            GROUP BY w.work_id, w.title, w.tmdb_id ORDER BY w.work_id""",  # noqa: S608
        ),
    ),
    Check(
        "images_agree",
        "works_meta",
        "error",
        "What a movie shows is in the inventory, as its own file or a person's, and works_meta shows ours where it is.",
        "Run repair_images.",
        none_of(
            "images that disagree",
            f"""SELECT example, count(*) OVER () AS found FROM (
                    SELECT 'work ' || l.work_id || ' shows ' || l.key || ', which is '
                        || coalesce('of work ' || i.work_id || ', ' || i.status, 'not in the inventory') AS example
                    FROM work_images l LEFT JOIN image_inventory i USING (key)
                    WHERE i.key IS NULL OR i.work_id <> l.work_id
                        OR l.sha256 IS NOT NULL AND (
                            i.sha256 IS NULL OR l.sha256 <> i.sha256 AND NOT i.replaced AND i.status = 'stored'
                        )
                    UNION ALL
                    SELECT 'image ' || key || ' is stored without a place, size or hash' FROM image_inventory
                    WHERE status = 'stored' AND (store IS NULL OR bytes IS NULL OR sha256 IS NULL)
                    UNION ALL
                    SELECT 'work ' || l.work_id || ' has ' || l.key || ', and its ' || s.shown || ' shows '
                        || coalesce(to_jsonb(m) ->> s.shown, 'nothing')
                    FROM {_SHOWN} JOIN work_images l ON l.key LIKE s.key JOIN works_meta m USING (work_id)
                    WHERE (l.sha256 IS NOT NULL) <> coalesce(
                        position(l.key || '?v=' || left(l.sha256, 8) IN to_jsonb(m) ->> s.shown) > 0, false
                    )
                ) AS images ORDER BY example""",  # noqa: S608
        ),
    ),
    Check(
        "batches_are_owned",
        "candidates",
        "error",
        "Every batch of candidates is closed, or a run that lives works on it.",
        "The next weekly_ingest goes on with it, or closes it.",
        none_of(
            "batches that nobody works on",
            f"""SELECT 'batch ' || b.batch_id || ' (' || b.source || ') of run ' || b.run_id AS example,
                count(*) OVER () AS found
            FROM ingest_batches b WHERE b.closed_at IS NULL AND NOT {lease_lives("b.run_id")}
            ORDER BY b.batch_id""",  # noqa: S608
        ),
    ),
    Check(
        "closed_batches_are_logged",
        "candidates",
        "error",
        "Every batch that was worked on and closed has its row in scheduled_ingestion_log.",
        "If it comes again, it is a fault of the pipeline.",
        none_of(
            "batches without a log row",
            # Candidates that were only chosen are a closed batch, too.
            """SELECT 'batch ' || b.batch_id || ' of run ' || b.run_id AS example, count(*) OVER () AS found
            FROM ingest_batches b
            WHERE b.closed_at IS NOT NULL
                AND EXISTS (SELECT FROM ingest_candidates c WHERE c.batch_id = b.batch_id AND c.outcome IS NOT NULL)
                AND NOT EXISTS (SELECT FROM scheduled_ingestion_log l WHERE l.run_id = b.run_id)
            ORDER BY b.batch_id""",
        ),
    ),
    Check(
        "one_origin",
        "works",
        "error",
        "The movies are TMDB's or the sandbox's, not both.",
        "Empty the catalogue with `tmdb-dagster purge`, and ingest anew.",
        none_of(
            "origins",
            """SELECT string_agg(origin, ' and ' ORDER BY origin) AS example, count(*) AS found
            FROM catalogue_origin HAVING count(*) > 1""",
        ),
    ),
)
