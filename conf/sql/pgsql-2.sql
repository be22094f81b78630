-- SPDX-License-Identifier: Apache-2.0
-- From version 1 to version 2 of the tables and functions of store-pgsql; a new database gets
-- both, one after the other, in one transaction.

-- ---- accounts ---------------------------------------------------------------------------

-- What the person did with mail: lines "MICROSECONDS KIND", as the contract has them.
ALTER TABLE merganser.person ADD COLUMN engagement text NOT NULL DEFAULT '';

-- ---- events: a partition for each month of UTC -------------------------------------------

DROP FUNCTION merganser.mrg_events(bytea, bigint);
DROP FUNCTION merganser.mrg_load(bytea, bytea);
DROP FUNCTION merganser.mrg_import(bytea, text, text[], integer[], text[], text[], integer[],
    bigint[], text[], text[], text[], bigint[], bigint[]);
DROP FUNCTION merganser.mrg_commit(bytea, bytea, bigint, text, bigint, text, text, integer, text,
    boolean);
ALTER TABLE merganser.event RENAME TO event_1;

CREATE SEQUENCE merganser.event_id; -- as recorded: of one time the last one counts
CREATE TABLE merganser.event (
    id       bigint NOT NULL DEFAULT nextval('merganser.event_id'),
    at       bigint NOT NULL,
    key      bytea NOT NULL CHECK (length(key) = 16),
    campaign text NOT NULL,
    class    text NOT NULL,
    sender   text NOT NULL,
    tags     text NOT NULL,
    verdict  smallint NOT NULL CHECK (verdict BETWEEN 0 AND 4),
    reason   text NOT NULL,
    "until"  bigint NOT NULL, -- of a hold: when it is due
    message  bytea CHECK (length(message) = 16)
) PARTITION BY RANGE (at);
CREATE INDEX ON merganser.event (key, at, id);
CREATE INDEX ON merganser.event USING brin (at);
-- What falls in no month that was made ahead: mail goes on.
CREATE TABLE merganser.event_default PARTITION OF merganser.event DEFAULT;

CREATE FUNCTION merganser.mrg_microseconds(p_time timestamp) RETURNS bigint
LANGUAGE sql IMMUTABLE AS 'SELECT (extract(epoch FROM p_time) * 1000000)::bigint';

CREATE FUNCTION merganser.mrg_month(p_at bigint) RETURNS timestamp
LANGUAGE sql IMMUTABLE AS $$
    SELECT date_trunc('month', timestamp '1970-01-01' + p_at / 1000000 * interval '1 second')
$$;

CREATE FUNCTION merganser.mrg_make_partition(p_month timestamp) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_name text := 'event_' || to_char(p_month, 'YYYYMM');
    v_from bigint := merganser.mrg_microseconds(p_month);
    v_to bigint := merganser.mrg_microseconds(p_month + interval '1 month');
