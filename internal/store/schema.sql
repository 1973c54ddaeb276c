-- Times are microseconds since 1970 in UTC, 0 where there is none. An owner is <partition>:<account name>. Lists and trees that are never
-- searched in SQL are JSON. SQLite compares bytewise by default and gets this text without the COLLATE clauses.

CREATE TABLE revision (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  n BIGINT NOT NULL,           -- taken first by every writer: commit order is revision order
  pruned BIGINT NOT NULL,      -- changes up to here are no longer in the change table
  audit_seq BIGINT NOT NULL,   -- the end of the audit chain
  audit_hash BYTEA NOT NULL
);

INSERT INTO revision (one, n, pruned, audit_seq, audit_hash) VALUES (1, 0, 0, 0, '');

CREATE TABLE change (
  rev BIGINT NOT NULL,
  part BIGINT NOT NULL,        -- numbers the changes of one revision
  kind TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (rev, part)
);

CREATE TABLE account (
  owner TEXT COLLATE "C" PRIMARY KEY,
  description TEXT NOT NULL,
  disabled BOOLEAN NOT NULL,
  created BIGINT NOT NULL
);

CREATE TABLE project (
  id TEXT COLLATE "C" PRIMARY KEY,
  owner TEXT COLLATE "C" NOT NULL REFERENCES account (owner),
  name TEXT COLLATE "C" NOT NULL,
  description TEXT NOT NULL,
  disabled BOOLEAN NOT NULL,
  created BIGINT NOT NULL,
  UNIQUE (owner, name)
);

CREATE TABLE resource (
  id TEXT COLLATE "C" PRIMARY KEY,
  urn TEXT COLLATE "C" NOT NULL UNIQUE,
  owner TEXT COLLATE "C" NOT NULL REFERENCES account (owner),
  name TEXT NOT NULL,
  display_name TEXT NOT NULL,
  tags TEXT NOT NULL           -- JSON object
);
CREATE INDEX resource_owner ON resource (owner, id);

CREATE TABLE service_account (
  id TEXT COLLATE "C" PRIMARY KEY,
  owner TEXT COLLATE "C" NOT NULL REFERENCES account (owner),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  callback_urls TEXT NOT NULL, -- JSON array
  disabled BOOLEAN NOT NULL,
  default_project TEXT COLLATE "C" NOT NULL,
  token_life BIGINT NOT NULL,  -- microseconds
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX service_account_owner ON service_account (owner, id);

-- An id is never given twice: policies may still name a service account that is gone.
CREATE TABLE deleted_service_account (
  id TEXT COLLATE "C" PRIMARY KEY,
  deleted BIGINT NOT NULL
);

CREATE TABLE secret (
  id TEXT COLLATE "C" PRIMARY KEY,
  client_id TEXT COLLATE "C" NOT NULL REFERENCES service_account (id) ON DELETE CASCADE,
  description TEXT NOT NULL,
  pepper TEXT COLLATE "C" NOT NULL,
  mac BYTEA NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  used BIGINT NOT NULL,
  used_from TEXT NOT NULL,
  used_agent TEXT NOT NULL
);
CREATE INDEX secret_client ON secret (client_id, id);

CREATE TABLE policy (
  id TEXT COLLATE "C" PRIMARY KEY,
  owner TEXT COLLATE "C" NOT NULL REFERENCES account (owner),
  name TEXT COLLATE "C" NOT NULL,
  description TEXT NOT NULL,
  read_only BOOLEAN NOT NULL,
  body TEXT NOT NULL,          -- JSON: resources, permissions, groups, condition
  expires BIGINT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  UNIQUE (owner, name)
);
CREATE INDEX policy_owner ON policy (owner, id);

CREATE TABLE policy_identity (
  policy_id TEXT COLLATE "C" NOT NULL REFERENCES policy (id) ON DELETE CASCADE,
  part BIGINT NOT NULL,
  identity TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (policy_id, part)
);
CREATE INDEX policy_identity_identity ON policy_identity (identity, policy_id);

CREATE TABLE permissions_group (
  urn TEXT COLLATE "C" PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  owner TEXT COLLATE "C" NOT NULL REFERENCES account (owner),
  name TEXT COLLATE "C" NOT NULL,
  description TEXT NOT NULL,
  body TEXT NOT NULL,          -- JSON: permissions
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  UNIQUE (owner, name)
);

CREATE TABLE resource_group (
  id TEXT COLLATE "C" PRIMARY KEY,
  owner TEXT COLLATE "C" NOT NULL REFERENCES account (owner),
  name TEXT COLLATE "C" NOT NULL,
  read_only BOOLEAN NOT NULL,
  body TEXT NOT NULL,          -- JSON: resources
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  UNIQUE (owner, name)
);
CREATE INDEX resource_group_owner ON resource_group (owner, id);

CREATE TABLE revoked_token (
  audit_id TEXT COLLATE "C" PRIMARY KEY,
  until BIGINT NOT NULL        -- when nobody can present it any more
);

CREATE TABLE sealed_key (
  id TEXT COLLATE "C" PRIMARY KEY,
  purpose TEXT COLLATE "C" NOT NULL,
  algorithm TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  created BIGINT NOT NULL,
  active BIGINT NOT NULL,
  retired BIGINT NOT NULL
);

CREATE TABLE audit_record (
  seq BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  owner TEXT COLLATE "C" NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  outcome TEXT NOT NULL,
  request_id TEXT NOT NULL,
  details TEXT NOT NULL,
  prev BYTEA NOT NULL,
  hash BYTEA NOT NULL
);
CREATE INDEX audit_record_owner ON audit_record (owner, seq);

CREATE TABLE audit_checkpoint (
  seq BIGINT PRIMARY KEY,
  hash BYTEA NOT NULL,
  at BIGINT NOT NULL,
  signature BYTEA NOT NULL
);
