-- SPDX-License-Identifier: Apache-2.0
-- Spreads people over two servers with PL/Proxy (Debian: postgresql-15-plproxy); the store is
-- then given the conninfo of the database in which this file was run.  Both shards have the
-- tables already (`merganser db init` with the conninfo of each), and:
--
--   psql -1 -v ON_ERROR_STOP=1 -v user=merganser -v password=... \
--        -v host_0=db0.example -v port_0=5432 -v dbname_0=mail \
--        -v host_1=db1.example -v port_1=5432 -v dbname_1=mail -f plproxy.sql PROXY-DATABASE
--
-- Everything of a person is on one shard, by their key, so what is exact on one server is exact
-- here.  What is not of one person:
--
-- * Accounts that people share would be on the shard of each of them: caps of scope domain or
--   household are refused, by every copy that needs one (451), never counted short.
-- * Numbers of campaigns and links are given by the first shard.
-- * An import is whole or nothing on each shard and for 10,000 rows, not as one: run it again
--   after a failure, it takes the same rows twice without harm.
-- * Nobody is told of changes here: cache_bytes does nothing.  Hits are recorded on the shards
--   and not through here.
--
-- More shards, a power of two: one more server, schema and line p2, p3 ... below, and UNION ALL.

CREATE EXTENSION IF NOT EXISTS plproxy;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SCHEMA merganser;

-- ---- the shards ---------------------------------------------------------------------------------

\set p0 'host=' :host_0 ' port=' :port_0 ' dbname=' :dbname_0
\set p1 'host=' :host_1 ' port=' :port_1 ' dbname=' :dbname_1
CREATE SERVER merganser FOREIGN DATA WRAPPER plproxy OPTIONS (p0 :'p0', p1 :'p1');
CREATE SERVER merganser_0 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_0', port :'port_0', dbname :'dbname_0');
CREATE SERVER merganser_1 FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host :'host_1', port :'port_1', dbname :'dbname_1');
CREATE USER MAPPING FOR CURRENT_USER SERVER merganser
    OPTIONS (user :'user', password :'password');
CREATE USER MAPPING FOR CURRENT_USER SERVER merganser_0
    OPTIONS (user :'user', password :'password');
CREATE USER MAPPING FOR CURRENT_USER SERVER merganser_1
    OPTIONS (user :'user', password :'password');

-- ---- tables, to be read -------------------------------------------------------------------------

CREATE SCHEMA merganser_0;
CREATE SCHEMA merganser_1;
IMPORT FOREIGN SCHEMA merganser FROM SERVER merganser_0 INTO merganser_0;
IMPORT FOREIGN SCHEMA merganser FROM SERVER merganser_1 INTO merganser_1;
DO $$
DECLARE
    v_name text;
BEGIN
    FOREACH v_name IN ARRAY ARRAY['profile', 'field', 'person', 'consent_log', 'consent',
        'suppression', 'event', 'hold', 'hit', 'web_event', 'delivery', 'web_identity',
        'outcome', 'campaign', 'link']
    LOOP
        EXECUTE format('CREATE VIEW merganser.%I AS SELECT * FROM merganser_0.%1$I '
            'UNION ALL SELECT * FROM merganser_1.%1$I', v_name);
    END LOOP;
END $$;

-- ---- the mail path ------------------------------------------------------------------------------

CREATE FUNCTION merganser.mrg_schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 4';
CREATE FUNCTION merganser.mrg_tells_changes() RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT false';

-- A key is a hash: any byte of it spreads people evenly.
CREATE FUNCTION merganser.mrg_fetch(p_key bytea, p_names text[])
RETURNS TABLE (fields text[]) LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_load(p_key bytea, p_message bytea)
RETURNS TABLE (version bigint, history text, engagement text, consents text[],
    suppressions text[], verdict smallint, "until" bigint, reason text)
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_fetch_and_load(p_key bytea, p_names text[], p_message bytea)
RETURNS TABLE (version bigint, history text, engagement text, consents text[],
    suppressions text[], verdict smallint, "until" bigint, reason text, fields text[])
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_load_shared(p_keys bytea[]) RETURNS text[]
LANGUAGE plpgsql AS $$
BEGIN
    RAISE feature_not_supported
        USING MESSAGE = 'caps of scope domain and household cannot span shards';
END $$;

CREATE FUNCTION merganser.mrg_commit(p_key bytea, p_message bytea, p_version bigint,
    p_history text, p_at bigint, p_campaign text, p_class text, p_sender text, p_tags text,
    p_verdict integer, p_reason text, p_until bigint, p_tracked integer, p_is_final boolean,
    p_host text, p_queue_id text, p_list text, p_keys bytea[], p_versions bigint[],
    p_histories text[])
