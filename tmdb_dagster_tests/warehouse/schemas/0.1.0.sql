SET check_function_bodies = false;

CREATE FUNCTION public.age_tiers() RETURNS TABLE(age_tier text, released_from date, released_to date, refresh_days integer, priority integer)
    LANGUAGE sql STABLE
    AS $$
    SELECT tiers.*
    FROM (SELECT (now() AT TIME ZONE 'utc')::date AS today) AS d, LATERAL (VALUES
        ('0-30', d.today - 30, 'infinity'::date, 2, 60),
        ('31-180', d.today - 180, d.today - 31, 7, 30),
        ('181-365', d.today - 365, d.today - 181, 14, 20),
        ('over 365', '-infinity'::date, d.today - 366, 30, 10)
    ) AS tiers
$$;

COMMENT ON FUNCTION public.age_tiers() IS 'The tiers of movies by days since their release: first and last release date (those to come are in the first tier), after how many days such a movie is refreshed, and with which priority.';

CREATE FUNCTION public.calculate_staleness_days(release_date date) RETURNS integer
    LANGUAGE sql STABLE
    AS $$
    SELECT t.refresh_days FROM age_tiers() t
    WHERE coalesce(release_date, '-infinity') BETWEEN t.released_from AND t.released_to
$$;

COMMENT ON FUNCTION public.calculate_staleness_days(release_date date) IS 'Days after which a movie of this release date is refreshed; newer movies sooner.';

CREATE FUNCTION public.current_schema_version() RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$SELECT 5$$;

COMMENT ON FUNCTION public.current_schema_version() IS 'Version of the rules that the tables are written by; a work with a lower one is stale.';

CREATE FUNCTION public.endpoint_pattern(endpoint text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT regexp_replace(endpoint, '(?<!/)/[0-9]+\y', '/{id}', 'g')
$$;

COMMENT ON FUNCTION public.endpoint_pattern(endpoint text) IS 'An endpoint with {id} for ids, such as /movie/{id}.';

CREATE FUNCTION public.failure_reason(message text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT regexp_replace(
        regexp_replace(
            regexp_replace(
                endpoint_pattern(regexp_replace(message, '(https?://[^/ ]+)/[^ :]*', '\1/...', 'g')),
                ' \(attempt [0-9]+\)', '', 'g'
            ),
            ': line [0-9]+ column [0-9]+ \(char [0-9]+\)', '', 'g'
        ),
        '[0-9]+ (bytes|more expected)', '\1', 'g'
    )
$$;

COMMENT ON FUNCTION public.failure_reason(message text) IS 'Why something failed, without the movie''s id, an image''s path, the attempt, and how far a broken answer came.';

CREATE FUNCTION public.get_stale_movies(limit_count integer) RETURNS TABLE(work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamp with time zone)
    LANGUAGE sql STABLE
    AS $$
    SELECT work_id, tmdb_id, title, release_date, last_refreshed_at FROM stale_works(limit_count)
$$;

COMMENT ON FUNCTION public.get_stale_movies(limit_count integer) IS 'stale_works under the name that older readers call.';

CREATE TABLE public.tmdb_api_logs (
    id bigint NOT NULL,
    endpoint text NOT NULL,
    method text,
    http_status integer,
    query_params jsonb,
    request_body jsonb,
    response_size_bytes integer,
    response_time_ms integer,
    results_count integer,
    edge_function text,
    user_query text,
    tmdb_id text,
    voice_event_id uuid,
    error_message text,
    retry_count integer,
    metadata jsonb,
    created_at timestamp with time zone DEFAULT now()
);

COMMENT ON TABLE public.tmdb_api_logs IS 'One row a call to TMDB, retries included.';

COMMENT ON COLUMN public.tmdb_api_logs.id IS 'Row id.';

COMMENT ON COLUMN public.tmdb_api_logs.endpoint IS 'Path below /3, such as /movie/603.';

COMMENT ON COLUMN public.tmdb_api_logs.method IS 'HTTP method.';

COMMENT ON COLUMN public.tmdb_api_logs.http_status IS 'HTTP status; 0 where no answer came.';

COMMENT ON COLUMN public.tmdb_api_logs.query_params IS 'Query parameters; never the key.';

COMMENT ON COLUMN public.tmdb_api_logs.request_body IS 'Request body; NULL for GET.';

COMMENT ON COLUMN public.tmdb_api_logs.response_size_bytes IS 'Size of the decoded answer.';

COMMENT ON COLUMN public.tmdb_api_logs.response_time_ms IS 'Milliseconds from sending to the last byte.';

COMMENT ON COLUMN public.tmdb_api_logs.results_count IS 'Rows in the answer.';

COMMENT ON COLUMN public.tmdb_api_logs.edge_function IS 'The Dagster job that called, or the assets that ran outside of a job.';

COMMENT ON COLUMN public.tmdb_api_logs.user_query IS 'Kept for the app; the pipeline leaves it empty.';

COMMENT ON COLUMN public.tmdb_api_logs.tmdb_id IS 'TMDB id of the movie asked for.';

COMMENT ON COLUMN public.tmdb_api_logs.voice_event_id IS 'Kept for the app; the pipeline leaves it empty.';

COMMENT ON COLUMN public.tmdb_api_logs.error_message IS 'What was wrong; NULL for a success.';

COMMENT ON COLUMN public.tmdb_api_logs.retry_count IS '0 for the first try.';

COMMENT ON COLUMN public.tmdb_api_logs.metadata IS 'run_id, appended parts and the like.';

COMMENT ON COLUMN public.tmdb_api_logs.created_at IS 'When the call was sent.';

CREATE FUNCTION public.is_failed_call(call public.tmdb_api_logs) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT call.error_message IS NOT NULL OR call.http_status < 200 OR call.http_status >= 400
$$;

COMMENT ON FUNCTION public.is_failed_call(call public.tmdb_api_logs) IS 'Whether a call to TMDB had no good answer.';

CREATE FUNCTION public.is_stale(work_id_input bigint) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT w.last_refreshed_at IS NULL
        OR w.last_refreshed_at <= now() - make_interval(days => t.refresh_days)
        OR coalesce(m.schema_version, 0) < current_schema_version()
        OR coalesce(NOT k.payload ? 'attribution', false)
    FROM works w
    JOIN age_tiers() t ON coalesce(w.release_date, '-infinity') BETWEEN t.released_from AND t.released_to
    LEFT JOIN works_meta m USING (work_id)
    LEFT JOIN work_cards_cache k USING (work_id)
    WHERE w.work_id = work_id_input
$$;

COMMENT ON FUNCTION public.is_stale(work_id_input bigint) IS 'Whether a work is due for a refresh, by its age tier, its schema version or a card without attribution; NULL for an unknown work.';

CREATE FUNCTION public.queueable_works() RETURNS TABLE(work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamp with time zone)
    LANGUAGE sql STABLE
    AS $_$
    SELECT w.work_id, w.tmdb_id, w.title, w.release_date, w.last_refreshed_at
    FROM works w
    WHERE w.tmdb_id ~ '^[0-9]+$'
        AND (w.retry_at IS NULL OR w.retry_at <= now())
        AND NOT EXISTS (
            SELECT FROM refresh_queue q WHERE q.work_id = w.work_id AND q.status IN ('queued', 'processing')
        )
$_$;

COMMENT ON FUNCTION public.queueable_works() IS 'The works that TMDB can be asked for, that need not wait after a failure, and that are not queued.';

CREATE FUNCTION public.remove_unfinished_works(run_id_input text) RETURNS integer
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH removed AS (
        DELETE FROM works w WHERE w.work_id IN (
            SELECT c.work_id FROM works c
            WHERE c.ingestion_status = 'ingesting' AND c.claimed_by IS NOT NULL AND c.status_before_claim IS NULL
                AND CASE WHEN run_id_input IS NULL THEN NOT EXISTS (
                    SELECT FROM run_leases l WHERE l.run_id = c.claimed_by AND l.expires_at > clock_timestamp()
                ) ELSE c.claimed_by = run_id_input END
            FOR UPDATE SKIP LOCKED
        ) RETURNING w.work_id
    )
    SELECT count(*)::integer FROM removed
$$;

COMMENT ON FUNCTION public.remove_unfinished_works(run_id_input text) IS 'Removes the works that a run (NULL: those that died) made and did not finish; returns how many. Thus the pipeline''s role needs no DELETE on works.';

CREATE FUNCTION public.stale_works(limit_count integer) RETURNS TABLE(work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamp with time zone, priority integer, reason text)
    LANGUAGE sql STABLE
    AS $$
    SELECT * FROM (
        SELECT DISTINCT ON (b.work_id) * FROM (
            (
                SELECT w.*, 80 AS priority, 'new' AS reason
                FROM queueable_works() w WHERE w.last_refreshed_at IS NULL
                ORDER BY w.work_id LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, 80, 'schema'
                FROM works_meta m JOIN queueable_works() w USING (work_id)
                WHERE coalesce(m.schema_version, 0) < current_schema_version()
                ORDER BY coalesce(m.schema_version, 0), m.work_id LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, 80, 'schema'
                FROM work_cards_cache k JOIN queueable_works() w USING (work_id)
                WHERE NOT k.payload ? 'attribution'
                ORDER BY k.work_id LIMIT limit_count
            ) UNION ALL (
                SELECT w.*, t.priority, CASE WHEN t.released_to = 'infinity' THEN 'recent' ELSE 'stale' END
                FROM age_tiers() t, LATERAL (
                    SELECT * FROM queueable_works() w
                    WHERE w.release_date >= ANY (ARRAY[t.released_from]) AND w.release_date <= t.released_to
                        AND w.last_refreshed_at <= now() - make_interval(days => t.refresh_days)
                    ORDER BY w.release_date DESC, w.last_refreshed_at LIMIT limit_count
                ) AS w
                WHERE t.released_from <> '-infinity'
            ) UNION ALL (
                SELECT w.*, t.priority, 'stale'
                FROM age_tiers() t, LATERAL (
                    SELECT * FROM queueable_works() w
                    WHERE w.last_refreshed_at <= now() - make_interval(days => t.refresh_days)
                    ORDER BY w.last_refreshed_at LIMIT limit_count
                ) AS w
                WHERE t.released_from = '-infinity'
            )
        ) AS b ORDER BY b.work_id, b.priority DESC
    ) AS w
    ORDER BY w.priority DESC, w.release_date DESC NULLS LAST, w.last_refreshed_at NULLS FIRST, w.work_id
    LIMIT limit_count
$$;

COMMENT ON FUNCTION public.stale_works(limit_count integer) IS 'The most urgent stale works that are not queued yet: never refreshed, of an old schema version or with a card without attribution, released within 30 days, then tier by tier; newest releases first, then the longest unrefreshed.';

CREATE TABLE public.aggregates (
    work_id bigint NOT NULL,
    method_version text NOT NULL,
    ai_score real,
    ai_score_low real,
    ai_score_high real,
    n_audience integer,
    n_critics integer,
    audience_score real,
    source_scores jsonb,
    inputs_fingerprint text,
    computed_at timestamp with time zone
);

COMMENT ON TABLE public.aggregates IS 'Scores of a movie, one row a method.';

COMMENT ON COLUMN public.aggregates.work_id IS 'The movie.';

COMMENT ON COLUMN public.aggregates.method_version IS 'Name of the score method.';

COMMENT ON COLUMN public.aggregates.ai_score IS 'Score, 0 to 100.';

COMMENT ON COLUMN public.aggregates.ai_score_low IS 'Lower end of the score''s interval.';

COMMENT ON COLUMN public.aggregates.ai_score_high IS 'Upper end of the score''s interval.';

COMMENT ON COLUMN public.aggregates.n_audience IS 'Audience votes that went in.';

COMMENT ON COLUMN public.aggregates.n_critics IS 'Critics'' votes that went in.';

COMMENT ON COLUMN public.aggregates.audience_score IS 'Plain audience rating, 0 to 100.';

COMMENT ON COLUMN public.aggregates.source_scores IS 'Score and votes by source: {"tmdb": {"score", "votes"}}.';

COMMENT ON COLUMN public.aggregates.inputs_fingerprint IS 'Hash of the method and its inputs.';

COMMENT ON COLUMN public.aggregates.computed_at IS 'When the score was computed.';

CREATE TABLE public.catalogue_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.catalogue_origin (
    origin text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT catalogue_origin_origin_check CHECK ((origin = ANY (ARRAY['tmdb'::text, 'sandbox'::text])))
);

COMMENT ON TABLE public.catalogue_origin IS 'Whose movies these are. The sandbox''s synthetic movies never mix with TMDB''s.';

COMMENT ON COLUMN public.catalogue_origin.origin IS 'tmdb or sandbox.';

COMMENT ON COLUMN public.catalogue_origin.since IS 'When the first movie came.';

CREATE TABLE public.image_inventory (
    key text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    work_id bigint,
    person_id text,
    source_path text NOT NULL,
    source_size text NOT NULL,
    source_at timestamp with time zone NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    store text,
    bytes integer,
    width integer,
    height integer,
    sha256 text,
    replaced boolean DEFAULT false NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_error text,
    next_attempt_at timestamp with time zone,
    checked_at timestamp with time zone,
    claimed_by text,
    CONSTRAINT image_inventory_kind_check CHECK ((kind = ANY (ARRAY['poster'::text, 'backdrop'::text, 'trailer'::text, 'cast'::text, 'still'::text]))),
    CONSTRAINT image_inventory_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'stored'::text, 'failed'::text, 'gave_up'::text])))
);

