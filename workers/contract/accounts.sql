-- 0 is any amount; NULL algorithms are all; rights and algorithms are JSON lists.
CREATE TABLE accounts (
  name TEXT PRIMARY KEY,
  rate REAL NOT NULL,
  burst INTEGER NOT NULL,
  quota REAL NOT NULL,
  algorithms TEXT,
  rights TEXT NOT NULL
) WITHOUT ROWID;

-- Of a key its secret is not here.
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  sha256 BLOB NOT NULL,
  account TEXT NOT NULL REFERENCES accounts,
  made_ms INTEGER NOT NULL,
  ends_ms INTEGER
) WITHOUT ROWID;

-- What was asked and given; the month as in 2026-11, by UTC. It outlives its account.
CREATE TABLE usage (
  month TEXT NOT NULL,
  account TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  requests INTEGER NOT NULL,
  units REAL NOT NULL,
  computed INTEGER NOT NULL,
  joined INTEGER NOT NULL,
  kept INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  members INTEGER NOT NULL,
  compute_us INTEGER NOT NULL,
  PRIMARY KEY (month, account, algorithm)
) WITHOUT ROWID;

-- Another number after every change of accounts or keys.
CREATE TABLE edition (number INTEGER NOT NULL);
INSERT INTO edition VALUES (0);

PRAGMA user_version = 1;
