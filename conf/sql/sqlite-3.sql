-- SPDX-License-Identifier: Apache-2.0
-- From version 2 to version 3 of the tables of store-sqlite.

-- What the copy carries: 1 a pixel, 2 links of ours, or both (MrgTracked).
ALTER TABLE event ADD COLUMN tracked INTEGER NOT NULL DEFAULT 0;

ALTER TABLE hold ADD COLUMN list TEXT NOT NULL DEFAULT '';

PRAGMA user_version = 3;