COMMENT ON TABLE public.image_inventory IS 'Every image that the catalogue wants to have, and whether it has it.';

COMMENT ON COLUMN public.image_inventory.key IS 'Name of the file, such as posters/7_large.jpg.';

COMMENT ON COLUMN public.image_inventory.kind IS 'poster, backdrop, trailer, cast or still.';

COMMENT ON COLUMN public.image_inventory.work_id IS 'The movie; NULL for cast photos, which movies share.';

COMMENT ON COLUMN public.image_inventory.person_id IS 'TMDB''s id of the person on a cast photo.';

COMMENT ON COLUMN public.image_inventory.source_path IS 'TMDB''s file path, or youtube: and the video''s key.';

COMMENT ON COLUMN public.image_inventory.source_size IS 'Size asked for, such as w342.';

COMMENT ON COLUMN public.image_inventory.source_at IS 'When TMDB''s answer that names the source was fetched; an older one changes nothing.';

COMMENT ON COLUMN public.image_inventory.status IS 'pending (not tried yet), stored, failed (tried again at next_attempt_at) or gave_up.';

COMMENT ON COLUMN public.image_inventory.store IS 'Where the file is: a folder, or a bucket at an endpoint.';

COMMENT ON COLUMN public.image_inventory.bytes IS 'Size of the file.';

COMMENT ON COLUMN public.image_inventory.width IS 'Pixels.';

COMMENT ON COLUMN public.image_inventory.height IS 'Pixels.';

COMMENT ON COLUMN public.image_inventory.sha256 IS 'SHA-256 of the file.';

COMMENT ON COLUMN public.image_inventory.replaced IS 'Whether the file once had other content: then movies may still show that.';

COMMENT ON COLUMN public.image_inventory.attempts IS 'Failed tries since the last success.';

COMMENT ON COLUMN public.image_inventory.last_error IS 'Why the last try failed; NULL after a success.';

COMMENT ON COLUMN public.image_inventory.next_attempt_at IS 'When it is tried again; NULL: nothing to try.';

COMMENT ON COLUMN public.image_inventory.checked_at IS 'When it was last stored, tried or found missing.';

COMMENT ON COLUMN public.image_inventory.claimed_by IS 'Run that is fetching it; counts while its lease lives.';

CREATE TABLE public.ingest_batches (
    batch_id bigint NOT NULL,
    run_id text NOT NULL,
    source text NOT NULL,
    max_movies integer NOT NULL,
    pages_per_source integer NOT NULL,
    trigger_type text NOT NULL,
    movies_checked integer NOT NULL,
    movies_skipped integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone
);

COMMENT ON TABLE public.ingest_batches IS 'One row a discovery: what an interrupted ingest goes on with.';

COMMENT ON COLUMN public.ingest_batches.batch_id IS 'Row id.';

COMMENT ON COLUMN public.ingest_batches.run_id IS 'Dagster run that works on the batch.';

COMMENT ON COLUMN public.ingest_batches.source IS 'Source asked for.';

COMMENT ON COLUMN public.ingest_batches.max_movies IS 'Most movies to ingest.';

COMMENT ON COLUMN public.ingest_batches.pages_per_source IS 'Most pages asked of each list.';

COMMENT ON COLUMN public.ingest_batches.trigger_type IS 'scheduled or manual.';

COMMENT ON COLUMN public.ingest_batches.movies_checked IS 'Different movies seen in the lists.';

COMMENT ON COLUMN public.ingest_batches.movies_skipped IS 'Of these, already in works.';

COMMENT ON COLUMN public.ingest_batches.started_at IS 'When the ingest began.';

COMMENT ON COLUMN public.ingest_batches.closed_at IS 'When it ended; NULL: at work, or interrupted.';

CREATE SEQUENCE public.ingest_batches_batch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.ingest_batches_batch_id_seq OWNED BY public.ingest_batches.batch_id;

CREATE TABLE public.ingest_candidates (
    batch_id bigint NOT NULL,
    tmdb_id text NOT NULL,
    rank integer NOT NULL,
    title text NOT NULL,
    sources text[] NOT NULL,
    outcome text,
    message text,
    CONSTRAINT ingest_candidates_outcome_check CHECK ((outcome = ANY (ARRAY['ingested'::text, 'skipped'::text, 'failed'::text])))
);

COMMENT ON TABLE public.ingest_candidates IS 'The movies that a discovery chose, and what became of each.';

COMMENT ON COLUMN public.ingest_candidates.batch_id IS 'The discovery.';

COMMENT ON COLUMN public.ingest_candidates.tmdb_id IS 'TMDB''s id of the movie.';

COMMENT ON COLUMN public.ingest_candidates.rank IS 'Place in the lists, best first.';

COMMENT ON COLUMN public.ingest_candidates.title IS 'Title in the list.';

COMMENT ON COLUMN public.ingest_candidates.sources IS 'Lists that name it.';

COMMENT ON COLUMN public.ingest_candidates.outcome IS 'ingested, skipped (another run was first) or failed; NULL: still to do.';

COMMENT ON COLUMN public.ingest_candidates.message IS 'Title (Year), or why it failed.';

CREATE TABLE public.list_snapshots (
    run_id text NOT NULL,
    source text NOT NULL,
    rank integer NOT NULL,
    page integer NOT NULL,
    tmdb_id text NOT NULL,
    title text,
    popularity real,
    vote_average real,
    vote_count integer,
    release_date date,
    fetched_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.list_snapshots IS 'Every page of TMDB''s lists that was fetched: the history of the lists.';

COMMENT ON COLUMN public.list_snapshots.run_id IS 'Dagster run that fetched the page.';

COMMENT ON COLUMN public.list_snapshots.source IS 'popular, now_playing or trending.';

COMMENT ON COLUMN public.list_snapshots.rank IS 'Place in the list, from 1.';

COMMENT ON COLUMN public.list_snapshots.page IS 'Page of the list, from 1.';

COMMENT ON COLUMN public.list_snapshots.tmdb_id IS 'TMDB''s id of the movie.';

COMMENT ON COLUMN public.list_snapshots.title IS 'Title.';

COMMENT ON COLUMN public.list_snapshots.popularity IS 'TMDB''s popularity figure.';

COMMENT ON COLUMN public.list_snapshots.vote_average IS 'Rating, 0 to 10.';

COMMENT ON COLUMN public.list_snapshots.vote_count IS 'Number of votes.';

COMMENT ON COLUMN public.list_snapshots.release_date IS 'Release date.';

COMMENT ON COLUMN public.list_snapshots.fetched_at IS 'When the page was fetched.';

CREATE TABLE public.movie_responses (
    work_id bigint NOT NULL,
    body bytea NOT NULL,
    body_bytes integer NOT NULL,
    content_hash text NOT NULL,
    fetched_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.movie_responses IS 'TMDB''s last answer for each movie; every derived table can be rebuilt from it.';

COMMENT ON COLUMN public.movie_responses.work_id IS 'The movie.';

COMMENT ON COLUMN public.movie_responses.body IS 'TMDB''s answer with its parts: JSON, gzip.';

COMMENT ON COLUMN public.movie_responses.body_bytes IS 'Size of the JSON before gzip.';

COMMENT ON COLUMN public.movie_responses.content_hash IS 'SHA-256 of the JSON with sorted keys.';

COMMENT ON COLUMN public.movie_responses.fetched_at IS 'When TMDB last answered so.';

CREATE TABLE public.rate_limits (
    name text NOT NULL,
    permits timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    blocked_until timestamp with time zone
);

COMMENT ON TABLE public.rate_limits IS 'The rate limit that all runs share.';

COMMENT ON COLUMN public.rate_limits.name IS 'What is limited: tmdb.';

COMMENT ON COLUMN public.rate_limits.permits IS 'Moments of the last calls permitted, oldest first.';

COMMENT ON COLUMN public.rate_limits.blocked_until IS 'TMDB refused a call: nobody calls before this moment.';

CREATE TABLE public.rating_sources (
    rating_id bigint NOT NULL,
    work_id bigint NOT NULL,
    source_name text NOT NULL,
    scale_type text,
    value_raw real,
    value_0_100 real,
    votes_count integer,
    last_seen_at timestamp with time zone,
    CONSTRAINT rating_sources_scale_type_check CHECK ((scale_type = ANY (ARRAY['0_10'::text, '0_5'::text, '0_100'::text])))
);

COMMENT ON TABLE public.rating_sources IS 'Ratings of a movie, one row a source.';

COMMENT ON COLUMN public.rating_sources.rating_id IS 'Row id.';

COMMENT ON COLUMN public.rating_sources.work_id IS 'The movie.';

COMMENT ON COLUMN public.rating_sources.source_name IS 'Who rates; the pipeline writes TMDB.';

COMMENT ON COLUMN public.rating_sources.scale_type IS 'Scale of value_raw: 0_10, 0_5 or 0_100.';

COMMENT ON COLUMN public.rating_sources.value_raw IS 'The rating on its own scale.';

COMMENT ON COLUMN public.rating_sources.value_0_100 IS 'The rating on a scale of 0 to 100.';

COMMENT ON COLUMN public.rating_sources.votes_count IS 'Number of votes.';

COMMENT ON COLUMN public.rating_sources.last_seen_at IS 'When the rating was last fetched.';

CREATE SEQUENCE public.rating_sources_rating_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.rating_sources_rating_id_seq OWNED BY public.rating_sources.rating_id;

CREATE TABLE public.refresh_queue (
    id bigint NOT NULL,
    work_id bigint NOT NULL,
    priority integer DEFAULT 0,
    status text DEFAULT 'queued'::text,
    reason text,
    queued_at timestamp with time zone DEFAULT now(),
    due_at timestamp with time zone DEFAULT now(),
    claimed_by text,
    claimed_at timestamp with time zone,
    processed_at timestamp with time zone,
    retry_count integer DEFAULT 0,
    last_error text,
    note text,
    created_at timestamp with time zone DEFAULT now(),
    CONSTRAINT refresh_queue_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'processing'::text, 'completed'::text, 'failed'::text])))
);

