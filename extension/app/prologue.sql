-- aegis_app: installed by CREATE EXTENSION, never by psql.
\echo Use "CREATE EXTENSION aegis_app" to load this file. \quit