BEGIN
    IF to_regclass('merganser.' || v_name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE merganser.%I (LIKE merganser.event INCLUDING ALL)', v_name);
    EXECUTE format('WITH late AS (DELETE FROM merganser.event_default '
        'WHERE at >= %s AND at < %s RETURNING *) INSERT INTO merganser.%I SELECT * FROM late',
        v_from, v_to, v_name);
    EXECUTE format('ALTER TABLE merganser.event ATTACH PARTITION merganser.%I '
        'FOR VALUES FROM (%s) TO (%s)', v_name, v_from, v_to);
END $$;

-- This month and the next three.
CREATE FUNCTION merganser.mrg_make_partitions(p_now bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 0 .. 3 LOOP
        PERFORM merganser.mrg_make_partition(
            merganser.mrg_month(p_now) + i * interval '1 month');
    END LOOP;
END $$;

DO $$
DECLARE
    v_month timestamp;
BEGIN
    FOR v_month IN SELECT DISTINCT merganser.mrg_month(at) FROM merganser.event_1
        WHERE at BETWEEN merganser.mrg_microseconds('2000-01-01')
            AND merganser.mrg_microseconds('2100-01-01') - 1
    LOOP
        PERFORM merganser.mrg_make_partition(v_month);
    END LOOP;
END $$;
INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, reason, "until",
    message)
SELECT at, key, campaign, class, '', '', verdict, reason, 0, message FROM merganser.event_1
ORDER BY id;

-- What a retry of a copy gets.  A table of its own, because a unique index over partitions
-- would have to hold their time, and a copy must be unique whenever it comes.  No key: the
-- copies of a person are found through their events.
CREATE TABLE merganser.outcome (
    message bytea PRIMARY KEY CHECK (length(message) = 16),
    at      bigint NOT NULL,
    verdict smallint NOT NULL CHECK (verdict BETWEEN 0 AND 4),
    "until" bigint NOT NULL,
    reason  text NOT NULL
);
CREATE INDEX ON merganser.outcome USING brin (at);
INSERT INTO merganser.outcome (message, at, verdict, "until", reason)
SELECT message, at, verdict, 0, reason FROM merganser.event_1 WHERE message IS NOT NULL;
DROP TABLE merganser.event_1;

-- ---- holds and links ----------------------------------------------------------------------

-- settlement: NULL, or 0 release and 1 delete (MrgVerdict), of which the MTA is not told yet.
-- is_changed: a consent or suppression of the person changed since.
CREATE TABLE merganser.hold (
    message    bytea PRIMARY KEY CHECK (length(message) = 16),
    key        bytea NOT NULL CHECK (length(key) = 16),
    host       text NOT NULL,
    queue_id   text NOT NULL,
    campaign   text NOT NULL,
    class      text NOT NULL,
    at         bigint NOT NULL,
    "until"    bigint NOT NULL,
    settlement smallint,
    is_changed boolean NOT NULL DEFAULT false
);
CREATE INDEX ON merganser.hold (key);

-- Targets are found by their SHA-256, because they may be long.
CREATE TABLE merganser.link (
    campaign integer NOT NULL,
    number   integer NOT NULL,
    hash     bytea NOT NULL,
    target   text NOT NULL,
    PRIMARY KEY (campaign, number),
    UNIQUE (campaign, hash)
);

-- ---- what follows from a change -------------------------------------------------------------

-- Beside the version, copies that are held are marked, so that a release run looks at them.
CREATE OR REPLACE FUNCTION merganser.raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := CASE WHEN TG_OP = 'DELETE' THEN OLD.key ELSE NEW.key END;
BEGIN
    INSERT INTO merganser.person (key, version) VALUES (v_key, 1)
    ON CONFLICT (key) DO UPDATE SET version = merganser.person.version + 1;
    UPDATE merganser.hold SET is_changed = true WHERE key = v_key AND NOT is_changed;
    RETURN NULL;
END $$;

-- The latest record counts, and of one time the stricter one.
CREATE OR REPLACE FUNCTION merganser.consent_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'consent_log is append-only';
    END IF;
    INSERT INTO merganser.consent AS c (key, purpose, state, at, source)
    VALUES (NEW.key, NEW.purpose, NEW.state, NEW.at, NEW.source)
    ON CONFLICT (key, purpose) DO UPDATE
    SET state = excluded.state, at = excluded.at, source = excluded.source
    WHERE excluded.at > c.at OR (excluded.at = c.at AND excluded.state > c.state);
    RETURN NULL;
END $$;

-- ---- the mail path --------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION merganser.mrg_schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 2';

-- Rows by kind: 0 person (history, engagement, version, -), 1 consent (purpose, source, state,
-- at), 2 suppression (scope, reason, at, until), 3 recorded outcome (reason, -, verdict, until),
-- 4 shared account (history, -, version, its place in p_shared from 1).
CREATE FUNCTION merganser.mrg_load(p_key bytea, p_message bytea, p_shared bytea[])
RETURNS TABLE (kind integer, a text, b text, m bigint, n bigint) LANGUAGE sql STABLE AS $$
    SELECT 0, p.history, p.engagement, p.version, 0::bigint FROM merganser.person p
    WHERE p.key = p_key
    UNION ALL
    SELECT 1, c.purpose, c.source, c.state::bigint, c.at FROM merganser.consent c
    WHERE c.key = p_key
    UNION ALL
    SELECT 2, s.scope, s.reason, s.at, s."until" FROM merganser.suppression s
    WHERE s.key = p_key
    UNION ALL
    SELECT 3, o.reason, '', o.verdict::bigint, o."until" FROM merganser.outcome o
    WHERE o.message = p_message
    UNION ALL
    SELECT 4, p.history, '', p.version, array_position(p_shared, p.key)::bigint
    FROM merganser.person p WHERE p.key = ANY (p_shared)
$$;

-- Kinds beside those of mrg_load: 5 there is a profile, 6 field (name, value, type, -).
CREATE FUNCTION merganser.mrg_fetch_and_load(p_key bytea, p_names text[], p_message bytea,
    p_shared bytea[])
RETURNS TABLE (kind integer, a text, b text, m bigint, n bigint) LANGUAGE sql STABLE AS $$
    SELECT 5, NULL::text, NULL::text, 0::bigint, 0::bigint FROM merganser.profile p
    WHERE p.key = p_key
    UNION ALL
    SELECT 6, f.name, f.value, f.type::bigint, 0::bigint FROM merganser.field f
    WHERE f.key = p_key AND f.name = ANY (p_names)
    UNION ALL
    SELECT l.kind, l.a, l.b, l.m, l.n FROM merganser.mrg_load(p_key, p_message, p_shared) l
$$;

-- Compare-and-swap on the version of one account; a history that is NULL stays.
CREATE FUNCTION merganser.mrg_swap(p_key bytea, p_version bigint, p_history text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF p_version = 0 THEN
        INSERT INTO merganser.person (key, version, history)
        VALUES (p_key, 1, coalesce(p_history, '')) ON CONFLICT (key) DO NOTHING;
    ELSE
        UPDATE merganser.person SET version = version + 1, history = coalesce(p_history, history)
        WHERE key = p_key AND version = p_version;
    END IF;
    RETURN FOUND;
END $$;

-- All accounts or none, in the order of their keys, so that two commits wait for each other
-- and do not lock each other out.
CREATE FUNCTION merganser.mrg_swap_all(p_keys bytea[], p_versions bigint[], p_histories text[])
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_account record;
BEGIN
    FOR v_account IN SELECT * FROM unnest(p_keys, p_versions, p_histories)
        AS t (key, version, history) ORDER BY key
    LOOP
        IF NOT merganser.mrg_swap(v_account.key, v_account.version, v_account.history) THEN
            -- Those before it are taken back.
            RAISE serialization_failure;
        END IF;
    END LOOP;
    RETURN true;
EXCEPTION WHEN serialization_failure THEN
    RETURN false;
END $$;

CREATE FUNCTION merganser.mrg_put_hold(p_message bytea, p_key bytea, p_host text,
    p_queue_id text, p_campaign text, p_class text, p_at bigint, p_until bigint)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO merganser.hold (message, key, host, queue_id, campaign, class, at, "until")
    VALUES (p_message, p_key, p_host, p_queue_id, p_campaign, p_class, p_at, p_until)
    ON CONFLICT (message) DO UPDATE SET host = excluded.host, queue_id = excluded.queue_id,
        at = excluded.at
$$;

-- The arrays are of the accounts that people share; NULL for none.  1: written; 0: someone
-- else was faster.
CREATE FUNCTION merganser.mrg_commit(p_key bytea, p_message bytea, p_version bigint,
    p_history text, p_at bigint, p_campaign text, p_class text, p_sender text, p_tags text,
    p_verdict integer, p_reason text, p_until bigint, p_is_final boolean, p_host text,
    p_queue_id text, p_keys bytea[], p_versions bigint[], p_histories text[])
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    -- A copy that is in flight now holds the person's row below, and wins by the version.
    IF EXISTS (SELECT 1 FROM merganser.outcome WHERE message = p_message) THEN
        RETURN 0;
    END IF;
    IF p_keys IS NULL THEN
        IF NOT merganser.mrg_swap(p_key, p_version, p_history) THEN
            RETURN 0;
        END IF;
    ELSIF NOT merganser.mrg_swap_all(p_keys || p_key, p_versions || p_version,
            p_histories || p_history) THEN
        RETURN 0;
    END IF;
    IF p_is_final THEN
        INSERT INTO merganser.outcome (message, at, verdict, "until", reason)
        VALUES (p_message, p_at, p_verdict, p_until, p_reason);
    END IF;
    INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, reason,
        "until", message)
    VALUES (p_at, p_key, p_campaign, p_class, p_sender, p_tags, p_verdict, p_reason, p_until,
        CASE WHEN p_is_final THEN p_message END);
    IF p_verdict = 4 AND p_host IS NOT NULL THEN
        PERFORM merganser.mrg_put_hold(p_message, p_key, p_host, p_queue_id, p_campaign, p_class,
            p_at, p_until);
    END IF;
    RETURN 1;
END $$;

-- As mrg_commit, for a hold that is there and open.
CREATE FUNCTION merganser.mrg_settle_hold(p_key bytea, p_message bytea, p_version bigint,
    p_history text, p_at bigint, p_campaign text, p_class text, p_sender text, p_tags text,
    p_verdict integer, p_reason text, p_until bigint, p_keys bytea[], p_versions bigint[],
    p_histories text[])
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF NOT merganser.mrg_swap_all(p_keys || p_key, p_versions || p_version,
            p_histories || p_history) THEN
        RETURN 0;
    END IF;
    UPDATE merganser.hold
    SET settlement = CASE WHEN p_verdict <> 4 THEN p_verdict END, "until" = p_until,
        is_changed = false
    WHERE message = p_message AND key = p_key AND settlement IS NULL;
    IF NOT FOUND THEN
        RAISE serialization_failure;
    END IF;
    INSERT INTO merganser.outcome (message, at, verdict, "until", reason)
    VALUES (p_message, p_at, p_verdict, p_until, p_reason)
    ON CONFLICT (message) DO UPDATE SET at = excluded.at, verdict = excluded.verdict,
        "until" = excluded."until", reason = excluded.reason;
    INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, reason,
        "until", message)
    VALUES (p_at, p_key, p_campaign, p_class, p_sender, p_tags, p_verdict, p_reason, p_until,
        p_message);
    RETURN 1;