COMMENT ON TABLE public.refresh_queue IS 'Works that wait for a refresh: one open entry a work, any number of finished ones.';

COMMENT ON COLUMN public.refresh_queue.id IS 'Row id.';

COMMENT ON COLUMN public.refresh_queue.work_id IS 'The movie to refresh.';

COMMENT ON COLUMN public.refresh_queue.priority IS 'Higher goes first.';

COMMENT ON COLUMN public.refresh_queue.status IS 'queued, processing, completed or failed.';

COMMENT ON COLUMN public.refresh_queue.reason IS 'requested, new, schema, recent, changed, retry or stale.';

COMMENT ON COLUMN public.refresh_queue.queued_at IS 'When it was queued; again where it was asked for once more meanwhile.';

COMMENT ON COLUMN public.refresh_queue.due_at IS 'It is not processed before this moment.';

COMMENT ON COLUMN public.refresh_queue.claimed_by IS 'Run that processes it; counts while its lease lives.';

COMMENT ON COLUMN public.refresh_queue.claimed_at IS 'When that run took it.';

COMMENT ON COLUMN public.refresh_queue.processed_at IS 'When it was completed or failed.';

COMMENT ON COLUMN public.refresh_queue.retry_count IS 'Failed tries so far.';

COMMENT ON COLUMN public.refresh_queue.last_error IS 'Why the last try failed.';

COMMENT ON COLUMN public.refresh_queue.note IS 'How it was completed, where TMDB had no answer for it.';

COMMENT ON COLUMN public.refresh_queue.created_at IS 'When the row was made.';

CREATE SEQUENCE public.refresh_queue_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.refresh_queue_id_seq OWNED BY public.refresh_queue.id;

CREATE TABLE public.run_leases (
    run_id text NOT NULL,
    job text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.run_leases IS 'Runs at work. A run that dies stops renewing, and what it claimed is free again.';

COMMENT ON COLUMN public.run_leases.run_id IS 'Dagster run.';

COMMENT ON COLUMN public.run_leases.job IS 'Its job.';

COMMENT ON COLUMN public.run_leases.started_at IS 'When it began.';

COMMENT ON COLUMN public.run_leases.expires_at IS 'Its claims count until then; renewed while it lives.';

CREATE TABLE public.scheduled_ingestion_log (
    id bigint NOT NULL,
    source text NOT NULL,
    movies_checked integer NOT NULL,
    movies_skipped integer NOT NULL,
    movies_ingested integer NOT NULL,
    movies_failed integer NOT NULL,
    ingested_titles text[],
    failed_titles text[],
    duration_ms integer NOT NULL,
    trigger_type text NOT NULL,
    error_message text,
    run_id text,
    created_at timestamp with time zone DEFAULT now()
);

COMMENT ON TABLE public.scheduled_ingestion_log IS 'One row a run of the ingest, also when the run failed.';

COMMENT ON COLUMN public.scheduled_ingestion_log.id IS 'Row id.';

COMMENT ON COLUMN public.scheduled_ingestion_log.source IS 'popular, now_playing, trending, mixed, mixed_daily, ...';

COMMENT ON COLUMN public.scheduled_ingestion_log.movies_checked IS 'Different movies seen in the lists.';

COMMENT ON COLUMN public.scheduled_ingestion_log.movies_skipped IS 'Of these, already in works.';

COMMENT ON COLUMN public.scheduled_ingestion_log.movies_ingested IS 'Newly ingested.';

COMMENT ON COLUMN public.scheduled_ingestion_log.movies_failed IS 'Could not be ingested.';

COMMENT ON COLUMN public.scheduled_ingestion_log.ingested_titles IS 'Title (Year).';

COMMENT ON COLUMN public.scheduled_ingestion_log.failed_titles IS 'Title: error.';

COMMENT ON COLUMN public.scheduled_ingestion_log.duration_ms IS 'Milliseconds from the start of the ingest to its end.';

COMMENT ON COLUMN public.scheduled_ingestion_log.trigger_type IS 'scheduled or manual.';

COMMENT ON COLUMN public.scheduled_ingestion_log.error_message IS 'Why the run as a whole failed; NULL where it did not.';

COMMENT ON COLUMN public.scheduled_ingestion_log.run_id IS 'Dagster run.';

COMMENT ON COLUMN public.scheduled_ingestion_log.created_at IS 'When the ingest ended.';

CREATE SEQUENCE public.scheduled_ingestion_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.scheduled_ingestion_log_id_seq OWNED BY public.scheduled_ingestion_log.id;

CREATE TABLE public.score_prior (
    method_version text NOT NULL,
    mean real NOT NULL,
    votes real NOT NULL,
    computed_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.score_prior IS 'What a score assumes of a movie before its votes; a weekly ingest and a rebuild compute it anew.';

COMMENT ON COLUMN public.score_prior.method_version IS 'Score method.';

COMMENT ON COLUMN public.score_prior.mean IS 'Mean rating of the catalogue, 0 to 10.';

COMMENT ON COLUMN public.score_prior.votes IS 'How many votes the mean counts as.';

COMMENT ON COLUMN public.score_prior.computed_at IS 'When it was computed.';

CREATE TABLE public.similar_movies (
    id bigint NOT NULL,
    work_id bigint NOT NULL,
    similar_tmdb_id text NOT NULL,
    source text NOT NULL,
    rank_order integer,
    confidence real,
    notes text,
    created_at timestamp with time zone DEFAULT now()
);

COMMENT ON TABLE public.similar_movies IS 'Movies similar to a movie, by source.';

COMMENT ON COLUMN public.similar_movies.id IS 'Row id.';

COMMENT ON COLUMN public.similar_movies.work_id IS 'The movie.';

COMMENT ON COLUMN public.similar_movies.similar_tmdb_id IS 'TMDB id of the similar movie.';

COMMENT ON COLUMN public.similar_movies.source IS 'Who says so; the pipeline writes tmdb.';

COMMENT ON COLUMN public.similar_movies.rank_order IS 'Rank, from 1.';

COMMENT ON COLUMN public.similar_movies.confidence IS '0 to 1.';

COMMENT ON COLUMN public.similar_movies.notes IS 'Remarks.';

COMMENT ON COLUMN public.similar_movies.created_at IS 'When the row was made.';

CREATE SEQUENCE public.similar_movies_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.similar_movies_id_seq OWNED BY public.similar_movies.id;

CREATE TABLE public.sync_state (
    id bigint NOT NULL,
    sync_type text NOT NULL,
    last_sync_at timestamp with time zone,
    last_sync_cursor text,
    sync_count integer DEFAULT 0,
    updated_at timestamp with time zone DEFAULT now()
);

COMMENT ON TABLE public.sync_state IS 'How far each regular job has come.';

COMMENT ON COLUMN public.sync_state.id IS 'Row id.';

COMMENT ON COLUMN public.sync_state.sync_type IS 'What is kept in step, such as scheduled_ingest.';

COMMENT ON COLUMN public.sync_state.last_sync_at IS 'When it last ended well.';

COMMENT ON COLUMN public.sync_state.last_sync_cursor IS 'How far it has come.';

COMMENT ON COLUMN public.sync_state.sync_count IS 'How often it ended well.';

COMMENT ON COLUMN public.sync_state.updated_at IS 'When the row last changed.';

CREATE SEQUENCE public.sync_state_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.sync_state_id_seq OWNED BY public.sync_state.id;

CREATE SEQUENCE public.tmdb_api_logs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.tmdb_api_logs_id_seq OWNED BY public.tmdb_api_logs.id;

CREATE VIEW public.v_api_calls_by_endpoint WITH (security_invoker='true') AS
 SELECT p.period,
    public.endpoint_pattern(c.endpoint) AS endpoint,
    count(*) AS calls,
    count(*) FILTER (WHERE public.is_failed_call(c.*)) AS errors,
    (round(((count(*) FILTER (WHERE public.is_failed_call(c.*)))::numeric / (count(*))::numeric), 4))::double precision AS error_rate,
    count(*) FILTER (WHERE (c.retry_count > 0)) AS retries,
    count(*) FILTER (WHERE (c.http_status = 429)) AS rate_limited,
    (round(percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((c.response_time_ms)::double precision))))::integer AS p50_ms,
    (round(percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY ((c.response_time_ms)::double precision))))::integer AS p95_ms,
    COALESCE(sum(c.response_size_bytes), (0)::bigint) AS bytes,
    max(c.created_at) AS last_call_at
   FROM (( VALUES ('1 day'::text,'1 day'::interval), ('7 days'::text,'7 days'::interval), ('30 days'::text,'30 days'::interval)) p(period, length)
     JOIN public.tmdb_api_logs c ON ((c.created_at > (now() - p.length))))
  GROUP BY p.period, (public.endpoint_pattern(c.endpoint));

COMMENT ON VIEW public.v_api_calls_by_endpoint IS 'Calls to TMDB by endpoint, in the last day, 7 days and 30 days; choose one period.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.period IS '1 day, 7 days or 30 days, up to now.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.endpoint IS 'Path with {id} for ids, such as /movie/{id}.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.calls IS 'Calls, retries included.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.errors IS 'Of these, without a good answer.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.error_rate IS 'errors / calls, 0 to 1.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.retries IS 'Calls that repeated a failed one.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.rate_limited IS 'Calls that TMDB refused for their rate (429).';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.p50_ms IS 'Median response time, milliseconds.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.p95_ms IS '95 of 100 calls were answered within so many milliseconds.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.bytes IS 'Size of the decoded answers.';

COMMENT ON COLUMN public.v_api_calls_by_endpoint.last_call_at IS 'When the last call was sent.';

CREATE VIEW public.v_api_calls_hourly WITH (security_invoker='true') AS
 SELECT (date_trunc('hour'::text, (created_at AT TIME ZONE 'UTC'::text)) AT TIME ZONE 'UTC'::text) AS hour,
    edge_function AS job,
    count(*) AS calls,
    count(*) FILTER (WHERE public.is_failed_call(c.*)) AS errors,
    (round(((count(*) FILTER (WHERE public.is_failed_call(c.*)))::numeric / (count(*))::numeric), 4))::double precision AS error_rate,
    count(*) FILTER (WHERE (retry_count > 0)) AS retries,
    count(*) FILTER (WHERE (http_status = 429)) AS rate_limited,
    (round(percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((response_time_ms)::double precision))))::integer AS p50_ms,
    (round(percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY ((response_time_ms)::double precision))))::integer AS p95_ms,
    COALESCE(sum(response_size_bytes), (0)::bigint) AS bytes
   FROM public.tmdb_api_logs c
  GROUP BY ((date_trunc('hour'::text, (created_at AT TIME ZONE 'UTC'::text)) AT TIME ZONE 'UTC'::text)), edge_function;

COMMENT ON VIEW public.v_api_calls_hourly IS 'Calls to TMDB by hour and job; hours without a call have no row.';

COMMENT ON COLUMN public.v_api_calls_hourly.hour IS 'Start of the hour.';

COMMENT ON COLUMN public.v_api_calls_hourly.job IS 'Dagster job that called.';

COMMENT ON COLUMN public.v_api_calls_hourly.calls IS 'Calls, retries included.';