RETURNS integer LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_settle_hold(p_key bytea, p_message bytea, p_version bigint,
    p_history text, p_at bigint, p_campaign text, p_class text, p_sender text, p_tags text,
    p_verdict integer, p_reason text, p_until bigint, p_tracked integer, p_keys bytea[],
    p_versions bigint[], p_histories text[])
RETURNS integer LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_swap(p_key bytea, p_version bigint, p_history text)
RETURNS boolean LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_put_hold(p_message bytea, p_key bytea, p_host text,
    p_queue_id text, p_campaign text, p_class text, p_at bigint, p_until bigint, p_list text)
RETURNS void LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_campaign_number(p_name text) RETURNS integer
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON 0;
$$;

CREATE FUNCTION merganser.mrg_link_numbers(p_campaign integer, p_targets text[])
RETURNS TABLE (place bigint, number integer) LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON 0;
$$;

-- ---- people -------------------------------------------------------------------------------------

CREATE FUNCTION merganser.mrg_end_suppression(p_key bytea, p_scope text, p_reason text,
    p_at bigint)
RETURNS bigint LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_erase(p_key bytea, p_at bigint) RETURNS void
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_erase_hits(p_key bytea) RETURNS void LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON get_byte(p_key, 0);
$$;

CREATE FUNCTION merganser.mrg_import_rows(p_lines bigint[], p_kinds text[], p_keys bytea[],
    p_as text[], p_bs text[], p_ms bigint[], p_ns bigint[])
RETURNS SETOF integer LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    SPLIT p_lines, p_kinds, p_keys, p_as, p_bs, p_ms, p_ns;
    RUN ON get_byte(p_keys, 0);
$$;

CREATE FUNCTION merganser.mrg_import() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM merganser.mrg_import_rows(array_agg(line ORDER BY line),
        array_agg(kind::text ORDER BY line), array_agg(key ORDER BY line),
        array_agg(a ORDER BY line), array_agg(b ORDER BY line), array_agg(m ORDER BY line),
        array_agg(n ORDER BY line))
    FROM (SELECT line / 10000 AS piece, * FROM pg_temp.incoming) i
    GROUP BY piece ORDER BY piece;
END $$;

-- ---- on every shard -----------------------------------------------------------------------------

CREATE FUNCTION merganser.on_all_end_hold(p_message bytea) RETURNS SETOF bigint
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON ALL;
    TARGET merganser.mrg_end_hold;
$$;
CREATE FUNCTION merganser.mrg_end_hold(p_message bytea) RETURNS bigint LANGUAGE sql AS
    'SELECT sum(n)::bigint FROM merganser.on_all_end_hold(p_message) n';

CREATE FUNCTION merganser.on_all_make_partitions(p_now bigint) RETURNS SETOF text
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON ALL;
    TARGET merganser.mrg_make_partitions;
$$;
CREATE FUNCTION merganser.mrg_make_partitions(p_now bigint) RETURNS bigint LANGUAGE sql AS
    'SELECT 0::bigint FROM (SELECT count(*) FROM merganser.on_all_make_partitions(p_now)) made';

CREATE FUNCTION merganser.on_all_retain_events(p_before bigint) RETURNS SETOF bigint
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON ALL;
    TARGET merganser.mrg_retain_events;
$$;
CREATE FUNCTION merganser.mrg_retain_events(p_before bigint) RETURNS bigint LANGUAGE sql AS
    'SELECT sum(n)::bigint FROM merganser.on_all_retain_events(p_before) n';

CREATE FUNCTION merganser.on_all_retain_engagements(p_before bigint) RETURNS SETOF bigint
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON ALL;
    TARGET merganser.mrg_retain_engagements;
$$;
CREATE FUNCTION merganser.mrg_retain_engagements(p_before bigint) RETURNS bigint LANGUAGE sql AS
    'SELECT sum(n)::bigint FROM merganser.on_all_retain_engagements(p_before) n';

CREATE FUNCTION merganser.on_all_retain_hits(p_before bigint) RETURNS SETOF bigint
LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON ALL;
    TARGET merganser.mrg_retain_hits;
$$;
CREATE FUNCTION merganser.mrg_retain_hits(p_before bigint) RETURNS bigint LANGUAGE sql AS
    'SELECT sum(n)::bigint FROM merganser.on_all_retain_hits(p_before) n';

CREATE FUNCTION merganser.on_all_retain_answers(p_before bigint, p_limit integer)
RETURNS SETOF bigint LANGUAGE plproxy AS $$
    CLUSTER 'merganser';
    RUN ON ALL;
    TARGET merganser.mrg_retain_answers;
$$;
CREATE FUNCTION merganser.mrg_retain_answers(p_before bigint, p_limit integer) RETURNS bigint
LANGUAGE sql AS
    'SELECT sum(n)::bigint FROM merganser.on_all_retain_answers(p_before, p_limit) n';
