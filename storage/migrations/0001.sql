-- Schema 1. Numbers of states and times in columns are those of the protos and nanoseconds since 1970.
-- Never edit a released migration: add the next one.

-- id: the order of creation, never used again. revision, epoch: see storage.h. header: internal.v1.StoredJob without the two documents.
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  revision INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  owner TEXT NOT NULL,
  lease_expire_time INTEGER NOT NULL,
  status INTEGER NOT NULL,
  create_time INTEGER NOT NULL,
  header BLOB NOT NULL
);

-- What is large and hardly ever changes, so that a commit that changes the header does not write it again.
CREATE TABLE job_documents (
  job INTEGER PRIMARY KEY,
  spec BLOB NOT NULL,
  provenance BLOB NOT NULL
);

-- record: internal.v1.StoredTrial. The columns before it are copies, for ordering without reading records.
CREATE TABLE trials (
  job INTEGER NOT NULL,
  number INTEGER NOT NULL,
  state INTEGER NOT NULL,
  objective REAL,
  best_objective REAL,
  create_time INTEGER NOT NULL,
  end_time INTEGER,
  record BLOB NOT NULL,
  PRIMARY KEY (job, number)
) WITHOUT ROWID;

-- place: revision of the first commit that held the key times 2^24, plus the place in that commit. A NaN is stored as NULL, and -0 as 0.
CREATE TABLE measurements (
  job INTEGER NOT NULL,
  trial INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  metric TEXT NOT NULL,
  step INTEGER NOT NULL,
  place INTEGER NOT NULL,
  value REAL,
  time INTEGER NOT NULL,
  source INTEGER NOT NULL,
  PRIMARY KEY (job, trial, attempt, metric, step)
) WITHOUT ROWID;

-- touched: which values the commit changed, encoded as storage/touched.cc says.
CREATE TABLE changes (
  job INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  touched BLOB NOT NULL,
  PRIMARY KEY (job, revision)
) WITHOUT ROWID;