COMMENT ON COLUMN public.v_api_calls_hourly.errors IS 'Of these, without a good answer.';

COMMENT ON COLUMN public.v_api_calls_hourly.error_rate IS 'errors / calls, 0 to 1.';

COMMENT ON COLUMN public.v_api_calls_hourly.retries IS 'Calls that repeated a failed one.';

COMMENT ON COLUMN public.v_api_calls_hourly.rate_limited IS 'Calls that TMDB refused for their rate (429).';

COMMENT ON COLUMN public.v_api_calls_hourly.p50_ms IS 'Median response time, milliseconds.';

COMMENT ON COLUMN public.v_api_calls_hourly.p95_ms IS '95 of 100 calls were answered within so many milliseconds.';

COMMENT ON COLUMN public.v_api_calls_hourly.bytes IS 'Size of the decoded answers.';

CREATE VIEW public.v_api_errors WITH (security_invoker='true') AS
 SELECT p.period,
    c.http_status,
    public.endpoint_pattern(c.endpoint) AS endpoint,
    public.failure_reason(c.error_message) AS message,
    count(*) AS calls,
    count(DISTINCT c.tmdb_id) AS movies,
    min(c.created_at) AS first_seen_at,
    max(c.created_at) AS last_seen_at
   FROM (( VALUES ('1 day'::text,'1 day'::interval), ('7 days'::text,'7 days'::interval), ('30 days'::text,'30 days'::interval)) p(period, length)
     JOIN public.tmdb_api_logs c ON ((c.created_at > (now() - p.length))))
  WHERE public.is_failed_call(c.*)
  GROUP BY p.period, c.http_status, (public.endpoint_pattern(c.endpoint)), (public.failure_reason(c.error_message));

COMMENT ON VIEW public.v_api_errors IS 'Failed calls to TMDB by what was wrong, in the last day, 7 days and 30 days; choose one period.';

COMMENT ON COLUMN public.v_api_errors.period IS '1 day, 7 days or 30 days, up to now.';

COMMENT ON COLUMN public.v_api_errors.http_status IS 'HTTP status; 0 where no answer came.';

COMMENT ON COLUMN public.v_api_errors.endpoint IS 'Path with {id} for ids.';

COMMENT ON COLUMN public.v_api_errors.message IS 'What was wrong, as failure_reason says it.';

COMMENT ON COLUMN public.v_api_errors.calls IS 'Failed calls.';

COMMENT ON COLUMN public.v_api_errors.movies IS 'Different movies that they asked for.';

COMMENT ON COLUMN public.v_api_errors.first_seen_at IS 'The first of these calls.';

COMMENT ON COLUMN public.v_api_errors.last_seen_at IS 'The last of these calls.';

CREATE TABLE public.work_cards_cache (
    work_id bigint NOT NULL,
    payload jsonb NOT NULL,
    payload_short jsonb,
    etag text,
    computed_at timestamp with time zone
);

COMMENT ON TABLE public.work_cards_cache IS 'Ready-made cards, one a movie.';

COMMENT ON COLUMN public.work_cards_cache.work_id IS 'The movie.';

COMMENT ON COLUMN public.work_cards_cache.payload IS 'The card that the mobile app shows.';

COMMENT ON COLUMN public.work_cards_cache.payload_short IS 'The card''s short form, for lists.';

COMMENT ON COLUMN public.work_cards_cache.etag IS 'Hash of what the card says; last_updated does not count.';

COMMENT ON COLUMN public.work_cards_cache.computed_at IS 'When the card was made.';

CREATE TABLE public.work_images (
    work_id bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    sha256 text
);

COMMENT ON TABLE public.work_images IS 'Which images a movie shows.';

COMMENT ON COLUMN public.work_images.work_id IS 'The movie.';

COMMENT ON COLUMN public.work_images.key IS 'The image.';

COMMENT ON COLUMN public.work_images.sha256 IS 'SHA-256 of the file that the movie''s rows show; NULL: they show TMDB''s.';

CREATE TABLE public.works (
    work_id bigint NOT NULL,
    tmdb_id text NOT NULL,
    imdb_id text,
    title text NOT NULL,
    original_title text,
    year integer,
    release_date date,
    last_refreshed_at timestamp with time zone,
    request_count integer DEFAULT 0,
    ingestion_status text DEFAULT 'pending'::text,
    ingestion_error text,
    gone_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone,
    claimed_by text,
    status_before_claim text,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now(),
    CONSTRAINT works_ingestion_status_check CHECK ((ingestion_status = ANY (ARRAY['pending'::text, 'ingesting'::text, 'complete'::text, 'failed'::text])))
);

COMMENT ON TABLE public.works IS 'One row a movie: identity, and how fresh the catalogue''s knowledge of it is.';

COMMENT ON COLUMN public.works.work_id IS 'Our id of the movie; all other tables use it.';

COMMENT ON COLUMN public.works.tmdb_id IS 'TMDB''s id of the movie.';

COMMENT ON COLUMN public.works.imdb_id IS 'IMDb''s id; NULL where unknown or taken by another work.';

COMMENT ON COLUMN public.works.title IS 'Title in the configured language.';

COMMENT ON COLUMN public.works.original_title IS 'Title in the original language.';

COMMENT ON COLUMN public.works.year IS 'Year of the release date.';

COMMENT ON COLUMN public.works.release_date IS 'Release date; NULL where TMDB knows none.';

COMMENT ON COLUMN public.works.last_refreshed_at IS 'When TMDB''s answer was last fetched and written; a failure leaves it.';

COMMENT ON COLUMN public.works.request_count IS 'How often the movie was fetched.';

COMMENT ON COLUMN public.works.ingestion_status IS 'pending, ingesting (a run is at it), complete, or failed (old data is kept).';

COMMENT ON COLUMN public.works.ingestion_error IS 'Why the last fetch failed; NULL after a success.';

COMMENT ON COLUMN public.works.gone_at IS 'When TMDB answered that it knows the movie no more (404); NULL otherwise.';

COMMENT ON COLUMN public.works.failures IS 'Failed fetches since the last success.';

COMMENT ON COLUMN public.works.retry_at IS 'A failed or gone work is not asked for by itself before this moment; NULL otherwise.';

COMMENT ON COLUMN public.works.claimed_by IS 'Run that is ingesting the work; counts while its lease lives.';

COMMENT ON COLUMN public.works.status_before_claim IS 'Status to go back to; NULL: the claim made the row.';

COMMENT ON COLUMN public.works.created_at IS 'When the row was made.';

COMMENT ON COLUMN public.works.updated_at IS 'When the row''s content last changed.';

CREATE TABLE public.works_meta (
    work_id bigint NOT NULL,
    runtime_minutes integer,
    runtime_display text,
    tagline text,
    overview text,
    overview_short text,
    genres text[],
    keywords text[],
    certification text,
    poster_url_small text,
    poster_url_medium text,
    poster_url_large text,
    poster_url_original text,
    backdrop_url text,
    backdrop_url_mobile text,
    trailer_youtube_id text,
    trailer_thumbnail text,
    cast_members jsonb,
    crew_members jsonb,
    trailers jsonb,
    still_images jsonb,
    streaming jsonb,
    production_companies jsonb,
    collection jsonb,
    production_countries text[],
    spoken_languages text[],
    original_language text,
    budget bigint,
    revenue_worldwide bigint,
    similar_movie_ids integer[],
    schema_version integer DEFAULT 1,
    fetched_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now()
);

COMMENT ON TABLE public.works_meta IS 'What is known of a movie. Other tools may add columns of their own: they are left alone.';

COMMENT ON COLUMN public.works_meta.work_id IS 'The movie.';

COMMENT ON COLUMN public.works_meta.runtime_minutes IS 'Minutes; NULL where unknown.';

COMMENT ON COLUMN public.works_meta.runtime_display IS 'Runtime for people, such as 2h 19m.';

COMMENT ON COLUMN public.works_meta.tagline IS 'Tagline.';

COMMENT ON COLUMN public.works_meta.overview IS 'Overview.';

COMMENT ON COLUMN public.works_meta.overview_short IS 'The overview''s first 150 characters.';

COMMENT ON COLUMN public.works_meta.genres IS 'Names of the genres.';

COMMENT ON COLUMN public.works_meta.keywords IS 'Names of the keywords.';

COMMENT ON COLUMN public.works_meta.certification IS 'US certification, such as PG-13.';

COMMENT ON COLUMN public.works_meta.poster_url_small IS 'Poster, 154 pixels wide, at TMDB.';

COMMENT ON COLUMN public.works_meta.poster_url_medium IS 'Poster, 342 pixels wide.';

COMMENT ON COLUMN public.works_meta.poster_url_large IS 'Poster, 500 pixels wide.';

COMMENT ON COLUMN public.works_meta.poster_url_original IS 'Poster in its original size, at TMDB.';

COMMENT ON COLUMN public.works_meta.backdrop_url IS 'Backdrop, wide.';

COMMENT ON COLUMN public.works_meta.backdrop_url_mobile IS 'Backdrop, 780 pixels wide.';

COMMENT ON COLUMN public.works_meta.trailer_youtube_id IS 'YouTube key of the main trailer.';

COMMENT ON COLUMN public.works_meta.trailer_thumbnail IS 'Thumbnail of the main trailer.';

COMMENT ON COLUMN public.works_meta.cast_members IS 'First 15 of the cast, with character and photo URLs.';

COMMENT ON COLUMN public.works_meta.crew_members IS 'Up to 10 of the crew in the main jobs.';

COMMENT ON COLUMN public.works_meta.trailers IS 'Up to 10 YouTube videos: key, name, type, thumbnail_url.';

COMMENT ON COLUMN public.works_meta.still_images IS 'URLs of up to 5 backdrops; an empty array where there are none.';

COMMENT ON COLUMN public.works_meta.streaming IS 'Watch providers by region (source: JustWatch), with updated_at.';

COMMENT ON COLUMN public.works_meta.production_companies IS 'Companies: id, name, logo path.';

COMMENT ON COLUMN public.works_meta.collection IS 'Collection that the movie belongs to: id, name, image paths.';

COMMENT ON COLUMN public.works_meta.production_countries IS 'Names of the countries.';

COMMENT ON COLUMN public.works_meta.spoken_languages IS 'Names of the languages.';

COMMENT ON COLUMN public.works_meta.original_language IS 'ISO 639-1 code of the original language.';

COMMENT ON COLUMN public.works_meta.budget IS 'US dollars; NULL where unknown.';

COMMENT ON COLUMN public.works_meta.revenue_worldwide IS 'US dollars; NULL where unknown.';

COMMENT ON COLUMN public.works_meta.similar_movie_ids IS 'TMDB ids of the first 10 similar movies.';

COMMENT ON COLUMN public.works_meta.schema_version IS 'Version of the rules that wrote it.';

COMMENT ON COLUMN public.works_meta.fetched_at IS 'When the answer that the row is made from was fetched.';

COMMENT ON COLUMN public.works_meta.updated_at IS 'When the row was last written.';