END $$;

CREATE FUNCTION merganser.mrg_link_numbers(p_campaign integer, p_targets text[])
RETURNS TABLE (place bigint, number integer) LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM unnest(p_targets) t WHERE NOT EXISTS (SELECT 1 FROM merganser.link l
        WHERE l.campaign = p_campaign AND l.hash = sha256(convert_to(t, 'UTF8')))) THEN
        -- One at a time gives numbers; the first key is of this function alone.
        PERFORM pg_advisory_xact_lock(1299345255, p_campaign);
        INSERT INTO merganser.link (campaign, number, hash, target)
        SELECT p_campaign, (SELECT coalesce(max(l.number), 0) FROM merganser.link l
            WHERE l.campaign = p_campaign) + row_number() OVER (ORDER BY min(n.at)),
            sha256(convert_to(n.target, 'UTF8')), n.target
        FROM unnest(p_targets) WITH ORDINALITY AS n (target, at)
        WHERE NOT EXISTS (SELECT 1 FROM merganser.link l WHERE l.campaign = p_campaign
            AND l.hash = sha256(convert_to(n.target, 'UTF8')))
        GROUP BY n.target;
    END IF;
    RETURN QUERY SELECT n.at, l.number FROM unnest(p_targets) WITH ORDINALITY AS n (target, at)
        JOIN merganser.link l ON l.campaign = p_campaign
            AND l.hash = sha256(convert_to(n.target, 'UTF8'));
