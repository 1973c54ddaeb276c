-- What the operator, and no policy, says of service accounts: that they are services of OpenStack, on which project.
CREATE TABLE service_flag (
  client_id TEXT COLLATE "C" PRIMARY KEY REFERENCES service_account (id) ON DELETE CASCADE,
  project TEXT COLLATE "C" NOT NULL REFERENCES project (id)
);