CREATE VIEW public.v_catalogue_health WITH (security_invoker='true') AS
 SELECT w.status,
    w.age_tier,
    w.refresh_days,
    count(*) AS works,
    count(*) FILTER (WHERE ((w.last_refreshed_at IS NULL) OR (w.last_refreshed_at <= (now() - make_interval(days => w.refresh_days))) OR (COALESCE(m.schema_version, 0) < public.current_schema_version()) OR (w.work_id IN ( SELECT work_cards_cache.work_id
           FROM public.work_cards_cache
          WHERE (NOT (work_cards_cache.payload ? 'attribution'::text)))))) AS stale,
    count(w.gone_at) AS gone,
    count(*) FILTER (WHERE (w.last_refreshed_at IS NULL)) AS never_refreshed,
    count(*) FILTER (WHERE (w.last_refreshed_at < (now() - '6 mons'::interval))) AS over_six_months,
    min(w.last_refreshed_at) AS oldest_refresh_at,
    count(*) FILTER (WHERE (m.work_id IS NULL)) AS without_meta,
    count(*) FILTER (WHERE (k.work_id IS NULL)) AS without_card,
    count(*) FILTER (WHERE (r.work_id IS NULL)) AS without_rating,
    count(*) FILTER (WHERE (m.poster_url_medium IS NULL)) AS without_poster,
    count(i.work_id) AS images_missing
   FROM ((((( SELECT works.work_id,
            works.last_refreshed_at,
            works.gone_at,
            COALESCE(works.ingestion_status, 'pending'::text) AS status,
            t.refresh_days,
                CASE
                    WHEN (works.release_date IS NULL) THEN 'unknown'::text
                    WHEN (works.release_date > ((now() AT TIME ZONE 'utc'::text))::date) THEN 'unreleased'::text
                    ELSE t.age_tier
                END AS age_tier
           FROM (public.works
             JOIN public.age_tiers() t(age_tier, released_from, released_to, refresh_days, priority) ON (((COALESCE(works.release_date, '-infinity'::date) >= t.released_from) AND (COALESCE(works.release_date, '-infinity'::date) <= t.released_to))))) w
     LEFT JOIN public.works_meta m USING (work_id))
     LEFT JOIN public.work_cards_cache k USING (work_id))
     LEFT JOIN public.rating_sources r ON (((r.work_id = w.work_id) AND (r.source_name = 'TMDB'::text))))
     LEFT JOIN ( SELECT DISTINCT work_images.work_id
           FROM public.work_images
          WHERE (work_images.sha256 IS NULL)) i ON ((i.work_id = w.work_id)))
  GROUP BY w.status, w.age_tier, w.refresh_days;

COMMENT ON VIEW public.v_catalogue_health IS 'The catalogue by status and age of its movies: how many, how fresh, and what they lack.';

COMMENT ON COLUMN public.v_catalogue_health.status IS 'pending, ingesting, complete or failed.';

COMMENT ON COLUMN public.v_catalogue_health.age_tier IS 'Days since the release: unreleased, 0-30, 31-180, 181-365, over 365 or unknown.';

COMMENT ON COLUMN public.v_catalogue_health.refresh_days IS 'Days after which a movie of this tier is stale.';

COMMENT ON COLUMN public.v_catalogue_health.works IS 'Number of movies.';

COMMENT ON COLUMN public.v_catalogue_health.stale IS 'Of these, due for a refresh, as is_stale says.';

COMMENT ON COLUMN public.v_catalogue_health.gone IS 'TMDB knows them no more.';

COMMENT ON COLUMN public.v_catalogue_health.never_refreshed IS 'Never fetched.';

COMMENT ON COLUMN public.v_catalogue_health.over_six_months IS 'Last refreshed more than six months ago, which TMDB''s terms of use do not allow.';

COMMENT ON COLUMN public.v_catalogue_health.oldest_refresh_at IS 'The longest unrefreshed.';

COMMENT ON COLUMN public.v_catalogue_health.without_meta IS 'Without a row in works_meta.';

COMMENT ON COLUMN public.v_catalogue_health.without_card IS 'Without a row in work_cards_cache.';

COMMENT ON COLUMN public.v_catalogue_health.without_rating IS 'Without TMDB''s rating in rating_sources.';

COMMENT ON COLUMN public.v_catalogue_health.without_poster IS 'Without a poster.';

COMMENT ON COLUMN public.v_catalogue_health.images_missing IS 'Movies that show at least one image from TMDB instead of our store.';

CREATE VIEW public.v_image_coverage WITH (security_invoker='true') AS
 SELECT kind,
    status,
    count(*) AS images,
    COALESCE(sum(bytes), (0)::bigint) AS bytes,
    min(next_attempt_at) AS next_attempt_at,
    max(last_error) AS last_error
   FROM public.image_inventory i
  WHERE ((status = 'stored'::text) OR (EXISTS ( SELECT
           FROM public.work_images l
          WHERE (l.key = i.key))))
  GROUP BY kind, status;

COMMENT ON VIEW public.v_image_coverage IS 'The images by kind and status: what is in our store, and what movies lack.';

COMMENT ON COLUMN public.v_image_coverage.kind IS 'poster, backdrop, trailer, cast or still.';

COMMENT ON COLUMN public.v_image_coverage.status IS 'pending, stored, failed (tried again by itself) or gave_up (a person must act).';

COMMENT ON COLUMN public.v_image_coverage.images IS 'Number of images.';

COMMENT ON COLUMN public.v_image_coverage.bytes IS 'Their size in our store.';

COMMENT ON COLUMN public.v_image_coverage.next_attempt_at IS 'When the next of them is tried again.';

COMMENT ON COLUMN public.v_image_coverage.last_error IS 'An error of one of them; NULL where none has one.';

CREATE VIEW public.v_list_history WITH (security_invoker='true') AS
 WITH snapshots AS (
         SELECT s_1.source,
            s_1.run_id,
            s_1.fetched_at,
            s_1.depth,
            lag(s_1.run_id) OVER list AS previous_run_id,
            lag(s_1.depth) OVER list AS previous_depth,
            lag(s_1.fetched_at) OVER list AS previous_fetched_at
           FROM ( SELECT list_snapshots.source,
                    list_snapshots.run_id,
                    max(list_snapshots.fetched_at) AS fetched_at,
                        CASE
                            WHEN (count(DISTINCT list_snapshots.page) = max(list_snapshots.page)) THEN max(list_snapshots.rank)
                            ELSE 0
                        END AS depth
                   FROM public.list_snapshots
                  GROUP BY list_snapshots.source, list_snapshots.run_id) s_1
          WINDOW list AS (PARTITION BY s_1.source ORDER BY s_1.fetched_at, s_1.run_id)
        )
 SELECT s.source,
    s.fetched_at,
    s.run_id,
    m.tmdb_id,
    m.title,
    m.rank,
    m.previous_rank,
    (m.previous_rank - m.rank) AS places,
        CASE
            WHEN (m.previous_rank > m.rank) THEN 'rose'::text
            WHEN (m.previous_rank < m.rank) THEN 'fell'::text
            WHEN (m.previous_rank = m.rank) THEN 'same'::text
            WHEN (m.rank <= s.previous_depth) THEN 'entered'::text
            WHEN (m.previous_rank <= s.depth) THEN 'left'::text
            ELSE NULL::text
        END AS movement,
    m.popularity,
    s.previous_fetched_at
   FROM snapshots s,
    LATERAL ( SELECT tmdb_id,
            COALESCE(e.title, b.title) AS title,
            e.rank,
            b.rank AS previous_rank,
            e.popularity
           FROM (( SELECT DISTINCT ON (list_snapshots.tmdb_id) list_snapshots.tmdb_id,
                    list_snapshots.title,
                    list_snapshots.rank,
                    list_snapshots.popularity
                   FROM public.list_snapshots
                  WHERE ((list_snapshots.run_id = s.run_id) AND (list_snapshots.source = s.source))
                  ORDER BY list_snapshots.tmdb_id, list_snapshots.rank) e
             FULL JOIN ( SELECT DISTINCT ON (list_snapshots.tmdb_id) list_snapshots.tmdb_id,
                    list_snapshots.title,
                    list_snapshots.rank
                   FROM public.list_snapshots
                  WHERE ((list_snapshots.run_id = s.previous_run_id) AND (list_snapshots.source = s.source))
                  ORDER BY list_snapshots.tmdb_id, list_snapshots.rank) b USING (tmdb_id))) m
  WHERE ((m.rank IS NOT NULL) OR (m.previous_rank <= s.depth));

COMMENT ON VIEW public.v_list_history IS 'Every snapshot of TMDB''s lists with each movie''s place in it and in the one before.';

COMMENT ON COLUMN public.v_list_history.source IS 'popular, now_playing or trending.';

COMMENT ON COLUMN public.v_list_history.fetched_at IS 'When the snapshot was fetched.';

COMMENT ON COLUMN public.v_list_history.run_id IS 'Dagster run that fetched it.';

COMMENT ON COLUMN public.v_list_history.tmdb_id IS 'TMDB''s id of the movie.';

COMMENT ON COLUMN public.v_list_history.title IS 'Title.';

COMMENT ON COLUMN public.v_list_history.rank IS 'Place in the list, from 1; NULL where it left.';

COMMENT ON COLUMN public.v_list_history.previous_rank IS 'Place in the snapshot before; NULL where it was not in it.';

COMMENT ON COLUMN public.v_list_history.places IS 'Places that it rose (or, below 0, fell); NULL where it entered or left.';

COMMENT ON COLUMN public.v_list_history.movement IS 'entered, left, rose, fell or same; NULL where the two snapshots cannot tell.';

COMMENT ON COLUMN public.v_list_history.popularity IS 'TMDB''s popularity figure.';

COMMENT ON COLUMN public.v_list_history.previous_fetched_at IS 'When the snapshot before was fetched; NULL for the first.';

CREATE VIEW public.v_movie_calls WITH (security_invoker='true') AS
 SELECT m.tmdb_id,
    w.work_id,
    w.title,
    m.calls,
    m.errors,
    m.retries,
    m.mean_ms,
    m.bytes,
    m.last_call_at,
    m.last_error_at
   FROM (( SELECT c.tmdb_id,
            count(*) AS calls,
            count(*) FILTER (WHERE public.is_failed_call(c.*)) AS errors,
            count(*) FILTER (WHERE (c.retry_count > 0)) AS retries,
            (avg(c.response_time_ms))::double precision AS mean_ms,
            COALESCE(sum(c.response_size_bytes), (0)::bigint) AS bytes,
            max(c.created_at) AS last_call_at,
            max(c.created_at) FILTER (WHERE public.is_failed_call(c.*)) AS last_error_at
           FROM public.tmdb_api_logs c
          WHERE (c.tmdb_id IS NOT NULL)
          GROUP BY c.tmdb_id) m
     LEFT JOIN public.works w USING (tmdb_id));

COMMENT ON VIEW public.v_movie_calls IS 'What each movie has cost: its calls to TMDB, as far back as tmdb_api_logs goes. Ask by tmdb_id for one movie.';

COMMENT ON COLUMN public.v_movie_calls.tmdb_id IS 'TMDB''s id of the movie.';

COMMENT ON COLUMN public.v_movie_calls.work_id IS 'Our id; NULL where works does not have it.';

COMMENT ON COLUMN public.v_movie_calls.title IS 'Title.';

COMMENT ON COLUMN public.v_movie_calls.calls IS 'Calls, retries included.';

COMMENT ON COLUMN public.v_movie_calls.errors IS 'Of these, without a good answer.';

COMMENT ON COLUMN public.v_movie_calls.retries IS 'Calls that repeated a failed one.';

COMMENT ON COLUMN public.v_movie_calls.mean_ms IS 'Mean response time, milliseconds.';

COMMENT ON COLUMN public.v_movie_calls.bytes IS 'Size of the decoded answers.';

COMMENT ON COLUMN public.v_movie_calls.last_call_at IS 'When the last call was sent.';

COMMENT ON COLUMN public.v_movie_calls.last_error_at IS 'When the last failed call was sent.';