END $$;

-- ---- people ---------------------------------------------------------------------------------

-- One that had ended when this begins begins anew; else the later end counts.
CREATE FUNCTION merganser.mrg_add_suppression(p_key bytea, p_scope text, p_reason text,
    p_at bigint, p_until bigint)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO merganser.suppression AS s (key, scope, reason, at, "until")
    VALUES (p_key, p_scope, p_reason, p_at, p_until)
    ON CONFLICT (key, scope, reason) DO UPDATE
    SET at = CASE WHEN s."until" <= excluded.at THEN excluded.at ELSE s.at END,
        "until" = CASE WHEN s."until" <= excluded.at OR excluded."until" = 0
            THEN excluded."until" ELSE greatest(s."until", excluded."until") END
    WHERE s."until" <> 0 AND (s."until" <= excluded.at OR excluded."until" = 0
        OR excluded."until" > s."until")
$$;

-- Lines in order, each once, the newest 128 of them.
CREATE FUNCTION merganser.mrg_merge_engagements(p_old text, p_new text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(string_agg(at || ' ' || kind || E'\n', '' ORDER BY at, kind COLLATE "C"), '')
    FROM (SELECT DISTINCT split_part(l, ' ', 1)::bigint AS at,
                          split_part(l, ' ', 2) COLLATE "C" AS kind
          FROM unnest(string_to_array(p_old || p_new, E'\n')) l WHERE l <> ''
          ORDER BY 1 DESC, 2 DESC LIMIT 128) newest
$$;

-- Takes over what an import has put in a table of its transaction, in rows by kind: 'p' profile
-- (-, address), 'f' field (name, value, type; 0 removes), 'c' consent (purpose, source, state,
-- at), 's' suppression (scope, reason, at, until), 'e' engagements (-, lines).
CREATE FUNCTION merganser.mrg_import() RETURNS void
LANGUAGE plpgsql SET work_mem = '128MB' AS $$
DECLARE
    v_row record;
BEGIN
    INSERT INTO merganser.profile AS p (key, address)
    SELECT DISTINCT ON (key) key, b FROM pg_temp.incoming WHERE kind = 'p'
    ORDER BY key, line DESC
    ON CONFLICT (key) DO UPDATE SET address = excluded.address
    WHERE p.address <> excluded.address;

    DELETE FROM merganser.field f USING (SELECT DISTINCT ON (key, a) key, a, m
        FROM pg_temp.incoming WHERE kind = 'f' ORDER BY key, a, line DESC) i
    WHERE f.key = i.key AND f.name = i.a AND i.m = 0;

    INSERT INTO merganser.field AS f (key, name, type, value)
    SELECT key, a, m, b FROM (SELECT DISTINCT ON (key, a) key, a, m, b
        FROM pg_temp.incoming WHERE kind = 'f' ORDER BY key, a, line DESC) i WHERE m <> 0
    ON CONFLICT (key, name) DO UPDATE SET type = excluded.type, value = excluded.value
    WHERE (f.type, f.value) <> (excluded.type, excluded.value);

    INSERT INTO merganser.consent_log (key, purpose, state, at, source)
    SELECT key, a, m, n, b FROM pg_temp.incoming WHERE kind = 'c' ORDER BY line
    ON CONFLICT DO NOTHING;

    FOR v_row IN SELECT key, a, b, m, n FROM pg_temp.incoming WHERE kind = 's' ORDER BY line LOOP
        PERFORM merganser.mrg_add_suppression(v_row.key, v_row.a, v_row.b, v_row.m, v_row.n);
    END LOOP;

    INSERT INTO merganser.person AS p (key, version, engagement)
    SELECT key, 1, merganser.mrg_merge_engagements('', string_agg(b, ''))
    FROM pg_temp.incoming WHERE kind = 'e' GROUP BY key
    ON CONFLICT (key) DO UPDATE SET version = p.version + 1,
        engagement = merganser.mrg_merge_engagements(p.engagement, excluded.engagement)
    WHERE p.engagement
        <> merganser.mrg_merge_engagements(p.engagement, excluded.engagement);
END $$;

CREATE FUNCTION merganser.mrg_end_suppression(p_key bytea, p_scope text, p_reason text,
    p_at bigint)
RETURNS bigint LANGUAGE sql AS $$
    WITH ended AS (UPDATE merganser.suppression SET "until" = p_at
        WHERE key = p_key AND ("until" = 0 OR "until" > p_at)
          AND (p_scope IS NULL OR scope = p_scope) AND (p_reason IS NULL OR reason = p_reason)
        RETURNING 1)
    SELECT count(*) FROM ended
$$;

-- The suppressions stay, and the version, raised, so that no decision in flight goes through;
-- so do holds, until the MTA has deleted the copies.
CREATE FUNCTION merganser.mrg_erase(p_key bytea, p_at bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO merganser.person AS p (key, version) VALUES (p_key, 1)
    ON CONFLICT (key) DO UPDATE SET version = p.version + 1, history = '', engagement = '';
    DELETE FROM merganser.profile WHERE key = p_key; -- and its fields
    DELETE FROM merganser.consent_log WHERE key = p_key;
    DELETE FROM merganser.consent WHERE key = p_key;
    DELETE FROM merganser.outcome WHERE message IN
        (SELECT message FROM merganser.event WHERE key = p_key AND message IS NOT NULL);
    DELETE FROM merganser.event WHERE key = p_key;
    UPDATE merganser.hold SET settlement = 1 WHERE key = p_key;
    PERFORM merganser.mrg_add_suppression(p_key, 'all', 'erased', p_at, 0);
END $$;

-- ---- retention ------------------------------------------------------------------------------

-- Whole months go as tables; what is left of the month that the time stands in, as rows.
CREATE FUNCTION merganser.mrg_retain_events(p_before bigint) RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    v_name text;
    v_n bigint;
    v_all bigint := 0;
BEGIN
    FOR v_name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'merganser.event'::regclass AND c.relname ~ '^event_[0-9]{6}$'
          AND merganser.mrg_microseconds(to_timestamp(substr(c.relname, 7), 'YYYYMM')::timestamp
              + interval '1 month') <= p_before
    LOOP
        EXECUTE format('SELECT count(*) FROM merganser.%I', v_name) INTO v_n;
        EXECUTE format('DROP TABLE merganser.%I', v_name);
        v_all := v_all + v_n;
    END LOOP;
    DELETE FROM merganser.event WHERE at < p_before;
    GET DIAGNOSTICS v_n = ROW_COUNT;
    DELETE FROM merganser.outcome WHERE at < p_before;
    RETURN v_all + v_n;
END $$;

CREATE FUNCTION merganser.mrg_retain_engagements(p_before bigint) RETURNS bigint
LANGUAGE sql AS $$
    WITH aged AS (SELECT p.key, l.n, l.kept FROM merganser.person p CROSS JOIN LATERAL
            (SELECT count(*) FILTER (WHERE split_part(line, ' ', 1)::bigint < p_before) AS n,
                    coalesce(string_agg(line || E'\n', '' ORDER BY place)
                        FILTER (WHERE split_part(line, ' ', 1)::bigint >= p_before), '') AS kept
             FROM unnest(string_to_array(rtrim(p.engagement, E'\n'), E'\n'))
                 WITH ORDINALITY AS t (line, place)) l
        WHERE p.engagement <> '' AND split_part(p.engagement, ' ', 1)::bigint < p_before
        FOR UPDATE OF p),
    trimmed AS (UPDATE merganser.person p SET engagement = a.kept, version = p.version + 1
        FROM aged a WHERE p.key = a.key RETURNING a.n)
    SELECT coalesce(sum(n), 0)::bigint FROM trimmed
$$;
