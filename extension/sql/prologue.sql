-- aegis: installed by CREATE EXTENSION, never by psql.
\echo Use "CREATE EXTENSION aegis" to load this file. \quit

DO $$
BEGIN
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'aegis needs a database with encoding UTF8',
      HINT = 'Create the database with ENCODING ''UTF8''.';
  END IF;
END $$;