CREATE VIEW public.v_run_history WITH (security_invoker='true') AS
 SELECT (created_at - make_interval(secs => (((COALESCE(duration_ms, 0))::numeric / 1000.0))::double precision)) AS started_at,
    created_at AS ended_at,
    (((duration_ms)::numeric / 1000.0))::double precision AS duration_s,
    source,
    trigger_type,
        CASE
            WHEN (error_message IS NOT NULL) THEN 'failed'::text
            WHEN (movies_failed > 0) THEN 'incomplete'::text
            ELSE 'succeeded'::text
        END AS status,
    COALESCE(movies_checked, 0) AS movies_checked,
    COALESCE(movies_skipped, 0) AS movies_skipped,
    COALESCE(movies_ingested, 0) AS movies_ingested,
    COALESCE(movies_failed, 0) AS movies_failed,
    COALESCE(to_jsonb(ingested_titles), '[]'::jsonb) AS ingested_titles,
    COALESCE(to_jsonb(failed_titles), '[]'::jsonb) AS failed_titles,
    error_message,
    run_id
   FROM public.scheduled_ingestion_log l;

COMMENT ON VIEW public.v_run_history IS 'The runs, newest last: one row for each row of scheduled_ingestion_log.';

COMMENT ON COLUMN public.v_run_history.started_at IS 'When it began.';

COMMENT ON COLUMN public.v_run_history.ended_at IS 'When it ended.';

COMMENT ON COLUMN public.v_run_history.duration_s IS 'Seconds from start to end.';

COMMENT ON COLUMN public.v_run_history.source IS 'Lists asked for, or refresh.';

COMMENT ON COLUMN public.v_run_history.trigger_type IS 'scheduled or manual.';

COMMENT ON COLUMN public.v_run_history.status IS 'failed (the run as a whole), incomplete (some movies failed) or succeeded.';

COMMENT ON COLUMN public.v_run_history.movies_checked IS 'Different movies seen in the lists, or taken from the queue.';

COMMENT ON COLUMN public.v_run_history.movies_skipped IS 'Of these, already in works.';

COMMENT ON COLUMN public.v_run_history.movies_ingested IS 'Ingested, or refreshed.';

COMMENT ON COLUMN public.v_run_history.movies_failed IS 'Could not be ingested.';

COMMENT ON COLUMN public.v_run_history.ingested_titles IS 'JSON array of Title (Year).';

COMMENT ON COLUMN public.v_run_history.failed_titles IS 'JSON array of Title: error.';

COMMENT ON COLUMN public.v_run_history.error_message IS 'Why the run as a whole failed; NULL where it did not.';

COMMENT ON COLUMN public.v_run_history.run_id IS 'Dagster run.';

CREATE VIEW public.v_problems WITH (security_invoker='true') AS
 SELECT 'error'::text AS severity,
    'last_ingest'::text AS name,
    'works'::text AS asset,
    'Its run in Dagster says what to do.'::text AS advice,
    answer.text
   FROM ( SELECT COALESCE(bool_and((r.status <> 'failed'::text)), true) AS passed,
            max(((((('The last ingest ('::text || r.source) || ', '::text) || to_char((r.ended_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD HH24:MI'::text)) || ' UTC) failed: '::text) || r.error_message)) AS text,
            COALESCE(jsonb_object_agg('hours ago', round((EXTRACT(epoch FROM (now() - r.ended_at)) / (3600)::numeric), 1)), '{}'::jsonb) AS figures,
            COALESCE(array_agg(r.error_message) FILTER (WHERE (r.error_message IS NOT NULL)), '{}'::text[]) AS examples
           FROM ( SELECT v_run_history.started_at,
                    v_run_history.ended_at,
                    v_run_history.duration_s,
                    v_run_history.source,
                    v_run_history.trigger_type,
                    v_run_history.status,
                    v_run_history.movies_checked,
                    v_run_history.movies_skipped,
                    v_run_history.movies_ingested,
                    v_run_history.movies_failed,
                    v_run_history.ingested_titles,
                    v_run_history.failed_titles,
                    v_run_history.error_message,
                    v_run_history.run_id
                   FROM public.v_run_history
                  WHERE (v_run_history.source <> 'refresh'::text)
                  ORDER BY v_run_history.ended_at DESC
                 LIMIT 1) r) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'last_refresh'::text AS name,
    'works'::text AS asset,
    'Its run in Dagster says what to do.'::text AS advice,
    answer.text
   FROM ( SELECT COALESCE(bool_and((r.status <> 'failed'::text)), true) AS passed,
            max(((((('The last refresh ('::text || r.source) || ', '::text) || to_char((r.ended_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD HH24:MI'::text)) || ' UTC) failed: '::text) || r.error_message)) AS text,
            COALESCE(jsonb_object_agg('hours ago', round((EXTRACT(epoch FROM (now() - r.ended_at)) / (3600)::numeric), 1)), '{}'::jsonb) AS figures,
            COALESCE(array_agg(r.error_message) FILTER (WHERE (r.error_message IS NOT NULL)), '{}'::text[]) AS examples
           FROM ( SELECT v_run_history.started_at,
                    v_run_history.ended_at,
                    v_run_history.duration_s,
                    v_run_history.source,
                    v_run_history.trigger_type,
                    v_run_history.status,
                    v_run_history.movies_checked,
                    v_run_history.movies_skipped,
                    v_run_history.movies_ingested,
                    v_run_history.movies_failed,
                    v_run_history.ingested_titles,
                    v_run_history.failed_titles,
                    v_run_history.error_message,
                    v_run_history.run_id
                   FROM public.v_run_history
                  WHERE (v_run_history.source = 'refresh'::text)
                  ORDER BY v_run_history.ended_at DESC
                 LIMIT 1) r) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'ingested_lately'::text AS name,
    'works'::text AS asset,
    'See the runs of weekly_ingest: did the last one fail? Is weekly_ingest_schedule on, and the daemon running?'::text AS advice,
    answer.text
   FROM ( SELECT COALESCE(bool_and((s.hours <= (192)::numeric)), true) AS passed,
            max((('The last ingest that ended well was '::text || round(s.hours)) || ' hours ago.'::text)) AS text,
            COALESCE(jsonb_object_agg('hours ago', round(s.hours, 1)), '{}'::jsonb) AS figures,
                CASE
                    WHEN (count(*) = 0) THEN ARRAY['It has not run yet.'::text]
                    ELSE '{}'::text[]
                END AS examples
           FROM ( SELECT (EXTRACT(epoch FROM (now() - sync_state.last_sync_at)) / (3600)::numeric) AS hours
                   FROM public.sync_state
                  WHERE ((sync_state.sync_type = 'scheduled_ingest'::text) AND (sync_state.last_sync_at IS NOT NULL))) s) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'refreshed_lately'::text AS name,
    'works'::text AS asset,
    'See the runs of daily_refresh: did the last one fail? Is its schedule on, and the daemon running?'::text AS advice,
    answer.text
   FROM ( SELECT COALESCE(bool_and((s.hours <= (26)::numeric)), true) AS passed,
            max((('The last refresh that ended well was '::text || round(s.hours)) || ' hours ago.'::text)) AS text,
            COALESCE(jsonb_object_agg('hours ago', round(s.hours, 1)), '{}'::jsonb) AS figures,
                CASE
                    WHEN (count(*) = 0) THEN ARRAY['It has not run yet.'::text]
                    ELSE '{}'::text[]
                END AS examples
           FROM ( SELECT (EXTRACT(epoch FROM (now() - sync_state.last_sync_at)) / (3600)::numeric) AS hours
                   FROM public.sync_state
                  WHERE ((sync_state.sync_type = 'daily_refresh'::text) AND (sync_state.last_sync_at IS NOT NULL))) s) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'queue_moves'::text AS name,
    'works'::text AS asset,
    'See that the daemon runs and that the runs which drain the queue succeed.'::text AS advice,
    answer.text
   FROM ( SELECT (q.hours <= (24)::numeric) AS passed,
            (((q.due || ' entries of the queue are due; the oldest is so for '::text) || round(q.hours)) || ' hours.'::text) AS text,
            jsonb_build_object('due', q.due, 'oldest due (h)', round(q.hours, 1), 'failed in 7 days', q.failed) AS figures,
            ARRAY( SELECT ((count(*) || ' x '::text) || r.reason)
                   FROM ( SELECT "left"(public.failure_reason(refresh_queue.last_error), 200) AS reason
                           FROM public.refresh_queue
                          WHERE ((refresh_queue.status = 'failed'::text) AND (refresh_queue.processed_at > (now() - '7 days'::interval)) AND (refresh_queue.last_error IS NOT NULL))) r
                  GROUP BY r.reason
                  ORDER BY (count(*)) DESC, r.reason
                 LIMIT 10) AS examples
           FROM ( SELECT count(*) FILTER (WHERE ((refresh_queue.status = 'queued'::text) AND (COALESCE(refresh_queue.due_at, refresh_queue.queued_at) <= now()))) AS due,
                    count(*) FILTER (WHERE ((refresh_queue.status = 'failed'::text) AND (refresh_queue.processed_at > (now() - '7 days'::interval)))) AS failed,
                    COALESCE(max((EXTRACT(epoch FROM (now() - COALESCE(refresh_queue.due_at, refresh_queue.queued_at))) / (3600)::numeric)) FILTER (WHERE ((refresh_queue.status = 'queued'::text) AND (COALESCE(refresh_queue.due_at, refresh_queue.queued_at) <= now()))), (0)::numeric) AS hours
                   FROM public.refresh_queue
                  WHERE (refresh_queue.status = ANY (ARRAY['queued'::text, 'failed'::text]))) q) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'few_failed_works'::text AS name,
    'works'::text AS asset,
    'works.ingestion_error says why each failed: mend the cause, then run batch_ingest.'::text AS advice,
    answer.text
   FROM ( SELECT ((c.works < 20) OR ((c.failed)::numeric <= (0.05 * (c.works)::numeric))) AS passed,
            (((c.failed || ' of '::text) || c.works) || ' movies are failed.'::text) AS text,
            jsonb_build_object('failed works', c.failed, 'failed (%)', round(((100.0 * (c.failed)::numeric) / (GREATEST(c.works, (1)::bigint))::numeric), 1)) AS figures,
            ARRAY( SELECT ((count(*) || ' x '::text) || r.reason)
                   FROM ( SELECT "left"(public.failure_reason(works.ingestion_error), 200) AS reason
                           FROM public.works
                          WHERE ((works.ingestion_status = 'failed'::text) AND (works.gone_at IS NULL) AND (works.ingestion_error IS NOT NULL))) r
                  GROUP BY r.reason
                  ORDER BY (count(*)) DESC, r.reason
                 LIMIT 10) AS examples
           FROM ( SELECT count(*) FILTER (WHERE ((works.ingestion_status = 'failed'::text) AND (works.gone_at IS NULL))) AS failed,
                    count(*) AS works
                   FROM public.works) c) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'warning'::text AS severity,
    'no_stuck_works'::text AS name,
    'works'::text AS asset,
    'The sensor rescue_dead_work frees them every minute: see that it is on, and that the daemon runs.'::text AS advice,
    answer.text
   FROM ( SELECT (count(*) = 0) AS passed,
            (((('Stuck works: '::text || max(wrong.found)) || ', such as '::text) || (array_agg(wrong.example))[1]) || '.'::text) AS text,
            jsonb_build_object('stuck works', COALESCE(max(wrong.found), (0)::bigint)) AS figures,
            COALESCE(array_agg(wrong.example), '{}'::text[]) AS examples
           FROM ( SELECT ((((w.title || ' (TMDB id '::text) || w.tmdb_id) || '), claimed by '::text) || COALESCE(w.claimed_by, 'nobody'::text)) AS example,
                    count(*) OVER () AS found
                   FROM public.works w
                  WHERE ((w.ingestion_status = 'ingesting'::text) AND (NOT ((w.ingestion_status = 'ingesting'::text) AND (EXISTS ( SELECT
                           FROM public.run_leases l
                          WHERE ((l.run_id = w.claimed_by) AND (l.expires_at > clock_timestamp())))))))
                  ORDER BY w.work_id
                 LIMIT 10) wrong) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'refreshed_within_six_months'::text AS name,
    'works'::text AS asset,
    'Run batch_ingest with force_refresh, or remove these movies; and see why the refresh passes them over.'::text AS advice,
    answer.text
   FROM ( SELECT (count(*) = 0) AS passed,
            (((('Works older than six months: '::text || max(wrong.found)) || ', such as '::text) || (array_agg(wrong.example))[1]) || '.'::text) AS text,
            jsonb_build_object('works older than six months', COALESCE(max(wrong.found), (0)::bigint)) AS figures,
            COALESCE(array_agg(wrong.example), '{}'::text[]) AS examples
           FROM ( SELECT ((((works.title || ' (TMDB id '::text) || works.tmdb_id) || '), of '::text) || (works.last_refreshed_at)::date) AS example,
                    count(*) OVER () AS found
                   FROM public.works
                  WHERE (works.last_refreshed_at < (now() - '6 mons'::interval))
                  ORDER BY works.last_refreshed_at
                 LIMIT 10) wrong) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'warning'::text AS severity,
    'images_rehosted'::text AS name,
    'works_meta'::text AS asset,
    'The job repair_images tries them again by itself; image_inventory.last_error says why they failed.'::text AS advice,
    answer.text
   FROM ( SELECT ((i.stored)::numeric >= (0.95 * (i.images)::numeric)) AS passed,
            ((((i.images - i.stored) || ' of '::text) || i.images) || ' images are not in the store.'::text) AS text,
            jsonb_build_object('stored', i.stored, 'pending', i.pending, 'failed', i.failed, 'gave_up', i.gave_up, 'coverage (%)', COALESCE(round(((100.0 * (i.stored)::numeric) / (NULLIF(i.images, 0))::numeric), 1), (100)::numeric)) AS figures,
            ARRAY( SELECT ((count(*) || ' x '::text) || r.reason)
                   FROM ( SELECT "left"(public.failure_reason(image_inventory.last_error), 200) AS reason
                           FROM public.image_inventory
                          WHERE ((image_inventory.status = ANY (ARRAY['failed'::text, 'gave_up'::text])) AND (image_inventory.last_error IS NOT NULL))) r
                  GROUP BY r.reason
                  ORDER BY (count(*)) DESC, r.reason
                 LIMIT 10) AS examples
           FROM ( SELECT (COALESCE(sum(v_image_coverage.images), (0)::numeric))::bigint AS images,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'stored'::text)), (0)::numeric))::bigint AS stored,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'pending'::text)), (0)::numeric))::bigint AS pending,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'failed'::text)), (0)::numeric))::bigint AS failed,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'gave_up'::text)), (0)::numeric))::bigint AS gave_up
                   FROM public.v_image_coverage) i) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'no_images_given_up'::text AS name,
    'works_meta'::text AS asset,
    'image_inventory.last_error says why; mend the cause, then run the job repair_images.'::text AS advice,
    answer.text
   FROM ( SELECT (i.gave_up = 0) AS passed,
            (i.gave_up || ' images were given up.'::text) AS text,
            jsonb_build_object('given up', i.gave_up) AS figures,
            ARRAY( SELECT ((count(*) || ' x '::text) || r.reason)
                   FROM ( SELECT "left"(public.failure_reason(image_inventory.last_error), 200) AS reason
                           FROM public.image_inventory
                          WHERE ((image_inventory.status = 'gave_up'::text) AND (image_inventory.last_error IS NOT NULL))) r
                  GROUP BY r.reason
                  ORDER BY (count(*)) DESC, r.reason
                 LIMIT 10) AS examples
           FROM ( SELECT (COALESCE(sum(v_image_coverage.images), (0)::numeric))::bigint AS images,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'stored'::text)), (0)::numeric))::bigint AS stored,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'pending'::text)), (0)::numeric))::bigint AS pending,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'failed'::text)), (0)::numeric))::bigint AS failed,
                    (COALESCE(sum(v_image_coverage.images) FILTER (WHERE (v_image_coverage.status = 'gave_up'::text)), (0)::numeric))::bigint AS gave_up
                   FROM public.v_image_coverage) i) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'credentials'::text AS name,
    'ops_report'::text AS asset,
    'Correct TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY.'::text AS advice,
    answer.text
   FROM ( SELECT (c.refused = 0) AS passed,
            (('TMDB refused the key in '::text || c.refused) || ' calls of the last day.'::text) AS text,
            jsonb_build_object('refused calls', c.refused) AS figures,
            ARRAY( SELECT ((count(*) || ' x '::text) || r.reason)
                   FROM ( SELECT "left"(public.failure_reason(tmdb_api_logs.error_message), 200) AS reason
                           FROM public.tmdb_api_logs
                          WHERE ((tmdb_api_logs.http_status = ANY (ARRAY[401, 403])) AND (tmdb_api_logs.created_at > (now() - '1 day'::interval)) AND (COALESCE(POSITION((': not TMDB but '::text) IN (tmdb_api_logs.error_message)), 0) = 0) AND (tmdb_api_logs.error_message IS NOT NULL))) r
                  GROUP BY r.reason
                  ORDER BY (count(*)) DESC, r.reason
                 LIMIT 10) AS examples
           FROM ( SELECT count(*) AS refused
                   FROM public.tmdb_api_logs
                  WHERE ((tmdb_api_logs.http_status = ANY (ARRAY[401, 403])) AND (tmdb_api_logs.created_at > (now() - '1 day'::interval)) AND (COALESCE(POSITION((': not TMDB but '::text) IN (tmdb_api_logs.error_message)), 0) = 0))) c) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'error_rate'::text AS name,
    'ops_report'::text AS asset,
    'If TMDB is down, it passes by itself; else mend what the most frequent error names.'::text AS advice,
    answer.text
   FROM ( SELECT ((c.calls < 20) OR ((c.errors)::numeric <= (0.1 * (c.calls)::numeric))) AS passed,
            ((((round(((100.0 * (c.errors)::numeric) / (GREATEST(c.calls, (1)::bigint))::numeric)) || ' % of the last day''s '::text) || c.calls) || ' calls failed; most often: '::text) || c.messages[1]) AS text,
            jsonb_build_object('calls', c.calls, 'failed', c.errors) AS figures,
            c.messages AS examples
           FROM ( SELECT count(*) AS calls,
                    count(*) FILTER (WHERE public.is_failed_call(c_1.*)) AS errors,
                    ARRAY( SELECT ((count(*) || ' x '::text) || r.reason)
                           FROM ( SELECT "left"(public.failure_reason(COALESCE(e.error_message, ('HTTP '::text || e.http_status))), 200) AS reason
                                   FROM public.tmdb_api_logs e
                                  WHERE (public.is_failed_call(e.*) AND (e.created_at > (now() - '1 day'::interval)) AND (COALESCE(e.error_message, ('HTTP '::text || e.http_status)) IS NOT NULL))) r
                          GROUP BY r.reason
                          ORDER BY (count(*)) DESC, r.reason
                         LIMIT 10) AS messages
                   FROM public.tmdb_api_logs c_1
                  WHERE (c_1.created_at > (now() - '1 day'::interval))) c) answer
  WHERE (NOT answer.passed)
