-- One row for each reply: the columns of evidence.Evidence. SHA-256 in 32 bytes.
CREATE TABLE evidence (
  id INTEGER PRIMARY KEY,
  uuid TEXT,
  algorithm TEXT,
  arrived_ms INTEGER NOT NULL,
  answered_ms INTEGER NOT NULL,
  status INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  front TEXT NOT NULL,
  account TEXT,
  image_sha256 BLOB,
  source TEXT,
  answer TEXT,
  confidence REAL,
  alternatives TEXT,  -- JSON
  members INTEGER,
  of_members INTEGER,
  stopped TEXT,
  bundle TEXT,
  digest BLOB,
  worker TEXT,
  queued_ms INTEGER,
  begun_ms INTEGER,
  ended_ms INTEGER,
  forgotten_ms INTEGER
);
CREATE INDEX by_time ON evidence (arrived_ms);
CREATE INDEX by_uuid ON evidence (uuid, arrived_ms) WHERE uuid IS NOT NULL;
CREATE INDEX by_answer ON evidence (answer, arrived_ms) WHERE answer IS NOT NULL;
CREATE INDEX by_account ON evidence (account, arrived_ms) WHERE account IS NOT NULL;

-- The images that are kept, as files under their names, and whose they were first.
CREATE TABLE images (
  sha256 BLOB PRIMARY KEY,
  stored_ms INTEGER NOT NULL,
  evidence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX by_age ON images (stored_ms);

-- The front processes: how much each has handed over, and how much of its evidence is lost.
CREATE TABLE fronts (
  run TEXT PRIMARY KEY,
  seen_ms INTEGER NOT NULL,
  next INTEGER NOT NULL,
  missed INTEGER NOT NULL,
  dropped INTEGER NOT NULL
) WITHOUT ROWID;

PRAGMA user_version = 1;
