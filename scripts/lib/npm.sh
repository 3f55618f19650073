# shellcheck shell=bash
# The packages of tests/npm, for tests and benchmarks: exactly those of its lock file.

# install_npm SOURCES: into SOURCES/tests/npm/node_modules, unless they are there already.
install_npm() {
  local folder=$1/tests/npm mark
  mark=$(cat "$folder"/package.json "$folder"/package-lock.json | sha256sum)
  if [ "$mark" = "$(cat "$folder/node_modules/.installed" 2> /dev/null)" ]; then
    echo "every package of tests/npm is installed"
    return
  fi
  # Nobody's scripts run: one package would fetch lists from the net.
  (cd "$folder" && npm ci --no-progress --ignore-scripts)
  echo "$mark" > "$folder/node_modules/.installed"
}
