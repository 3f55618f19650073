/* SPDX-License-Identifier: Apache-2.0
 * Stores an e-mail address that the database never sees in clear, finds it again and opens it.
 *   store PRIVATE-KEY-FILE SEALED-KEY-FILE TENANT EMAIL
 * The connection is libpq's (PGHOST, PGUSER, ...), of an operator. docs/client.md.
 */
#include <aegis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *why) {
  fprintf(stderr, "store: %s: %s\n", what, why);
  exit(1);
}

static void need(aegis_status status, const char *what) {
  if (status != AEGIS_OK) fail(what, aegis_status_text(status));
}

static char *first_line(const char *path) {
  static char lines[2][512];
  static int used;
  char *line = lines[used++ % 2];
  FILE *file = fopen(path, "r");
  if (!file || !fgets(line, sizeof lines[0], file)) fail(path, "cannot be read");
  fclose(file);
  line[strcspn(line, "\n")] = '\0';
  return line;
}

static void from_hex(const char *text, uint8_t *out, size_t size) {
  size_t i;
  if (strlen(text) != 2 * size) fail("private key", "is not 64 hexadecimal digits");
  for (i = 0; i < size; i++) {
    unsigned byte;
    if (sscanf(text + 2 * i, "%2x", &byte) != 1) fail("private key", "is not hexadecimal");
    out[i] = (uint8_t)byte;
  }
}

static PGresult *run(PGconn *connection, const char *statement, int count, const char *const *values) {
  PGresult *result = PQexecParams(connection, statement, count, NULL, values, NULL, NULL, 0);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(statement, PQerrorMessage(connection));
  return result;
}

int main(int argc, char **argv) {
  uint8_t private_key[AEGIS_KEY_BYTES];
  char armor[2048], opened[1001];
  size_t size;
  aegis_key *key;
  PGconn *connection;
  PGresult *found;
  const char *tenant[1], *sealed[1];

  if (argc != 5) fail("usage", "store PRIVATE-KEY-FILE SEALED-KEY-FILE TENANT EMAIL");
  from_hex(first_line(argv[1]), private_key, sizeof private_key);
  need(aegis_key_open(private_key, first_line(argv[2]), &key), "key");
  need(aegis_seal(key, argv[4], strlen(argv[4]), armor, sizeof armor, &size), "seal");

  connection = PQconnectdb("");
  if (PQstatus(connection) != CONNECTION_OK) fail("connect", PQerrorMessage(connection));
  PQclear(run(connection, "BEGIN", 0, NULL));
  tenant[0] = argv[3];
  PQclear(run(connection, "SELECT aegis.assume_tenant($1, 'example', 'docs/client.md', read_only => false)", 1, tenant));
  sealed[0] = armor;
  PQclear(run(connection, "INSERT INTO patient (email) VALUES ($1)", 1, sealed));

  /* Another sealing of the same address: other bytes, the same search token. */
  need(aegis_seal(key, argv[4], strlen(argv[4]), armor, sizeof armor, &size), "seal");
  found = run(connection, "SELECT email FROM patient WHERE email = $1::aegis.sealed_email", 1, sealed);
  if (PQntuples(found) != 1) fail("search", "not one row");
  need(aegis_open(key, PQgetvalue(found, 0, 0), opened, sizeof opened - 1, &size), "open");
  opened[size] = '\0';
  printf("stored and found: %s\n", opened);
  PQclear(found);
  PQclear(run(connection, "COMMIT", 0, NULL));
  PQfinish(connection);
  aegis_key_free(key);
  return 0;
}
