-- SPDX-License-Identifier: Apache-2.0
-- From version 2 to version 3 of the tables and functions of store-pgsql.

CREATE OR REPLACE FUNCTION merganser.mrg_schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 3';

-- ---- what a copy carries, and the list it is for ----------------------------------------------

-- 1 a pixel, 2 links of ours, or both (MrgTracked).
ALTER TABLE merganser.event ADD COLUMN tracked smallint NOT NULL DEFAULT 0;
ALTER TABLE merganser.hold ADD COLUMN list text NOT NULL DEFAULT '';

DROP FUNCTION merganser.mrg_put_hold(bytea, bytea, text, text, text, text, bigint, bigint);
CREATE FUNCTION merganser.mrg_put_hold(p_message bytea, p_key bytea, p_host text,
    p_queue_id text, p_campaign text, p_class text, p_at bigint, p_until bigint, p_list text)
RETURNS void LANGUAGE sql AS $$
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
-- As mrg_commit, for a hold that is there and open.
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
    WHERE message = p_message AND key = p_key AND settlement IS NULL;
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
