-- SPDX-License-Identifier: Apache-2.0
-- From version 2 to version 3 of the tables and functions of store-pgsql.

CREATE OR REPLACE FUNCTION merganser.mrg_schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 3';

-- ---- a person in two rows: profile and ledger ------------------------------------------------

-- What the mail path asks for stands in as few rows as there can be: a look-up in an index
-- costs more than what it finds.

-- Of each field: the digit of its type (2 boolean, 3 number, 4 string, 5 JSON: MrgFieldType),
-- then its text as it was given.
ALTER TABLE merganser.profile ADD COLUMN fields jsonb NOT NULL DEFAULT '{}'
    CHECK (jsonb_typeof(fields) = 'object');
UPDATE merganser.profile p SET fields = f.fields
FROM (SELECT key, jsonb_object_agg(name, type::text || value) AS fields
      FROM merganser.field GROUP BY key) f
WHERE f.key = p.key;
DROP TABLE merganser.field;
CREATE VIEW merganser.field AS
    SELECT p.key, f.key AS name, left(f.value, 1)::smallint AS type, substr(f.value, 2) AS value
    FROM merganser.profile p, jsonb_each_text(p.fields) f;

-- The current consents (purpose, source, state, at) and the suppressions (scope, reason, at,
-- until), four texts for each; NULL for none.  Kept by triggers; who writes here by hand is
-- overruled by the next change of consent_log or suppression.
ALTER TABLE merganser.person ADD COLUMN consents text[];
ALTER TABLE merganser.person ADD COLUMN suppressions text[];

DROP TRIGGER consent_changed ON merganser.consent;
DROP TRIGGER suppression_changed ON merganser.suppression;
DROP TRIGGER consent_follows ON merganser.consent_log;
DROP FUNCTION merganser.raise_version();
DROP FUNCTION merganser.consent_follows();
INSERT INTO merganser.consent_log (key, purpose, at, state, source)
SELECT key, purpose, at, state, source FROM merganser.consent ON CONFLICT DO NOTHING;
DROP TABLE merganser.consent;
-- The latest record counts, and of one time the stricter one.
CREATE VIEW merganser.consent AS
    SELECT DISTINCT ON (key, purpose) key, purpose, state, at, source FROM merganser.consent_log
    ORDER BY key, purpose, at DESC, state DESC;

