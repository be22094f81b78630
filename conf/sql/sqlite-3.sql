-- SPDX-License-Identifier: Apache-2.0
-- From version 2 to version 3 of the tables of store-sqlite.

-- What the copy carries: 1 a pixel, 2 links of ours, or both (MrgTracked).
ALTER TABLE event ADD COLUMN tracked INTEGER NOT NULL DEFAULT 0;

ALTER TABLE hold ADD COLUMN list TEXT NOT NULL DEFAULT '';

-- ---- what the world answers ---------------------------------------------------------------

-- User agents and reasons, each once: there are few of them, and a row for each hit.
CREATE TABLE hit_text (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Requests to the collector.  message: the first 8 bytes of the copy's key as a number; 0 and
-- key NULL where nobody is to be known.  link: as in table link; 0 none.  kind, flags: those
-- of collect/hit.h.  class: 0 unknown, 1 human, 2 proxy, 3 prefetch, 4 scanner (MrgHitClass).
-- agent, reason: in hit_text.  since: seconds since the token was sealed.
CREATE TABLE hit (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    campaign INTEGER NOT NULL,
    link     INTEGER NOT NULL,
    message  INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    flags    INTEGER NOT NULL,
    class    INTEGER NOT NULL CHECK (class BETWEEN 0 AND 4),
    reason   INTEGER NOT NULL,
    agent    INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    network  BLOB CHECK (length(network) IN (3, 6)),
    key      BLOB CHECK (length(key) = 16)
) STRICT;
CREATE INDEX hit_campaign ON hit (campaign, at);
CREATE INDEX hit_key ON hit (key) WHERE key IS NOT NULL;

-- Events of web pages.
CREATE TABLE web_event (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    site      TEXT NOT NULL,
    kind      INTEGER NOT NULL,
    name      TEXT NOT NULL,
    anonymous TEXT NOT NULL,
    event     TEXT NOT NULL, -- the page's own id: sent twice, it is one event
    data      TEXT NOT NULL,
    key       BLOB CHECK (length(key) = 16)
) STRICT;
CREATE UNIQUE INDEX web_event_once ON web_event (site, event) WHERE event != '';
CREATE INDEX web_event_key ON web_event (key) WHERE key IS NOT NULL;

-- Whose an anonymous id is, since a link that was sealed for them said so.
CREATE TABLE web_identity (
    site      TEXT NOT NULL,
    anonymous TEXT NOT NULL,
    key       BLOB NOT NULL CHECK (length(key) = 16),
    PRIMARY KEY (site, anonymous)
) STRICT, WITHOUT ROWID;
CREATE INDEX web_identity_key ON web_identity (key);

-- What remote servers said of a copy.  state: 0 sent, 1 deferred, 2 soft bounce, 3 hard
-- bounce, 4 complaint (MrgDeliveryState).
CREATE TABLE delivery (
    campaign INTEGER NOT NULL,
    message  INTEGER NOT NULL,
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
    at       INTEGER NOT NULL,
    code     TEXT NOT NULL,
    key      BLOB CHECK (length(key) = 16),
    PRIMARY KEY (campaign, message, state)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_key ON delivery (key) WHERE key IS NOT NULL;

-- How far each journal of a collector is loaded.  A segment is a number of 64 bits.
CREATE TABLE journal (
    id       TEXT NOT NULL PRIMARY KEY,
    segment  INTEGER NOT NULL,
    "offset" INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 3;
