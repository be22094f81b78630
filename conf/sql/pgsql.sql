-- SPDX-License-Identifier: Apache-2.0
-- The tables and functions of store-pgsql, version 1.  `merganser db init` runs this in one
-- transaction; the daemon then needs USAGE on the schema and what the functions touch.
--
-- Times are microseconds since 1970-01-01 UTC.  A person is a key of 16 bytes, a keyed hash
-- of the address; the address itself stands in profile and nowhere else.  The mail path calls
-- functions only, and all but mrg_campaign_number take the person's key first, so that a
-- router such as PL/Proxy can spread people over servers.

CREATE SCHEMA merganser;

CREATE TABLE merganser.profile (
    key     bytea PRIMARY KEY CHECK (length(key) = 16),
    address text NOT NULL
);

-- type: 2 boolean, 3 number, 4 string, 5 JSON (MrgFieldType).
CREATE TABLE merganser.field (
    key   bytea NOT NULL REFERENCES merganser.profile ON DELETE CASCADE,
    name  text NOT NULL,
    type  smallint NOT NULL CHECK (type BETWEEN 2 AND 5),
    value text NOT NULL,
    PRIMARY KEY (key, name)
);

-- The ledger.  Every copy updates its row: room is left so that no index is touched.
CREATE TABLE merganser.person (
    key     bytea PRIMARY KEY CHECK (length(key) = 16),
    version bigint NOT NULL CHECK (version > 0),
    history text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);

-- state: 0 unknown, 1 granted, 2 denied (MrgConsentState).
CREATE TABLE merganser.consent (
    key     bytea NOT NULL CHECK (length(key) = 16),
    purpose text NOT NULL,
    state   smallint NOT NULL CHECK (state BETWEEN 0 AND 2),
    at      bigint NOT NULL,
    source  text NOT NULL DEFAULT '',
    PRIMARY KEY (key, purpose)
);

-- Write here, never to consent: this is the evidence, and consent follows it.
CREATE TABLE merganser.consent_log (
    key     bytea NOT NULL CHECK (length(key) = 16),
    purpose text NOT NULL,
    at      bigint NOT NULL,
    state   smallint NOT NULL CHECK (state BETWEEN 0 AND 2),
    source  text NOT NULL DEFAULT '',
    PRIMARY KEY (key, purpose, at, state)
);

-- until: 0 for good.
CREATE TABLE merganser.suppression (
    key     bytea NOT NULL CHECK (length(key) = 16),
    scope   text NOT NULL,
    reason  text NOT NULL,
    at      bigint NOT NULL,
    "until" bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (key, scope, reason)
);

-- verdict: 0 deliver, 1 drop, 2 reject, 3 defer, 4 hold (MrgVerdict).  message is set when
-- the outcome is final; it is what makes a retry a repeat.
CREATE TABLE merganser.event (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       bigint NOT NULL,
    key      bytea NOT NULL CHECK (length(key) = 16),
    campaign text NOT NULL,
    class    text NOT NULL,
    verdict  smallint NOT NULL CHECK (verdict BETWEEN 0 AND 4),
    reason   text NOT NULL,
    message  bytea CHECK (length(message) = 16)
);
CREATE INDEX event_key ON merganser.event (key, id);
CREATE UNIQUE INDEX event_message ON merganser.event (message) WHERE message IS NOT NULL;

CREATE TABLE merganser.campaign (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text NOT NULL UNIQUE
);

-- Whoever changes consent or suppression, be it by hand, makes commits in flight conflict.
CREATE FUNCTION merganser.raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO merganser.person (key, version)
    VALUES (CASE WHEN TG_OP = 'DELETE' THEN OLD.key ELSE NEW.key END, 1)
    ON CONFLICT (key) DO UPDATE SET version = merganser.person.version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER consent_changed AFTER INSERT OR UPDATE OR DELETE ON merganser.consent
    FOR EACH ROW EXECUTE FUNCTION merganser.raise_version();
CREATE TRIGGER suppression_changed AFTER INSERT OR UPDATE OR DELETE ON merganser.suppression
    FOR EACH ROW EXECUTE FUNCTION merganser.raise_version();

-- The latest record counts, in whatever order records arrive.
CREATE FUNCTION merganser.consent_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'consent_log is append-only';
    END IF;
    INSERT INTO merganser.consent (key, purpose, state, at, source)
    VALUES (NEW.key, NEW.purpose, NEW.state, NEW.at, NEW.source)
    ON CONFLICT (key, purpose) DO UPDATE
    SET state = excluded.state, at = excluded.at, source = excluded.source
    WHERE excluded.at >= merganser.consent.at;
    RETURN NULL;
END $$;
CREATE TRIGGER consent_follows AFTER INSERT OR UPDATE ON merganser.consent_log
    FOR EACH ROW EXECUTE FUNCTION merganser.consent_follows();

CREATE FUNCTION merganser.mrg_schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 1';

-- No row: no profile.  One row without a name, and one for each field that is there.
CREATE FUNCTION merganser.mrg_fetch(p_key bytea, p_names text[])
RETURNS TABLE (name text, type integer, value text) LANGUAGE sql STABLE AS $$
    SELECT NULL::text, 0, NULL::text FROM merganser.profile WHERE profile.key = p_key
    UNION ALL
    SELECT f.name, f.type::integer, f.value FROM merganser.field f
    WHERE f.key = p_key AND f.name = ANY (p_names)
