-- Decisions are kept for a bounded time and number. They are in no backup.
CREATE TABLE decision (
  id TEXT COLLATE "C" PRIMARY KEY,       -- our request id
  other_id TEXT COLLATE "C" NOT NULL,    -- the other id that its answer had, or ''
  owner TEXT COLLATE "C" NOT NULL,
  identity TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  verdict TEXT NOT NULL,
  refused BOOLEAN NOT NULL,
  body TEXT NOT NULL                     -- JSON: the rest
);
CREATE INDEX decision_other_id ON decision (other_id);
CREATE INDEX decision_owner ON decision (owner, at, id);
CREATE INDEX decision_at ON decision (at);
