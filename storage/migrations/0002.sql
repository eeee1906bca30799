-- Schema 2: the outbox of notifications, and what a job keeps of its parents.

-- record: internal.v1.StoredNotification. due: 1 while it is to be delivered.
CREATE TABLE notifications (
  job INTEGER NOT NULL,
  number INTEGER NOT NULL,
  due INTEGER NOT NULL,
  record BLOB NOT NULL,
  PRIMARY KEY (job, number)
) WITHOUT ROWID;

-- What a server looks for when it starts, and when it loads a job.
CREATE INDEX due_notifications ON notifications (job) WHERE due = 1;

-- What a job keeps of its parents: written once, when it is created, so that a commit that changes the header does not write it
-- again. place: in warm_start.parents. record: internal.v1.StoredParent.
CREATE TABLE job_parents (
  job INTEGER NOT NULL,
  place INTEGER NOT NULL,
  parent_uid TEXT NOT NULL,
  record BLOB NOT NULL,
  PRIMARY KEY (job, place)
) WITHOUT ROWID;

CREATE INDEX job_parents_by_uid ON job_parents (parent_uid, job);