$$;

-- Rows by kind: 0 person (history, -, version, -), 1 consent (purpose, source, state, at),
-- 2 suppression (scope, reason, at, until), 3 recorded outcome (reason, -, verdict, -).
CREATE FUNCTION merganser.mrg_load(p_key bytea, p_message bytea)
RETURNS TABLE (kind integer, a text, b text, m bigint, n bigint) LANGUAGE sql STABLE AS $$
    SELECT 0, p.history, '', p.version, 0::bigint FROM merganser.person p WHERE p.key = p_key
    UNION ALL
    SELECT 1, c.purpose, c.source, c.state::bigint, c.at FROM merganser.consent c
    WHERE c.key = p_key
    UNION ALL
    SELECT 2, s.scope, s.reason, s.at, s."until" FROM merganser.suppression s
    WHERE s.key = p_key
    UNION ALL
    SELECT 3, e.reason, '', e.verdict::bigint, 0::bigint FROM merganser.event e
    WHERE e.message = p_message
$$;

-- 1: written; 0: someone else was faster.
CREATE FUNCTION merganser.mrg_commit(p_key bytea, p_message bytea, p_version bigint,
    p_history text, p_at bigint, p_campaign text, p_class text, p_verdict integer,
    p_reason text, p_is_final boolean)
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    -- A copy that is in flight now holds the person's row below, and wins by the version.
    IF EXISTS (SELECT 1 FROM merganser.event WHERE message = p_message) THEN
        RETURN 0;
    END IF;
    IF p_version = 0 THEN
        INSERT INTO merganser.person (key, version, history)
        VALUES (p_key, 1, coalesce(p_history, '')) ON CONFLICT (key) DO NOTHING;
    ELSE
        UPDATE merganser.person SET version = version + 1, history = coalesce(p_history, history)
        WHERE key = p_key AND version = p_version;
    END IF;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    INSERT INTO merganser.event (at, key, campaign, class, verdict, reason, message)
    VALUES (p_at, p_key, p_campaign, p_class, p_verdict, p_reason,
            CASE WHEN p_is_final THEN p_message END);
    RETURN 1;
END $$;

CREATE FUNCTION merganser.mrg_campaign_number(p_name text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_number integer;
BEGIN
    LOOP
        SELECT number INTO v_number FROM merganser.campaign WHERE name = p_name;
        EXIT WHEN FOUND;
        INSERT INTO merganser.campaign (name) VALUES (p_name)
        ON CONFLICT (name) DO NOTHING RETURNING number INTO v_number;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN v_number;
END $$;

-- Arrays of one length each; a field of type 0 is removed.
CREATE FUNCTION merganser.mrg_import(p_key bytea, p_address text,
    p_names text[], p_types integer[], p_values text[],
    p_purposes text[], p_states integer[], p_consent_ats bigint[], p_sources text[],
    p_scopes text[], p_reasons text[], p_ats bigint[], p_untils bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO merganser.profile AS p (key, address) VALUES (p_key, p_address)
    ON CONFLICT (key) DO UPDATE SET address = excluded.address
    WHERE p.address <> excluded.address;

    FOR i IN 1 .. coalesce(array_length(p_names, 1), 0) LOOP
        IF p_types[i] = 0 THEN
            DELETE FROM merganser.field WHERE key = p_key AND name = p_names[i];
        ELSE
            INSERT INTO merganser.field AS f (key, name, type, value)
            VALUES (p_key, p_names[i], p_types[i], p_values[i])
            ON CONFLICT (key, name) DO UPDATE
            SET type = excluded.type, value = excluded.value
            WHERE (f.type, f.value) <> (excluded.type, excluded.value);
        END IF;
    END LOOP;

    FOR i IN 1 .. coalesce(array_length(p_purposes, 1), 0) LOOP
        INSERT INTO merganser.consent_log (key, purpose, state, at, source)
        SELECT p_key, p_purposes[i], p_states[i], p_consent_ats[i], p_sources[i]
        WHERE NOT EXISTS (SELECT 1 FROM merganser.consent c WHERE c.key = p_key
            AND c.purpose = p_purposes[i] AND c.state = p_states[i])
        ON CONFLICT DO NOTHING;
    END LOOP;

    FOR i IN 1 .. coalesce(array_length(p_scopes, 1), 0) LOOP
        INSERT INTO merganser.suppression AS s (key, scope, reason, at, "until")
        VALUES (p_key, p_scopes[i], p_reasons[i], p_ats[i], p_untils[i])
        ON CONFLICT (key, scope, reason) DO UPDATE SET "until" = excluded."until"
        WHERE s."until" <> 0 AND (excluded."until" = 0 OR excluded."until" > s."until");
    END LOOP;
END $$;

-- The newest first.
CREATE FUNCTION merganser.mrg_events(p_key bytea, p_limit bigint)
RETURNS TABLE (at bigint, campaign text, class text, verdict integer, reason text)
LANGUAGE sql STABLE AS $$
    SELECT e.at, e.campaign, e.class, e.verdict::integer, e.reason FROM merganser.event e
    WHERE e.key = p_key ORDER BY e.id DESC LIMIT p_limit
$$;