UNION ALL
 SELECT 'error'::text AS severity,
    'complete_works_have_rows'::text AS name,
    'works'::text AS asset,
    'Run rebuild_from_raw; for works without a stored answer run batch_ingest with force_refresh.'::text AS advice,
    answer.text
   FROM ( SELECT (count(*) = 0) AS passed,
            (((('Incomplete works: '::text || max(wrong.found)) || ', such as '::text) || (array_agg(wrong.example))[1]) || '.'::text) AS text,
            jsonb_build_object('incomplete works', COALESCE(max(wrong.found), (0)::bigint)) AS figures,
            COALESCE(array_agg(wrong.example), '{}'::text[]) AS examples
           FROM ( SELECT ((((w.title || ' (TMDB id '::text) || w.tmdb_id) || ') lacks '::text) || concat_ws(', '::text,
                        CASE
                            WHEN (m.work_id IS NULL) THEN 'works_meta'::text
                            ELSE NULL::text
                        END,
                        CASE
                            WHEN (c.work_id IS NULL) THEN 'work_cards_cache'::text
                            ELSE NULL::text
                        END,
                        CASE
                            WHEN (a.work_id IS NULL) THEN 'aggregates'::text
                            ELSE NULL::text
                        END,
                        CASE
                            WHEN (a.rated AND (r.work_id IS NULL)) THEN 'rating_sources'::text
                            ELSE NULL::text
                        END)) AS example,
                    count(*) OVER () AS found
                   FROM ((((public.works w
                     LEFT JOIN public.works_meta m USING (work_id))
                     LEFT JOIN public.work_cards_cache c USING (work_id))
                     LEFT JOIN ( SELECT DISTINCT rating_sources.work_id
                           FROM public.rating_sources
                          WHERE (rating_sources.source_name = 'TMDB'::text)) r USING (work_id))
                     LEFT JOIN ( SELECT aggregates.work_id,
                            bool_or((aggregates.audience_score IS NOT NULL)) AS rated
                           FROM public.aggregates
                          GROUP BY aggregates.work_id) a USING (work_id))
                  WHERE ((w.ingestion_status = 'complete'::text) AND ((m.work_id IS NULL) OR (c.work_id IS NULL) OR (a.work_id IS NULL) OR (a.rated AND (r.work_id IS NULL))))
                  ORDER BY w.work_id
                 LIMIT 10) wrong) answer
  WHERE (NOT answer.passed);

COMMENT ON VIEW public.v_problems IS 'What the cheap checks find wrong now, as `tmdb-dagster status` tells it.';

COMMENT ON COLUMN public.v_problems.severity IS 'error: a person must act. warning: it may mend itself, or can wait.';

COMMENT ON COLUMN public.v_problems.name IS 'Name of the check.';

COMMENT ON COLUMN public.v_problems.asset IS 'Asset that it is about.';

COMMENT ON COLUMN public.v_problems.advice IS 'What to do.';

COMMENT ON COLUMN public.v_problems.text IS 'What is wrong.';

CREATE VIEW public.v_queue_status WITH (security_invoker='true') AS
 SELECT status,
    priority,
    reason,
    claimed,
    count(*) AS entries,
    count(*) FILTER (WHERE ((status = 'queued'::text) AND ((due_at <= now()) OR (due_at IS NULL)))) AS due,
    min(due_at) FILTER (WHERE (status = 'queued'::text)) AS next_due_at,
    min(queued_at) FILTER (WHERE is_open) AS oldest_queued_at,
    (EXTRACT(epoch FROM (now() - min(queued_at) FILTER (WHERE is_open))))::double precision AS oldest_age_s,
    COALESCE(sum(retry_count), (0)::bigint) AS retries,
    max(processed_at) AS last_processed_at,
    (array_agg(last_error ORDER BY COALESCE(processed_at, claimed_at, queued_at) DESC NULLS LAST) FILTER (WHERE (last_error IS NOT NULL)))[1] AS last_error
   FROM ( SELECT r.id,
            r.work_id,
            r.priority,
            r.status,
            r.reason,
            r.queued_at,
            r.due_at,
            r.claimed_by,
            r.claimed_at,
            r.processed_at,
            r.retry_count,
            r.last_error,
            r.note,
            r.created_at,
            (r.status = ANY (ARRAY['queued'::text, 'processing'::text])) AS is_open,
            ((r.status = 'processing'::text) AND (EXISTS ( SELECT
                   FROM public.run_leases l
                  WHERE ((l.run_id = r.claimed_by) AND (l.expires_at > now()))))) AS claimed
           FROM public.refresh_queue r) q
  GROUP BY status, priority, reason, claimed;

