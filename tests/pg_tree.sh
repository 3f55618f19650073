#!/usr/bin/env bash
# Makes a private copy of the installed PostgreSQL, so that building, installing and testing write
# nothing outside the given folder and need no root. Prints the path of its pg_config.
#   tests/pg_tree.sh FOLDER [MAJOR]
set -euo pipefail

tree=${1:?usage: tests/pg_tree.sh FOLDER [MAJOR]}
major=${2:-15}
source_lib=/usr/lib/postgresql/$major
if [ ! -x "$source_lib/bin/postgres" ] || [ ! -d "$source_lib/lib/pgxs" ]; then
  echo "tests/pg_tree.sh: PostgreSQL $major with its server headers is not installed" >&2
  echo "hint: apt-get install postgresql-$major postgresql-server-dev-$major" >&2
  exit 1
fi
version=$("$source_lib/bin/postgres" --version)
config=$tree/lib/postgresql/$major/bin/pg_config
if [ ! -x "$config" ] || [ "$(cat "$tree/version" 2>/dev/null)" != "$version" ]; then
  mkdir -p "$tree/lib/postgresql" "$tree/share/postgresql" "$tree/include"
  cp -a "$source_lib" "$tree/lib/postgresql/"
  cp -a "/usr/share/postgresql/$major" "$tree/share/postgresql/"
  rm -rf "$tree/include/postgresql"
  ln -s /usr/include/postgresql "$tree/include/postgresql"
  echo "$version" > "$tree/version"
fi
echo "$config"
