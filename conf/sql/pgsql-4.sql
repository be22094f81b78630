-- SPDX-License-Identifier: Apache-2.0
-- From version 3 to version 4 of the tables and functions of store-pgsql.

CREATE OR REPLACE FUNCTION merganser.mrg_schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 4';

-- ---- web events and deliveries go in batches ---------------------------------------------------

-- These two are no tables of months, as event and hit_row are, because what makes a row of
-- theirs one and the same is not its time, and a unique constraint of a partitioned table must
-- hold all columns of the partition key:
--
--   web_event  (site, event): a page that got no answer sends its event again, and this one is of
--              a later time.  By (site, event, at) it would be counted twice.
--   delivery   (campaign, message, state): told twice, by the log and by a report, the later time
--              counts.  By (campaign, message, state, at) it would be two deliveries, and the time
--              that is put forward would move the row from table to table.
--
-- Nor would ids in a table beside it help, as outcome stands beside event: those rows would have
-- to be deleted as these are, one for each that goes.  So rows are deleted, some at a time: each call is a transaction that is over soon, so
-- that nobody waits for it, and vacuum can clear up behind it.
DROP INDEX merganser.web_event_at_idx;
CREATE INDEX ON merganser.web_event (at);
CREATE INDEX ON merganser.delivery (at);

-- At most p_limit of each; how many went, 0 at the end.  One that is told again meanwhile is
-- looked at again, and stays.
CREATE FUNCTION merganser.mrg_retain_answers(p_before bigint, p_limit integer) RETURNS bigint
LANGUAGE sql AS $$
    WITH web AS (DELETE FROM merganser.web_event WHERE at < p_before AND ctid = ANY (ARRAY(
            SELECT w.ctid FROM merganser.web_event w WHERE w.at < p_before ORDER BY w.at
            LIMIT p_limit)) RETURNING 1),
        told AS (DELETE FROM merganser.delivery WHERE at < p_before AND ctid = ANY (ARRAY(
            SELECT d.ctid FROM merganser.delivery d WHERE d.at < p_before ORDER BY d.at
            LIMIT p_limit)) RETURNING 1)
    SELECT (SELECT count(*) FROM web) + (SELECT count(*) FROM told)
$$;

-- Hits alone, from now on.
CREATE OR REPLACE FUNCTION merganser.mrg_retain_hits(p_before bigint) RETURNS bigint
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
    RETURN v_all;
END $$;
