-- Tiles: what is read from stored nodes is what the leaves hash to, and who may read which.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
CREATE ROLE regress_tile_auditor LOGIN IN ROLE aegis_auditor INHERIT;
CREATE ROLE regress_tile_member LOGIN IN ROLE aegis_member INHERIT;
SELECT aegis.create_tenant('regress-tile', 'Tile') AS tenant, aegis.create_tenant('regress-tile-2', 'Other') AS other \gset
SELECT aegis.declare_event('tile.done', 'for the test of tiles');
\c - regress_tile_member
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 4, 1, 1);
SELECT count(aegis.record('tile.done', 'thing', n::text)) FROM generate_series(1, 600) n;
COMMIT;
\c - :superuser
SELECT aegis.wait_sealed('20 s') > 0 AS sealed;
SELECT log, size FROM aegis.tenant_log WHERE tenant_id = :'tenant' \gset

-- allows: paths of C2SP, and none else
SELECT * FROM aegis.tile_path('tile/0/x001/x234/067');
SELECT * FROM aegis.tile_path('tile/entries/273.p/112');
SELECT aegis.tile_path('tile/0/x000/001');
SELECT aegis.tile_path('tile/0/999999');
SELECT aegis.root_tile('checkpoint');

-- allows: an auditor, every tile of every log
\c - regress_tile_auditor
SELECT octet_length(aegis.log_tile(:'tenant', 'tile/0/000')) AS full, octet_length(aegis.log_tile(:'tenant', 'tile/0/002.p/5')) AS partial,
       octet_length(aegis.log_tile(:'tenant', 'tile/1/000.p/2')) AS above;
SELECT aegis.log_tile(:'tenant', 'tile/0/003') IS NULL AS beyond, aegis.log_tile(:'tenant', 'tile/0/002') IS NULL AS not_full,
       aegis.log_tile(:'tenant', 'tile/1/000.p/3') IS NULL AS not_yet, aegis.log_tile(:'tenant', 'tile/2/000.p/1') IS NULL AS not_so_high,
       aegis.log_tile(:'tenant', 'tile/entries/x999/x999/x999/x999/x999/999') IS NULL AS far;
SELECT string_agg(sha256('\x00' || e.body), '' ORDER BY e.n) = aegis.log_tile(:'tenant', 'tile/0/001') AS entries_hash_to_the_tile
  FROM (WITH RECURSIVE b (n, body, rest) AS (
          SELECT 0, NULL::bytea, aegis.log_tile(:'tenant', 'tile/entries/001')
          UNION ALL
          SELECT n + 1, substr(rest, 3, get_byte(rest, 0) * 256 + get_byte(rest, 1)), substr(rest, 3 + get_byte(rest, 0) * 256 + get_byte(rest, 1))
            FROM b WHERE rest <> '')
        SELECT n, body FROM b WHERE n > 0) e;
SELECT substr(aegis.log_tile(:'tenant', 'tile/1/000.p/2'), 1, 32) = (SELECT hash FROM aegis.tree_node WHERE log = :log AND level = 8 AND index = 0) AS node;
SELECT octet_length(aegis.log_tile(NULL, 'tile/0/000.p/1')) AS of_the_system, octet_length(aegis.log_tile(NULL, 'tile/entries/000.p/1')) > 50 AS its_entry;
-- A head has 84 bytes, and two of its length before it.
SELECT substr(aegis.root_tile('tile/0/000.p/3'), 65, 32) = sha256('\x00' || substr(aegis.root_tile('tile/entries/000.p/3'), 175, 84)) AS head,
       convert_from(substr(aegis.root_tile('tile/entries/000.p/3'), 3, 12), 'UTF8') AS kind;

-- refuses: everybody but an admin of the tenant, in a context
\c - regress_tile_member
SELECT octet_length(aegis.root_tile('tile/0/000.p/1')) AS for_everybody;
SELECT aegis.root_tile('tile/entries/000.p/1');
SELECT aegis.log_tile(:'tenant', 'tile/0/000');
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 4, 1, 1);
SELECT octet_length(aegis.log_tile(:'tenant', 'tile/0/000')) AS own, octet_length(aegis.log_tile(:'tenant', 'tile/entries/000')) > 10000 AS own_entries;
SELECT aegis.log_tile(:'other', 'tile/0/000');
ROLLBACK;
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 3, 1, 1);
SELECT aegis.log_tile(:'tenant', 'tile/0/000');
ROLLBACK;
SELECT aegis.any_tile(1, 'tile/0/000');
SELECT aegis.log_receipt(:'tenant');
\c - :superuser
SELECT aegis.tile_hashes(1, 0, 0, 1);
SELECT aegis.log_receipt(:'tenant') IS NULL AS nothing_signed;
SET client_min_messages = warning;
DROP FUNCTION probe_context(uuid, uuid, int, bigint, bigint);
DROP ROLE regress_tile_auditor, regress_tile_member;
