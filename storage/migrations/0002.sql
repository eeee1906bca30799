-- Schema 2: the outbox of notifications.

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
