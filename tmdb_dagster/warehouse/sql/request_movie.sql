-- Callers name the parameter (rpc): a bare tmdb_id is the column, request_movie.tmdb_id is what was asked for.
CREATE OR REPLACE FUNCTION request_movie(tmdb_id bigint) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
DECLARE
    asked_id constant text := request_movie.tmdb_id::text;
    asked_by constant text := nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '');
    today constant date := (clock_timestamp() AT TIME ZONE 'utc')::date;
    limits request_limits%ROWTYPE;
    work works%ROWTYPE;
    refusal text;
    under_way boolean;
BEGIN
    IF asked_id IS NULL OR request_movie.tmdb_id NOT BETWEEN 1 AND 2147483647 THEN
        RETURN jsonb_build_object('status', 'refused', 'work_id', NULL, 'reason',
            'tmdb_id is ' || coalesce(asked_id, 'missing') || ', and must be a TMDB movie id: 1 or more, such as 603.');
    END IF;
    -- What is there is answered without waiting for other requests.
    SELECT * INTO work FROM works WHERE tmdb_id = asked_id;
    refusal := CASE
        WHEN EXISTS (SELECT FROM excluded_movies WHERE tmdb_id = asked_id)
        THEN 'The owner of this catalogue keeps the movie out.'
        WHEN work.merged_into IS NOT NULL THEN 'TMDB has this movie as ' || work.merged_into || ' now.'
        WHEN work.gone_at IS NOT NULL THEN 'TMDB does not know this movie any more.'
        WHEN work.last_refreshed_at IS NULL THEN (
            SELECT reason FROM refused_requests
            WHERE tmdb_id = asked_id AND refused_at > clock_timestamp() - interval '7 days'
        )
    END;
    IF refusal IS NULL AND work.ingestion_status = 'complete' AND NOT is_stale(work.work_id) THEN
        UPDATE works SET request_count = coalesce(request_count, 0) + 1 WHERE work_id = work.work_id;
        RETURN jsonb_build_object('status', 'complete', 'work_id', work.work_id, 'reason', NULL);
    END IF;
    IF refusal IS NULL THEN
        -- From here requests go one at a time, so that what is counted stays so.
        INSERT INTO request_limits DEFAULT VALUES ON CONFLICT DO NOTHING;
        SELECT * INTO limits FROM request_limits FOR UPDATE;
        SELECT * INTO work FROM works WHERE tmdb_id = asked_id FOR NO KEY UPDATE;
        under_way := EXISTS (
            SELECT FROM run_leases l
            WHERE work.ingestion_status = 'ingesting' AND l.run_id = work.claimed_by
                AND l.expires_at > clock_timestamp()
        ) OR EXISTS (
            SELECT FROM refresh_queue q
            WHERE q.work_id = work.work_id AND q.status IN ('queued', 'processing') AND q.reason = 'requested'
        );
        refusal := CASE
            WHEN under_way THEN NULL
            WHEN limits.waiting <= (
                SELECT count(*) FROM refresh_queue q
                WHERE q.status IN ('queued', 'processing') AND q.reason = 'requested'
            ) THEN 'As many requests wait as may wait at once (' || limits.waiting || '): ask again later.'
            WHEN limits.per_day <= coalesce((SELECT requests FROM request_counts WHERE day = today AND person = ''), 0)
            THEN 'As many movies were asked for as may be in a day (' || limits.per_day || '): ask again tomorrow.'
            WHEN asked_by IS NOT NULL AND limits.per_person <= coalesce(
                (SELECT requests FROM request_counts WHERE day = today AND person = asked_by), 0
            )
            THEN 'You have asked for as many movies as you may in a day (' || limits.per_person
                || '): ask again tomorrow.'
        END;
    END IF;
    IF refusal IS NOT NULL THEN
        RETURN jsonb_build_object('status', 'refused', 'work_id', work.work_id, 'reason', refusal);
    END IF;
    IF work.work_id IS NULL THEN
        INSERT INTO works (tmdb_id, title, ingestion_status, added_by)
        VALUES (asked_id, 'TMDB movie ' || asked_id, 'pending', 'request')
        ON CONFLICT (tmdb_id) DO NOTHING; -- a run has just claimed it
    END IF;
    UPDATE works SET
        request_count = coalesce(request_count, 0) + 1,
        -- A row that a claim made would go with its run, were that to end before the movie is written.
        status_before_claim = CASE
            WHEN ingestion_status = 'ingesting' THEN coalesce(status_before_claim, 'pending') ELSE status_before_claim
        END
    WHERE tmdb_id = asked_id RETURNING * INTO work;
    IF NOT under_way THEN
        INSERT INTO refresh_queue AS q (work_id, priority, reason) VALUES (work.work_id, 100, 'requested')
        ON CONFLICT (work_id) WHERE status IN ('queued', 'processing') DO UPDATE SET
            priority = greatest(q.priority, EXCLUDED.priority), reason = EXCLUDED.reason,
            due_at = least(q.due_at, EXCLUDED.due_at);
        INSERT INTO request_counts AS c (day, person, requests)
        SELECT today, who, 1 FROM unnest(ARRAY['', asked_by]) AS who WHERE who IS NOT NULL
        ON CONFLICT (day, person) DO UPDATE SET requests = c.requests + 1;
    END IF;
    RETURN jsonb_build_object('status', 'queued', 'work_id', work.work_id, 'reason', NULL);
END
$$;

-- It runs with its owner's rights, so nobody else may choose what the names in it mean, and not everybody may call it.
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION request_movie(bigint) SET search_path TO %I, pg_temp', current_schema());
END $do$;
REVOKE ALL ON FUNCTION request_movie(bigint) FROM PUBLIC;

COMMENT ON FUNCTION request_movie(bigint) IS
    'Asks for a movie by its TMDB id: {"status": complete, queued or refused, "work_id", "reason" of a refusal}. A queued '
    'one is ingested within a minute where the daemon runs. request_limits says how much may be asked for.';
