-- Identities are asked for by token alone, which the index on (sn, device_token) does not help.
CREATE INDEX IF NOT EXISTS identity_device_token_idx ON identity (device_token);
