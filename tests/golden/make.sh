#!/usr/bin/env bash
# Makes tests/golden/VERSION.sql.gz, a dump as this version of the extension writes it, and beside it the checksum of its sealed
# rows. Run once for a version, before it is released; after that the file is history, and tests/process/dump.sh restores it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/sealed_rows.sh

version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" extension/aegis.control)
make_cluster
preload
settings "fsync = off"
must_start
query "CREATE DATABASE app" > /dev/null
query_database=app
fill
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
as_server "$bin/pg_dump" -h "$place" -U postgres app 2> /dev/null | gzip -9n > "tests/golden/$version.sql.gz"
rows | md5sum > "tests/golden/$version.md5"
ls -l "tests/golden/$version.sql.gz"
