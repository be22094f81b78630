-- SPDX-License-Identifier: Apache-2.0
-- From version 1 to version 2 of the tables of store-sqlite; a new file gets both, one after
-- the other.

-- What the person did with mail: lines "MICROSECONDS KIND", as the contract has them.
ALTER TABLE person ADD COLUMN engagement TEXT NOT NULL DEFAULT '';

ALTER TABLE event ADD COLUMN sender TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN until INTEGER NOT NULL DEFAULT 0; -- of a hold: when it is due
DROP INDEX event_key;
CREATE INDEX event_key ON event (key, at);
CREATE INDEX event_at ON event (at);
-- What becomes of a held copy is a second event of its message: the last one counts.
DROP INDEX event_message;
CREATE INDEX event_message ON event (message) WHERE message IS NOT NULL;

-- settlement: NULL, or 0 release and 1 delete (MrgVerdict), of which the MTA is not told yet.
-- is_changed: a consent or suppression of the person changed since.
CREATE TABLE hold (
    message    BLOB NOT NULL PRIMARY KEY CHECK (length(message) = 16),
    key        BLOB NOT NULL CHECK (length(key) = 16),
    host       TEXT NOT NULL,
    queue_id   TEXT NOT NULL,
    campaign   TEXT NOT NULL,
    class      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    settlement INTEGER,
    is_changed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_key ON hold (key);

-- Targets are found by their SHA-256, because they may be long.
CREATE TABLE link (
    campaign INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    hash     TEXT NOT NULL,
    target   TEXT NOT NULL,
    PRIMARY KEY (campaign, number),
    UNIQUE (campaign, hash)
) STRICT;

-- The latest record counts, and of one time the stricter one.
DROP TRIGGER consent_follows;
CREATE TRIGGER consent_follows AFTER INSERT ON consent_log BEGIN
    INSERT INTO consent (key, purpose, state, at, source)
    VALUES (NEW.key, NEW.purpose, NEW.state, NEW.at, NEW.source)
    ON CONFLICT (key, purpose) DO UPDATE
    SET state = excluded.state, at = excluded.at, source = excluded.source
    WHERE excluded.at > consent.at
       OR (excluded.at = consent.at AND excluded.state > consent.state);
END;

-- Beside the version, copies that are held are marked, so that a release run looks at them.
CREATE TRIGGER consent_new_held AFTER INSERT ON consent BEGIN
    UPDATE hold SET is_changed = 1 WHERE key = NEW.key;
END;
CREATE TRIGGER consent_changed_held AFTER UPDATE ON consent BEGIN
    UPDATE hold SET is_changed = 1 WHERE key = NEW.key;
END;
CREATE TRIGGER consent_gone_held AFTER DELETE ON consent BEGIN
    UPDATE hold SET is_changed = 1 WHERE key = OLD.key;
END;
CREATE TRIGGER suppression_new_held AFTER INSERT ON suppression BEGIN
    UPDATE hold SET is_changed = 1 WHERE key = NEW.key;
END;
CREATE TRIGGER suppression_changed_held AFTER UPDATE ON suppression BEGIN
    UPDATE hold SET is_changed = 1 WHERE key = NEW.key;
END;
CREATE TRIGGER suppression_gone_held AFTER DELETE ON suppression BEGIN
    UPDATE hold SET is_changed = 1 WHERE key = OLD.key;
END;

PRAGMA user_version = 2;
