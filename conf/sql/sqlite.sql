-- SPDX-License-Identifier: Apache-2.0
-- The tables of store-sqlite, version 1; sqlite-2.sql has what came since.  `merganser db init`
-- runs them in one transaction.
--
-- Times are microseconds since 1970-01-01 UTC.  A person is a key of 16 bytes, a keyed hash
-- of the address; the address itself stands in profile and nowhere else.  Where there is no
-- rowid the rows are short and are found by their key alone.

CREATE TABLE profile (
    key     BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    address TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A field is a row, so that a copy reads the fields that its template names and no others.
-- type: 2 boolean, 3 number, 4 string, 5 JSON (MrgFieldType).
CREATE TABLE field (
    key   BLOB NOT NULL REFERENCES profile (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    type  INTEGER NOT NULL CHECK (type BETWEEN 2 AND 5),
    value TEXT NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;

-- The ledger: what a decision is taken on, and the version that makes it safe.
CREATE TABLE person (
    key     BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    version INTEGER NOT NULL CHECK (version > 0),
    history TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- state: 0 unknown, 1 granted, 2 denied (MrgConsentState).
CREATE TABLE consent (
    key     BLOB NOT NULL CHECK (length(key) = 16),
    purpose TEXT NOT NULL,
    state   INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    at      INTEGER NOT NULL,
    source  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (key, purpose)
) STRICT, WITHOUT ROWID;

-- Write here, never to consent: this is the evidence, and consent follows it.
CREATE TABLE consent_log (
    key     BLOB NOT NULL CHECK (length(key) = 16),
    purpose TEXT NOT NULL,
    at      INTEGER NOT NULL,
    state   INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    source  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (key, purpose, at, state)
) STRICT, WITHOUT ROWID;

-- until: 0 for good.
CREATE TABLE suppression (
    key    BLOB NOT NULL CHECK (length(key) = 16),
    scope  TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    until  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key, scope, reason)
) STRICT, WITHOUT ROWID;

-- verdict: 0 deliver, 1 drop, 2 reject, 3 defer, 4 hold (MrgVerdict).  message is set when
-- the outcome is final; it is what makes a retry a repeat.
CREATE TABLE event (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    key      BLOB NOT NULL CHECK (length(key) = 16),
    campaign TEXT NOT NULL,
    class    TEXT NOT NULL,
    verdict  INTEGER NOT NULL CHECK (verdict BETWEEN 0 AND 4),
    reason   TEXT NOT NULL,
    message  BLOB CHECK (length(message) = 16)
) STRICT;
CREATE INDEX event_key ON event (key);
CREATE UNIQUE INDEX event_message ON event (message) WHERE message IS NOT NULL;

-- Numbers stand in sealed tokens: one is never used again, even for a name that was deleted.
CREATE TABLE campaign (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name   TEXT NOT NULL UNIQUE
) STRICT;

-- The latest record counts, in whatever order records arrive.
CREATE TRIGGER consent_follows AFTER INSERT ON consent_log BEGIN
    INSERT INTO consent (key, purpose, state, at, source)
    VALUES (NEW.key, NEW.purpose, NEW.state, NEW.at, NEW.source)
    ON CONFLICT (key, purpose) DO UPDATE
    SET state = excluded.state, at = excluded.at, source = excluded.source
    WHERE excluded.at >= consent.at;
END;
CREATE TRIGGER consent_log_stands BEFORE UPDATE ON consent_log BEGIN
    SELECT RAISE(ABORT, 'consent_log is append-only');
END;

-- Whoever changes consent or suppression, be it by hand, makes commits in flight conflict.
CREATE TRIGGER consent_new AFTER INSERT ON consent BEGIN
    INSERT INTO person (key, version) VALUES (NEW.key, 1)
    ON CONFLICT (key) DO UPDATE SET version = version + 1;
END;
CREATE TRIGGER consent_changed AFTER UPDATE ON consent BEGIN
    INSERT INTO person (key, version) VALUES (NEW.key, 1)
    ON CONFLICT (key) DO UPDATE SET version = version + 1;
END;
CREATE TRIGGER consent_gone AFTER DELETE ON consent BEGIN
    INSERT INTO person (key, version) VALUES (OLD.key, 1)
    ON CONFLICT (key) DO UPDATE SET version = version + 1;
END;
CREATE TRIGGER suppression_new AFTER INSERT ON suppression BEGIN
    INSERT INTO person (key, version) VALUES (NEW.key, 1)
    ON CONFLICT (key) DO UPDATE SET version = version + 1;
END;
CREATE TRIGGER suppression_changed AFTER UPDATE ON suppression BEGIN
    INSERT INTO person (key, version) VALUES (NEW.key, 1)
    ON CONFLICT (key) DO UPDATE SET version = version + 1;
END;
CREATE TRIGGER suppression_gone AFTER DELETE ON suppression BEGIN
    INSERT INTO person (key, version) VALUES (OLD.key, 1)
    ON CONFLICT (key) DO UPDATE SET version = version + 1;
END;

PRAGMA user_version = 1;
