-- SPDX-License-Identifier: Apache-2.0
-- From version 3 to version 4 of the tables of store-sqlite.

-- A commit looks for what is recorded of a copy and adds to it: one index by person serves
-- that and the list of a person's events, where each of two cost a page in another place.
DROP INDEX event_message;
DROP INDEX event_key;
CREATE INDEX event_copy ON event (key, message);

PRAGMA user_version = 4;