-- Brings rows of people up to what is recorded of them, and raises the version where that
-- changes them, so that commits in flight conflict, be the change made by hand; copies that are
-- held are marked for the next release run.  The rows are locked first, in one order, so that
-- of two changes the later one sees both.
CREATE FUNCTION merganser.mrg_follow(p_keys bytea[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_changed bytea[];
BEGIN
    INSERT INTO merganser.person (key, version)
    SELECT k, 1 FROM unnest(p_keys) k ORDER BY k ON CONFLICT (key) DO NOTHING;
    PERFORM FROM merganser.person WHERE key = ANY (p_keys) ORDER BY key FOR UPDATE;
    WITH recorded AS MATERIALIZED (SELECT k AS key,
            (SELECT array_agg(t.value ORDER BY c.purpose COLLATE "C", t.place)
             FROM merganser.consent c, unnest(ARRAY[c.purpose, c.source, c.state::text,
                 c.at::text]) WITH ORDINALITY AS t (value, place)
             WHERE c.key = k) AS consents,
            (SELECT array_agg(t.value ORDER BY s.scope COLLATE "C", s.reason COLLATE "C",
                 t.place)
             FROM merganser.suppression s, unnest(ARRAY[s.scope, s.reason, s.at::text,
                 s."until"::text]) WITH ORDINALITY AS t (value, place)
             WHERE s.key = k) AS suppressions
        FROM unnest(p_keys) k),
    changed AS (UPDATE merganser.person p SET version = p.version + 1, consents = r.consents,
            suppressions = r.suppressions
        FROM recorded r WHERE p.key = r.key
          AND (p.consents, p.suppressions) IS DISTINCT FROM (r.consents, r.suppressions)
        RETURNING p.key)
    SELECT array_agg(key) INTO v_changed FROM changed;
    UPDATE merganser.hold SET is_changed = true
    WHERE key = ANY (v_changed) AND NOT is_changed;
END $$;

CREATE FUNCTION merganser.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM merganser.mrg_follow(array_agg(key)) FROM (SELECT DISTINCT key FROM changed) c
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_insert AFTER INSERT ON merganser.consent_log
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION merganser.follow();
CREATE TRIGGER follow_delete AFTER DELETE ON merganser.consent_log
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION merganser.follow();
CREATE TRIGGER follow_insert AFTER INSERT ON merganser.suppression
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION merganser.follow();
CREATE TRIGGER follow_update AFTER UPDATE ON merganser.suppression
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION merganser.follow();
CREATE TRIGGER follow_delete AFTER DELETE ON merganser.suppression
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION merganser.follow();

CREATE FUNCTION merganser.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: add rows or delete them', TG_OP, TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE ON merganser.consent_log
    FOR EACH ROW EXECUTE FUNCTION merganser.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON merganser.consent_log
    FOR EACH STATEMENT EXECUTE FUNCTION merganser.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON merganser.suppression
    FOR EACH STATEMENT EXECUTE FUNCTION merganser.refuse();

SELECT merganser.mrg_follow(array_agg(key))
FROM (SELECT key FROM merganser.consent_log UNION SELECT key FROM merganser.suppression) k
HAVING count(*) > 0;

-- ---- the mail path: fetch and load ------------------------------------------------------------

DROP FUNCTION merganser.mrg_fetch_and_load(bytea, text[], bytea, bytea[]);
DROP FUNCTION merganser.mrg_load(bytea, bytea, bytea[]);
DROP FUNCTION merganser.mrg_fetch(bytea, text[]);

CREATE FUNCTION merganser.mrg_pick_each(p_fields jsonb, p_names text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN ARRAY(SELECT p_fields ->> n FROM unnest(p_names) WITH ORDINALITY AS t (n, place)
        ORDER BY place);
END $$;

-- Type and text of the fields by the names given, in their order; more NULLs may follow.  A
-- loop costs as much as another table, so few names, which is what templates have, do without.
-- A language of expressions, so that PostgreSQL puts it into the queries below.
CREATE FUNCTION merganser.mrg_pick(p_fields jsonb, p_names text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN cardinality(p_names) <= 4
        THEN ARRAY[p_fields ->> p_names[1], p_fields ->> p_names[2],
                   p_fields ->> p_names[3], p_fields ->> p_names[4]]
    WHEN cardinality(p_names) <= 12
        THEN ARRAY[p_fields ->> p_names[1], p_fields ->> p_names[2],
                   p_fields ->> p_names[3], p_fields ->> p_names[4],
                   p_fields ->> p_names[5], p_fields ->> p_names[6],
                   p_fields ->> p_names[7], p_fields ->> p_names[8],
                   p_fields ->> p_names[9], p_fields ->> p_names[10],
                   p_fields ->> p_names[11], p_fields ->> p_names[12]]
    ELSE merganser.mrg_pick_each(p_fields, p_names) END
$$;

-- No row: no profile.
CREATE FUNCTION merganser.mrg_fetch(p_key bytea, p_names text[])
RETURNS TABLE (fields text[]) LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT merganser.mrg_pick(p.fields, p_names) FROM merganser.profile p WHERE p.key = p_key
$$;

-- One row.  Without a version there is no account yet, without a verdict no outcome of this
-- message.
CREATE FUNCTION merganser.mrg_load(p_key bytea, p_message bytea)
RETURNS TABLE (version bigint, history text, engagement text, consents text[],
    suppressions text[], verdict smallint, "until" bigint, reason text)
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT p.version, p.history, p.engagement, p.consents, p.suppressions,
        o.verdict, o."until", o.reason
    FROM (SELECT) always LEFT JOIN merganser.person p ON p.key = p_key
    LEFT JOIN merganser.outcome o ON o.message = p_message
$$;

-- Both; without fields there is no profile.
CREATE FUNCTION merganser.mrg_fetch_and_load(p_key bytea, p_names text[], p_message bytea)
RETURNS TABLE (version bigint, history text, engagement text, consents text[],
    suppressions text[], verdict smallint, "until" bigint, reason text, fields text[])
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT p.version, p.history, p.engagement, p.consents, p.suppressions,
        o.verdict, o."until", o.reason,
        CASE WHEN f.key IS NOT NULL THEN merganser.mrg_pick(f.fields, p_names) END
    FROM (SELECT) always LEFT JOIN merganser.person p ON p.key = p_key
    LEFT JOIN merganser.profile f ON f.key = p_key
    LEFT JOIN merganser.outcome o ON o.message = p_message
$$;

-- Accounts that people share: of each that is there its place in p_keys from 1, its version and
-- its history.
CREATE FUNCTION merganser.mrg_load_shared(p_keys bytea[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(t.value ORDER BY k.place, t.place), '{}')
    FROM unnest(p_keys) WITH ORDINALITY AS k (key, place)
    JOIN merganser.person p ON p.key = k.key,
    unnest(ARRAY[k.place::text, p.version::text, p.history]) WITH ORDINALITY AS t (value, place)
$$;

-- ---- people -----------------------------------------------------------------------------------

-- The later of two objects wins, field by field.
CREATE AGGREGATE merganser.mrg_merge_fields (jsonb) (SFUNC = jsonb_concat, STYPE = jsonb);

-- Takes over what an import has put in a table of its transaction, in rows by kind: 'p' profile
-- (address, fields as one object in which null removes, how many do), 'c' consent (purpose,
-- source, state, at), 's' suppression (scope, reason, at, until), 'e' engagements (-, lines).
CREATE OR REPLACE FUNCTION merganser.mrg_import() RETURNS void
LANGUAGE plpgsql SET work_mem = '256MB' AS $$
DECLARE
    v_row record;
BEGIN
    -- What is removed goes first: the insertion below could not tell.
    IF EXISTS (SELECT 1 FROM pg_temp.incoming i JOIN merganser.profile USING (key)
            WHERE i.kind = 'p' AND i.m > 0) THEN
        UPDATE merganser.profile p SET address = n.address,
            fields = jsonb_strip_nulls(p.fields || n.fields)
        FROM (SELECT key, max(a) AS address, merganser.mrg_merge_fields(b::jsonb) AS fields
              FROM (SELECT * FROM pg_temp.incoming WHERE kind = 'p' ORDER BY key, line) i
              GROUP BY key HAVING sum(m) > 0) n
        WHERE p.key = n.key AND (p.address, p.fields)
            <> (n.address, jsonb_strip_nulls(p.fields || n.fields));
    END IF;
    BEGIN
        INSERT INTO merganser.profile AS p (key, address, fields)
        SELECT key, a, CASE WHEN m = 0 THEN b::jsonb ELSE jsonb_strip_nulls(b::jsonb) END
        FROM pg_temp.incoming WHERE kind = 'p' ORDER BY key
        ON CONFLICT (key) DO UPDATE SET address = excluded.address,
            fields = p.fields || excluded.fields
        WHERE (p.address, p.fields) <> (excluded.address, p.fields || excluded.fields);
    EXCEPTION WHEN cardinality_violation THEN
        -- Somebody is there twice, which costs more, and is rare.
        INSERT INTO merganser.profile AS p (key, address, fields)
        SELECT key, max(a), jsonb_strip_nulls(merganser.mrg_merge_fields(b::jsonb))
        FROM (SELECT * FROM pg_temp.incoming WHERE kind = 'p' ORDER BY key, line) i GROUP BY key
        ON CONFLICT (key) DO UPDATE SET address = excluded.address,
            fields = p.fields || excluded.fields
        WHERE (p.address, p.fields) <> (excluded.address, p.fields || excluded.fields);
    END;

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

-- The same for rows that a router passes on.
CREATE FUNCTION merganser.mrg_import_rows(p_lines bigint[], p_kinds text[], p_keys bytea[],
    p_as text[], p_bs text[], p_ms bigint[], p_ns bigint[])
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMPORARY TABLE incoming (line bigint, kind "char", key bytea, a text, b text,
        m bigint, n bigint);
    INSERT INTO pg_temp.incoming
    SELECT line, kind::"char", key, a, b, m, n
    FROM unnest(p_lines, p_kinds, p_keys, p_as, p_bs, p_ms, p_ns)
        AS t (line, kind, key, a, b, m, n);
    PERFORM merganser.mrg_import();
    DROP TABLE pg_temp.incoming;
    RETURN cardinality(p_lines);
END $$;

CREATE FUNCTION merganser.mrg_end_hold(p_message bytea) RETURNS bigint LANGUAGE sql AS $$
    WITH ended AS (DELETE FROM merganser.hold WHERE message = p_message RETURNING 1)
    SELECT count(*) FROM ended
$$;

-- The suppressions stay, and the version, raised, so that no decision in flight goes through;
-- so do holds, until the MTA has deleted the copies.
CREATE OR REPLACE FUNCTION merganser.mrg_erase(p_key bytea, p_at bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO merganser.person AS p (key, version) VALUES (p_key, 1)
    ON CONFLICT (key) DO UPDATE SET version = p.version + 1, history = '', engagement = '';
    DELETE FROM merganser.profile WHERE key = p_key;
    DELETE FROM merganser.consent_log WHERE key = p_key;
    DELETE FROM merganser.outcome WHERE message IN
        (SELECT message FROM merganser.event WHERE key = p_key AND message IS NOT NULL);
    DELETE FROM merganser.event WHERE key = p_key;
    UPDATE merganser.hold SET settlement = 1 WHERE key = p_key;
    PERFORM merganser.mrg_add_suppression(p_key, 'all', 'erased', p_at, 0);
END $$;

-- ---- who keeps profiles in memory is told when they change -------------------------------------

-- Whether listeners are told; a router that has no profiles of its own says no.
CREATE FUNCTION merganser.mrg_tells_changes() RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT true';

-- The key in hexadecimal, or nothing where many changed.  New profiles are told to nobody:
-- that there is none is not kept.
CREATE FUNCTION merganser.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM changed LIMIT 101) c) > 100 THEN
        PERFORM pg_notify('merganser_profile', '');
    ELSE
        PERFORM pg_notify('merganser_profile', encode(key, 'hex')) FROM changed;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION merganser.tell_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('merganser_profile', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_update AFTER UPDATE ON merganser.profile
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION merganser.tell();
CREATE TRIGGER tell_delete AFTER DELETE ON merganser.profile
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION merganser.tell();
CREATE TRIGGER tell_truncate AFTER TRUNCATE ON merganser.profile
    FOR EACH STATEMENT EXECUTE FUNCTION merganser.tell_all();

-- ---- what a copy carries, and the list it is for ----------------------------------------------

-- 1 a pixel, 2 links of ours, or both (MrgTracked).
ALTER TABLE merganser.event ADD COLUMN tracked smallint NOT NULL DEFAULT 0;
ALTER TABLE merganser.hold ADD COLUMN list text NOT NULL DEFAULT '';

DROP FUNCTION merganser.mrg_put_hold(bytea, bytea, text, text, text, text, bigint, bigint);
-- A copy that came again may still be where it was, and is to be deleted there.
CREATE FUNCTION merganser.mrg_put_hold(p_message bytea, p_key bytea, p_host text,
    p_queue_id text, p_campaign text, p_class text, p_at bigint, p_until bigint, p_list text)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO merganser.hold (message, key, host, queue_id, campaign, class, at, "until", list,
        settlement)
    SELECT uuid_send(gen_random_uuid()), key, host, queue_id, campaign, class, at, "until", list, 1
    FROM merganser.hold WHERE message = p_message AND (host, queue_id) <> (p_host, p_queue_id);
    INSERT INTO merganser.hold (message, key, host, queue_id, campaign, class, at, "until", list)
    VALUES (p_message, p_key, p_host, p_queue_id, p_campaign, p_class, p_at, p_until, p_list)
    ON CONFLICT (message) DO UPDATE SET host = excluded.host, queue_id = excluded.queue_id,
        at = excluded.at
$$;

DROP FUNCTION merganser.mrg_commit(bytea, bytea, bigint, text, bigint, text, text, text, text,
    integer, text, bigint, boolean, text, text, bytea[], bigint[], text[]);
-- The arrays are of the accounts that people share; NULL for none.  1: written; 0: someone
-- else was faster.
CREATE FUNCTION merganser.mrg_commit(p_key bytea, p_message bytea, p_version bigint,
    p_history text, p_at bigint, p_campaign text, p_class text, p_sender text, p_tags text,
    p_verdict integer, p_reason text, p_until bigint, p_tracked integer, p_is_final boolean,
    p_host text, p_queue_id text, p_list text, p_keys bytea[], p_versions bigint[], p_histories text[])
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
        "until", tracked, message)
    VALUES (p_at, p_key, p_campaign, p_class, p_sender, p_tags, p_verdict, p_reason, p_until,
        p_tracked, CASE WHEN p_is_final THEN p_message END);
    IF p_verdict = 4 AND p_host IS NOT NULL THEN
        PERFORM merganser.mrg_put_hold(p_message, p_key, p_host, p_queue_id, p_campaign, p_class,
            p_at, p_until, p_list);
    END IF;
    RETURN 1;
END $$;

DROP FUNCTION merganser.mrg_settle_hold(bytea, bytea, bigint, text, bigint, text, text, text,
    text, integer, text, bigint, bytea[], bigint[], text[]);
-- As mrg_commit, for a hold that is there and open, or was to be released and is now deleted.
CREATE FUNCTION merganser.mrg_settle_hold(p_key bytea, p_message bytea, p_version bigint,
    p_history text, p_at bigint, p_campaign text, p_class text, p_sender text, p_tags text,
    p_verdict integer, p_reason text, p_until bigint, p_tracked integer, p_keys bytea[],
    p_versions bigint[], p_histories text[])
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF NOT merganser.mrg_swap_all(p_keys || p_key, p_versions || p_version,
            p_histories || p_history) THEN
        RETURN 0;
    END IF;
    UPDATE merganser.hold
    SET settlement = CASE WHEN p_verdict <> 4 THEN p_verdict END, "until" = p_until,
        is_changed = false
    WHERE message = p_message AND key = p_key AND (settlement IS NULL
        OR (settlement = 0 AND p_verdict = 1));
    IF NOT FOUND THEN
        RAISE serialization_failure;
    END IF;
    INSERT INTO merganser.outcome (message, at, verdict, "until", reason)
    VALUES (p_message, p_at, p_verdict, p_until, p_reason)
    ON CONFLICT (message) DO UPDATE SET at = excluded.at, verdict = excluded.verdict,
        "until" = excluded."until", reason = excluded.reason;
    INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, reason,
        "until", tracked, message)
    VALUES (p_at, p_key, p_campaign, p_class, p_sender, p_tags, p_verdict, p_reason, p_until,
        p_tracked, p_message);
    RETURN 1;
END $$;

-- ---- what the world answers -------------------------------------------------------------------

-- User agents and reasons, each once: there are few of them, and a row for each hit.
CREATE TABLE merganser.hit_text (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL UNIQUE
);

-- Requests to the collector, by months.  message: the first 8 bytes of the copy's key as a
-- number; 0 and key NULL where nobody is to be known.  link: as in table link; 0 none.  kind,
-- flags: those of collect/hit.h.  class: 0 unknown, 1 human, 2 proxy, 3 prefetch, 4 scanner
-- (MrgHitClass).  agent, reason: in hit_text.  since: seconds since the token was sealed.
CREATE SEQUENCE merganser.hit_id;
CREATE TABLE merganser.hit_row (
    id       bigint NOT NULL DEFAULT nextval('merganser.hit_id'),
    at       bigint NOT NULL,
    message  bigint NOT NULL,
    campaign bigint NOT NULL,
    since    bigint NOT NULL,
    link     integer NOT NULL,
    reason   integer NOT NULL,
    agent    integer NOT NULL,
    kind     smallint NOT NULL,
    flags    smallint NOT NULL,
    class    smallint NOT NULL CHECK (class BETWEEN 0 AND 4),
    network  bytea CHECK (length(network) IN (3, 6)),
    key      bytea CHECK (length(key) = 16)
) PARTITION BY RANGE (at);
CREATE INDEX ON merganser.hit_row (campaign, at);
CREATE INDEX ON merganser.hit_row (key) WHERE key IS NOT NULL;
CREATE INDEX ON merganser.hit_row USING brin (at);
CREATE TABLE merganser.hit_row_default PARTITION OF merganser.hit_row DEFAULT;

-- The same with its texts.
CREATE VIEW merganser.hit AS
    SELECT h.id, h.at, h.campaign, h.link, h.message, h.kind, h.flags, h.class,
        r.text AS reason, a.text AS agent, h.since, h.network, h.key
    FROM merganser.hit_row h JOIN merganser.hit_text r ON r.id = h.reason
        JOIN merganser.hit_text a ON a.id = h.agent;

-- Events of web pages.  event: the page's own id: sent twice, it is one event.
CREATE TABLE merganser.web_event (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        bigint NOT NULL,
    site      text NOT NULL,
    kind      smallint NOT NULL,
    name      text NOT NULL,
    anonymous text NOT NULL,
    event     text NOT NULL,
    data      text NOT NULL,
    key       bytea CHECK (length(key) = 16)
);
CREATE UNIQUE INDEX ON merganser.web_event (site, event) WHERE event <> '';
CREATE INDEX ON merganser.web_event (key) WHERE key IS NOT NULL;
CREATE INDEX ON merganser.web_event USING brin (at);

-- Whose an anonymous id is, since a link that was sealed for them said so.
CREATE TABLE merganser.web_identity (
    site      text NOT NULL,
    anonymous text NOT NULL,
    key       bytea NOT NULL CHECK (length(key) = 16),
    PRIMARY KEY (site, anonymous)
);
CREATE INDEX ON merganser.web_identity (key);

-- What remote servers said of a copy.  state: 0 sent, 1 deferred, 2 soft bounce, 3 hard
-- bounce, 4 complaint (MrgDeliveryState).
CREATE TABLE merganser.delivery (
    campaign bigint NOT NULL,
    message  bigint NOT NULL,
    at       bigint NOT NULL,
    state    smallint NOT NULL CHECK (state BETWEEN 0 AND 4),
    code     text NOT NULL,
    key      bytea CHECK (length(key) = 16),
    PRIMARY KEY (campaign, message, state)
);
CREATE INDEX ON merganser.delivery (key) WHERE key IS NOT NULL;

-- How far each journal of a collector is loaded.
CREATE TABLE merganser.journal (
    id       text PRIMARY KEY,
    segment  bigint NOT NULL,
    "offset" bigint NOT NULL
);

CREATE FUNCTION merganser.mrg_swap_journal(p_id text, p_from_segment bigint,
    p_from_offset bigint, p_to_segment bigint, p_to_offset bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO merganser.journal (id, segment, "offset") VALUES (p_id, 0, 0)
    ON CONFLICT (id) DO NOTHING;
    UPDATE merganser.journal SET segment = p_to_segment, "offset" = p_to_offset
    WHERE id = p_id AND segment = p_from_segment AND "offset" = p_from_offset;
    RETURN FOUND;
END $$;

CREATE FUNCTION merganser.mrg_add_texts(p_texts text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO merganser.hit_text (text) SELECT DISTINCT t COLLATE "C" FROM unnest(p_texts) t
    ORDER BY 1 ON CONFLICT (text) DO NOTHING
$$;

-- Arrays of one length each.
CREATE FUNCTION merganser.mrg_record_hits(p_at bigint[], p_campaign bigint[], p_link integer[],
    p_message bigint[], p_kind smallint[], p_flags smallint[], p_class smallint[],
    p_since bigint[], p_reason text[], p_agent text[], p_network bytea[], p_key bytea[])
RETURNS void LANGUAGE sql AS $$
    SELECT merganser.mrg_add_texts(p_reason || p_agent);
    INSERT INTO merganser.hit_row (at, campaign, link, message, kind, flags, class, since, reason,
        agent, network, key)
    SELECT h.at, h.campaign, h.link, h.message, h.kind, h.flags, h.class, h.since, r.id, a.id,
        h.network, h.key
    FROM unnest(p_at, p_campaign, p_link, p_message, p_kind, p_flags, p_class, p_since, p_reason,
            p_agent, p_network, p_key) WITH ORDINALITY AS h (at, campaign, link, message, kind,
            flags, class, since, reason, agent, network, key, place)
        JOIN merganser.hit_text r ON r.text = h.reason
        JOIN merganser.hit_text a ON a.text = h.agent
    ORDER BY h.place
$$;

CREATE FUNCTION merganser.mrg_put_classes(p_id bigint[], p_at bigint[], p_class smallint[],
    p_reason text[])
RETURNS void LANGUAGE sql AS $$
    SELECT merganser.mrg_add_texts(p_reason);
    UPDATE merganser.hit_row h SET class = n.class, reason = r.id
    FROM unnest(p_id, p_at, p_class, p_reason) AS n (id, at, class, reason)
        JOIN merganser.hit_text r ON r.text = n.reason
    WHERE h.at = n.at AND h.id = n.id
$$;

-- One after the other: who an anonymous id is may be said by an event before.
CREATE FUNCTION merganser.mrg_record_web_events(p_at bigint[], p_site text[], p_kind smallint[],
    p_name text[], p_anonymous text[], p_event text[], p_data text[], p_key bytea[],
    p_identifies boolean[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN SELECT * FROM unnest(p_at, p_site, p_kind, p_name, p_anonymous, p_event, p_data,
            p_key, p_identifies) AS w (at, site, kind, name, anonymous, event, data, key,
            identifies)
    LOOP
        IF v_row.identifies AND v_row.key IS NOT NULL AND v_row.anonymous <> '' THEN
            INSERT INTO merganser.web_identity (site, anonymous, key)
            VALUES (v_row.site, v_row.anonymous, v_row.key)
            ON CONFLICT (site, anonymous) DO UPDATE SET key = excluded.key;
        END IF;
        INSERT INTO merganser.web_event (at, site, kind, name, anonymous, event, data, key)
        VALUES (v_row.at, v_row.site, v_row.kind, v_row.name, v_row.anonymous, v_row.event,
            v_row.data, coalesce(v_row.key, (SELECT i.key FROM merganser.web_identity i
                WHERE i.site = v_row.site AND i.anonymous = v_row.anonymous)))
        ON CONFLICT (site, event) WHERE event <> '' DO NOTHING;
    END LOOP;
END $$;

CREATE FUNCTION merganser.mrg_record_deliveries(p_campaign bigint[], p_message bigint[],
    p_state smallint[], p_at bigint[], p_code text[], p_key bytea[])
RETURNS void LANGUAGE sql AS $$
    INSERT INTO merganser.delivery AS d (campaign, message, state, at, code, key)
    SELECT DISTINCT ON (campaign, message, state) campaign, message, state, at, code, key
    FROM unnest(p_campaign, p_message, p_state, p_at, p_code, p_key)
        AS n (campaign, message, state, at, code, key)
    ORDER BY campaign, message, state, at DESC
    ON CONFLICT (campaign, message, state) DO UPDATE SET at = excluded.at, code = excluded.code
    WHERE excluded.at > d.at
$$;

CREATE FUNCTION merganser.mrg_erase_hits(p_key bytea) RETURNS void LANGUAGE sql AS $$
    DELETE FROM merganser.hit_row WHERE key = p_key;
    DELETE FROM merganser.web_event WHERE key = p_key;
    DELETE FROM merganser.web_identity WHERE key = p_key;
    DELETE FROM merganser.delivery WHERE key = p_key
$$;

-- ---- months of hits, as those of events --------------------------------------------------------

CREATE OR REPLACE FUNCTION merganser.mrg_make_partition(p_month timestamp) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
    v_name text;
    v_from bigint := merganser.mrg_microseconds(p_month);
    v_to bigint := merganser.mrg_microseconds(p_month + interval '1 month');
BEGIN
    FOREACH v_table IN ARRAY ARRAY['event', 'hit_row'] LOOP
        v_name := v_table || '_' || to_char(p_month, 'YYYYMM');
        CONTINUE WHEN to_regclass('merganser.' || v_name) IS NOT NULL;
        EXECUTE format('CREATE TABLE merganser.%I (LIKE merganser.%I INCLUDING ALL)', v_name,
            v_table);
        EXECUTE format('WITH late AS (DELETE FROM merganser.%I WHERE at >= %s AND at < %s '
            'RETURNING *) INSERT INTO merganser.%I SELECT * FROM late', v_table || '_default',
            v_from, v_to, v_name);
        EXECUTE format('ALTER TABLE merganser.%I ATTACH PARTITION merganser.%I '
            'FOR VALUES FROM (%s) TO (%s)', v_table, v_name, v_from, v_to);
    END LOOP;
END $$;

-- Whole months go as tables; what is left of the month that the time stands in, as rows.  Texts
-- that no hit has any more go, too; who adds hits waits meanwhile.
CREATE FUNCTION merganser.mrg_retain_hits(p_before bigint) RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    v_name text;
    v_n bigint;
    v_all bigint := 0;
BEGIN
    FOR v_name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'merganser.hit_row'::regclass AND c.relname ~ '^hit_row_[0-9]{6}$'
          AND merganser.mrg_microseconds(to_timestamp(substr(c.relname, 9), 'YYYYMM')::timestamp
              + interval '1 month') <= p_before
    LOOP
        EXECUTE format('SELECT count(*) FROM merganser.%I', v_name) INTO v_n;
        EXECUTE format('DROP TABLE merganser.%I', v_name);
        v_all := v_all + v_n;
    END LOOP;
    DELETE FROM merganser.hit_row WHERE at < p_before;
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_all := v_all + v_n;
    IF v_all > 0 THEN
        LOCK TABLE merganser.hit_text IN EXCLUSIVE MODE;
        DELETE FROM merganser.hit_text t WHERE t.id NOT IN (SELECT agent FROM merganser.hit_row
            UNION SELECT reason FROM merganser.hit_row);
    END IF;
    DELETE FROM merganser.web_event WHERE at < p_before;
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_all := v_all + v_n;
    DELETE FROM merganser.delivery WHERE at < p_before;
    GET DIAGNOSTICS v_n = ROW_COUNT;
    RETURN v_all + v_n;
END $$;
