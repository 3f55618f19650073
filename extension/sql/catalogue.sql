-- The catalogue of event types: what may be recorded, by whom, with which details. docs/catalogue.md.

CREATE TABLE aegis.event_type (
  name         text    NOT NULL PRIMARY KEY
                       CHECK (name ~ '^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)+$' AND pg_catalog.octet_length(name) < 64),
  description  text    NOT NULL CHECK (description <> ''),
  writer       text    NOT NULL CHECK (writer IN ('c', 'sql')),
  fields       jsonb   NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(fields) = 'object'),
  by_extension boolean NOT NULL
);
COMMENT ON TABLE aegis.event_type IS 'event types: name, who may write them, class of every detail';
SELECT pg_catalog.pg_extension_config_dump('aegis.event_type', 'WHERE NOT by_extension');

INSERT INTO aegis.event_type (name, description, writer, by_extension)
SELECT t.name, t.description, 'c', true FROM (VALUES
  ('audit.coverage',           'which tables are captured is not what it was'),
  ('audit.watch_begun',        'roles, grants and settings were taken down, as what later entries compare with'),
  ('auth.sign_in',             'a user signed in'),
  ('auth.sign_in_failed',      'a sign-in was refused'),
  ('auth.sign_in_abandoned',   'a sign-in was begun and rolled back, cancelled or lost'),
  ('auth.locked',              'an account was locked after failed sign-ins'),
  ('auth.sign_out',            'a session was ended by its user'),
  ('auth.session_superseded',  'a session ended because its user signed in elsewhere'),
  ('auth.denied',              'a request was refused'),
  ('ddl.refused',              'a change of the schema was refused because it would leave a hole'),
  ('ddl.repaired',             'a hole that a change of the schema would leave was repaired'),
  ('destination.registered',   'an operator let outbound jobs go to an address'),
  ('destination.removed',      'an operator took an address for outbound jobs back'),
  ('event.declared',           'an application declared an event type'),
  ('field.conversion_begun',   'a column is being encrypted or decrypted beside its writers'),
  ('field.conversion_undone',  'an unfinished conversion of a column was taken back'),
  ('field.decrypted',          'an encrypted column was turned into a plain one'),
  ('field.policy_changed',     'who may reveal a field was changed'),
  ('field.registered',         'a column was encrypted'),
  ('field.resealed',           'the values of a tenant in a table were sealed under a newer key'),
  ('field.type_created',       'a sealed type was made'),
  ('grant.changed',            'rights on an object of Aegis, or on a table that it protects or captures, were changed'),
  ('job.created',              'a job was created'),
  ('job.finished',             'a job finished or failed'),
  ('job.paused',               'a job was stopped by an operator'),
  ('job.resumed',              'a paused or failed job was let go on'),
  ('key.epoch_retired',        'no row uses an older key of a tenant any more'),
  ('key.field_exported',       'the key of a field left the database, sealed for an application'),
  ('key.index_rewritten',      'the search tokens of a tenant were rewritten under a new key'),
  ('key.index_rotated',        'an operator ordered a new search key for a tenant'),
  ('key.master_registered',    'a master key was seen for the first time'),
  ('key.master_rotated',       'an operator had all root keys wrapped under a newer master key'),
  ('key.roots_rewrapped',      'all root keys are wrapped under one master key'),
  ('key.subject_admitted',     'an operator gave an erased data subject a new key'),
  ('key.subject_destroyed',    'the key of a data subject was destroyed'),
  ('key.tenant_brought',       'a tenant brought a new key of its own'),
  ('key.tenant_created',       'the keys of a tenant were made'),
  ('key.tenant_destroyed',     'the keys of a tenant were destroyed'),
  ('key.tenant_rotated',       'an operator gave a tenant a new key'),
  ('ledger.checkpoint_refused', 'the signer refused the head of the ledger'),
  ('ledger.epoch_begun',       'an operator began a new epoch of the ledger'),
  ('ledger.exported',          'the ledger, or the log of a tenant, was exported'),
  ('ledger.witness_dropped',   'an operator has a witness asked no more'),
  ('ledger.witness_refused',   'a witness refused the head of the ledger'),
  ('ledger.witness_registered', 'an operator has checkpoints cosigned by a witness'),
  ('operator.assumed_tenant',  'an operator took the context of a tenant'),
  ('outbound.cancelled',       'an operator cancelled an outbound job'),
  ('outbound.delivered',       'an outbound job was done'),
  ('outbound.failed',          'an outbound job was given up'),
  ('outbound.retried',         'an operator let an outbound job try again'),
  ('pii.revealed',             'encrypted values were read in clear'),
  ('role.changed',             'a role was made, changed or dropped'),
  ('role.membership_changed',  'a role was made a member of another, or no longer is one'),
  ('route.dropped',            'an operator removed a route'),
  ('route.registered',         'an operator registered a route'),
  ('row.changed',              'a row of an audited table was inserted, updated or deleted, or the table truncated'),
  ('schema.guarded',           'the guard of a schema was switched on, changed or switched off'),
  ('service.changed',          'an operator changed what a service may'),
  ('service.created',          'an operator made a service, and its secret'),
  ('service.retired',          'an operator took a service out of use'),
  ('service.secret_made',      'an operator gave a service another secret'),
  ('service.secret_retired',   'an operator took a secret of a service out of use'),
  ('setting.changed',          'a setting that Aegis rests on was changed: in the files, for a role, or for a database'),
  ('setting.wall_off',         'the server started with a wall switched off'),
  ('subject.erased',           'the search tokens of a data subject were removed, and the file of keys written anew'),
  ('system.started',           'the server started'),
  ('table.audited',            'capture of the changes of a table began'),
  ('table.backfilled',         'existing rows of a table were given their tenant'),
  ('table.keys_converted',     'the keys of a table were made to lead with the tenant'),
  ('table.protected',          'a table was put under tenant protection'),
  ('table.unaudited',          'capture of the changes of a table ended'),
  ('table.unprotected',        'tenant protection was taken from a table'),
  ('team.created',             'a team was created'),
  ('team.deleted',             'an empty team was deleted'),
  ('team.moved',               'a team was moved below another, with all below it and their rows'),
  ('team.renamed',             'a team was given another name'),
  ('tenant.action_approved',   'a second operator agreed to what was asked for a tenant'),
  ('tenant.action_requested',  'an operator asked for what takes a second one: erasure, export, move or a key of a tenant'),
  ('tenant.action_withdrawn',  'what was asked for a tenant will not be done'),
  ('team.renumbered',          'the teams below one were given new numbers'),
  ('tenant.created',           'a tenant was created'),
  ('tenant.erased',            'the rows of a tenant, its users and its sessions were deleted'),
  ('tenant.erasure_begun',     'two operators erase a tenant'),
  ('tenant.exported',          'rows, keys and log of a tenant were exported for another database'),
  ('tenant.imported',          'a tenant of another database was taken in'),
  ('tenant.limits_set',        'the limits of a tenant were set'),
  ('tenant.moved',             'a tenant lives in another region from now on'),
  ('tenant.quota_exceeded',    'a tenant used up a quota; once a minute'),
  ('tenant.reactivated',       'a suspended tenant was let work again'),
  ('tenant.suspended',         'a tenant was suspended and its sessions were ended'),
  ('user.created',             'a user was created'),
  ('user.deactivated',         'a user was deactivated'),
  ('user.moved',               'a user was moved to another team'),
  ('user.rank_changed',        'the rank of a user was changed'),
  ('user.unlocked',            'the failed sign-ins of a user were forgotten')
) AS t(name, description);

CREATE FUNCTION aegis.declare_event(name text, description text, fields jsonb DEFAULT '{}') RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_declare_event' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.declare_event(text, text, jsonb) IS
  'declares an event type of an application; fields gives each detail "clear" or "personal", with " required"';

CREATE FUNCTION aegis.record(event text, target_kind text DEFAULT NULL, target_id text DEFAULT NULL,
                             outcome text DEFAULT 'success', detail jsonb DEFAULT '{}') RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_record' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.record(text, text, text, text, jsonb) IS
  'writes one ledger entry of a declared type in the current transaction';