COMMENT ON VIEW public.v_queue_status IS 'The refresh queue by status, priority, reason and whether a live run is at it.';

COMMENT ON COLUMN public.v_queue_status.status IS 'queued, processing, completed or failed.';

COMMENT ON COLUMN public.v_queue_status.priority IS 'Higher goes first.';

COMMENT ON COLUMN public.v_queue_status.reason IS 'requested, new, schema, recent, changed, retry or stale.';

COMMENT ON COLUMN public.v_queue_status.claimed IS 'Whether a run that is alive processes them; processing and not claimed: its run died.';

COMMENT ON COLUMN public.v_queue_status.entries IS 'Number of entries.';

COMMENT ON COLUMN public.v_queue_status.due IS 'Of these, queued and due now.';

COMMENT ON COLUMN public.v_queue_status.next_due_at IS 'When the next queued one is due.';

COMMENT ON COLUMN public.v_queue_status.oldest_queued_at IS 'When the oldest was queued; NULL for finished ones.';

COMMENT ON COLUMN public.v_queue_status.oldest_age_s IS 'Seconds since then.';

COMMENT ON COLUMN public.v_queue_status.retries IS 'Failed tries of all of them.';

COMMENT ON COLUMN public.v_queue_status.last_processed_at IS 'When the last one was finished.';

COMMENT ON COLUMN public.v_queue_status.last_error IS 'The newest error of one of them; NULL where none has one.';

CREATE SEQUENCE public.works_work_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.works_work_id_seq OWNED BY public.works.work_id;

ALTER TABLE ONLY public.ingest_batches ALTER COLUMN batch_id SET DEFAULT nextval('public.ingest_batches_batch_id_seq'::regclass);

ALTER TABLE ONLY public.rating_sources ALTER COLUMN rating_id SET DEFAULT nextval('public.rating_sources_rating_id_seq'::regclass);

ALTER TABLE ONLY public.refresh_queue ALTER COLUMN id SET DEFAULT nextval('public.refresh_queue_id_seq'::regclass);

ALTER TABLE ONLY public.scheduled_ingestion_log ALTER COLUMN id SET DEFAULT nextval('public.scheduled_ingestion_log_id_seq'::regclass);

ALTER TABLE ONLY public.similar_movies ALTER COLUMN id SET DEFAULT nextval('public.similar_movies_id_seq'::regclass);

ALTER TABLE ONLY public.sync_state ALTER COLUMN id SET DEFAULT nextval('public.sync_state_id_seq'::regclass);

ALTER TABLE ONLY public.tmdb_api_logs ALTER COLUMN id SET DEFAULT nextval('public.tmdb_api_logs_id_seq'::regclass);

ALTER TABLE ONLY public.works ALTER COLUMN work_id SET DEFAULT nextval('public.works_work_id_seq'::regclass);

INSERT INTO public.catalogue_version VALUES ('0100');

SELECT pg_catalog.setval('public.ingest_batches_batch_id_seq', 1, false);

SELECT pg_catalog.setval('public.rating_sources_rating_id_seq', 1, false);

SELECT pg_catalog.setval('public.refresh_queue_id_seq', 1, false);

SELECT pg_catalog.setval('public.scheduled_ingestion_log_id_seq', 1, false);

SELECT pg_catalog.setval('public.similar_movies_id_seq', 1, false);

SELECT pg_catalog.setval('public.sync_state_id_seq', 1, false);

SELECT pg_catalog.setval('public.tmdb_api_logs_id_seq', 1, false);

SELECT pg_catalog.setval('public.works_work_id_seq', 1, false);

ALTER TABLE ONLY public.aggregates
    ADD CONSTRAINT aggregates_pkey PRIMARY KEY (work_id, method_version);

ALTER TABLE ONLY public.catalogue_version
    ADD CONSTRAINT catalogue_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.catalogue_origin
    ADD CONSTRAINT catalogue_origin_pkey PRIMARY KEY (origin);

ALTER TABLE ONLY public.image_inventory
    ADD CONSTRAINT image_inventory_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.ingest_batches
    ADD CONSTRAINT ingest_batches_pkey PRIMARY KEY (batch_id);

ALTER TABLE ONLY public.ingest_candidates
    ADD CONSTRAINT ingest_candidates_pkey PRIMARY KEY (batch_id, tmdb_id);

ALTER TABLE ONLY public.list_snapshots
    ADD CONSTRAINT list_snapshots_pkey PRIMARY KEY (run_id, source, rank);

ALTER TABLE ONLY public.movie_responses
    ADD CONSTRAINT movie_responses_pkey PRIMARY KEY (work_id);

ALTER TABLE ONLY public.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.rating_sources
    ADD CONSTRAINT rating_sources_pkey PRIMARY KEY (rating_id);

ALTER TABLE ONLY public.rating_sources
    ADD CONSTRAINT rating_sources_work_id_source_name_key UNIQUE (work_id, source_name);

ALTER TABLE ONLY public.refresh_queue
    ADD CONSTRAINT refresh_queue_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.run_leases
    ADD CONSTRAINT run_leases_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY public.scheduled_ingestion_log
    ADD CONSTRAINT scheduled_ingestion_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.score_prior
    ADD CONSTRAINT score_prior_pkey PRIMARY KEY (method_version);

ALTER TABLE ONLY public.similar_movies
    ADD CONSTRAINT similar_movies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.similar_movies
    ADD CONSTRAINT similar_movies_work_id_similar_tmdb_id_source_key UNIQUE (work_id, similar_tmdb_id, source);

ALTER TABLE ONLY public.sync_state
    ADD CONSTRAINT sync_state_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_state
    ADD CONSTRAINT sync_state_sync_type_key UNIQUE (sync_type);

ALTER TABLE ONLY public.tmdb_api_logs
    ADD CONSTRAINT tmdb_api_logs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.work_cards_cache
    ADD CONSTRAINT work_cards_cache_pkey PRIMARY KEY (work_id);

ALTER TABLE ONLY public.work_images
    ADD CONSTRAINT work_images_pkey PRIMARY KEY (work_id, key);

ALTER TABLE ONLY public.works
    ADD CONSTRAINT works_imdb_id_key UNIQUE (imdb_id);

ALTER TABLE ONLY public.works_meta
    ADD CONSTRAINT works_meta_pkey PRIMARY KEY (work_id);

ALTER TABLE ONLY public.works
    ADD CONSTRAINT works_pkey PRIMARY KEY (work_id);

ALTER TABLE ONLY public.works
    ADD CONSTRAINT works_tmdb_id_key UNIQUE (tmdb_id);

CREATE INDEX image_inventory_missing_idx ON public.image_inventory USING btree (key) WHERE (status <> 'stored'::text);

CREATE INDEX image_inventory_replaced_idx ON public.image_inventory USING btree (key) WHERE replaced;

CREATE INDEX image_inventory_work_id_idx ON public.image_inventory USING btree (work_id);

CREATE INDEX ingest_batches_open_idx ON public.ingest_batches USING btree (run_id) WHERE (closed_at IS NULL);

CREATE INDEX list_snapshots_source_fetched_at_idx ON public.list_snapshots USING btree (source, fetched_at DESC);

CREATE INDEX list_snapshots_tmdb_id_idx ON public.list_snapshots USING btree (tmdb_id);

CREATE UNIQUE INDEX refresh_queue_open_work_id_key ON public.refresh_queue USING btree (work_id) WHERE (status = ANY (ARRAY['queued'::text, 'processing'::text]));

CREATE INDEX refresh_queue_status_priority_queued_at_idx ON public.refresh_queue USING btree (status, priority DESC, queued_at);

CREATE INDEX refresh_queue_work_id_idx ON public.refresh_queue USING btree (work_id);

CREATE INDEX scheduled_ingestion_log_created_at_idx ON public.scheduled_ingestion_log USING btree (created_at DESC);

CREATE INDEX scheduled_ingestion_log_source_idx ON public.scheduled_ingestion_log USING btree (source);

CREATE INDEX tmdb_api_logs_created_at_idx ON public.tmdb_api_logs USING btree (created_at DESC);

CREATE INDEX tmdb_api_logs_edge_function_idx ON public.tmdb_api_logs USING btree (edge_function);

CREATE INDEX tmdb_api_logs_endpoint_idx ON public.tmdb_api_logs USING btree (endpoint);

CREATE INDEX tmdb_api_logs_hour_idx ON public.tmdb_api_logs USING btree ((date_trunc('hour'::text, (created_at AT TIME ZONE 'UTC'::text)) AT TIME ZONE 'UTC'::text));

CREATE INDEX tmdb_api_logs_http_status_idx ON public.tmdb_api_logs USING btree (http_status);

CREATE INDEX tmdb_api_logs_tmdb_id_idx ON public.tmdb_api_logs USING btree (tmdb_id);

CREATE INDEX work_cards_cache_without_attribution_idx ON public.work_cards_cache USING btree (work_id) WHERE (NOT (payload ? 'attribution'::text));

CREATE INDEX work_images_at_tmdb_idx ON public.work_images USING btree (key) WHERE (sha256 IS NULL);

CREATE INDEX work_images_key_idx ON public.work_images USING btree (key);

CREATE INDEX works_claimed_by_idx ON public.works USING btree (claimed_by) WHERE (claimed_by IS NOT NULL);

CREATE INDEX works_ingestion_status_idx ON public.works USING btree (ingestion_status);

CREATE INDEX works_last_refreshed_at_idx ON public.works USING btree (last_refreshed_at);

CREATE INDEX works_meta_schema_version_idx ON public.works_meta USING btree (COALESCE(schema_version, 0), work_id);

CREATE INDEX works_never_refreshed_idx ON public.works USING btree (work_id) WHERE (last_refreshed_at IS NULL);

CREATE INDEX works_release_date_idx ON public.works USING btree (release_date);

CREATE INDEX works_title_idx ON public.works USING btree (title);

CREATE INDEX works_year_idx ON public.works USING btree (year);

ALTER TABLE ONLY public.aggregates
    ADD CONSTRAINT aggregates_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.image_inventory
    ADD CONSTRAINT image_inventory_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.ingest_candidates
    ADD CONSTRAINT ingest_candidates_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.ingest_batches(batch_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.movie_responses
    ADD CONSTRAINT movie_responses_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.rating_sources
    ADD CONSTRAINT rating_sources_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.refresh_queue
    ADD CONSTRAINT refresh_queue_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.similar_movies
    ADD CONSTRAINT similar_movies_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.work_cards_cache
    ADD CONSTRAINT work_cards_cache_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.work_images
    ADD CONSTRAINT work_images_key_fkey FOREIGN KEY (key) REFERENCES public.image_inventory(key) ON DELETE CASCADE;

ALTER TABLE ONLY public.work_images
    ADD CONSTRAINT work_images_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.works_meta
    ADD CONSTRAINT works_meta_work_id_fkey FOREIGN KEY (work_id) REFERENCES public.works(work_id) ON DELETE CASCADE;

REVOKE ALL ON FUNCTION public.remove_unfinished_works(run_id_input text) FROM PUBLIC;
