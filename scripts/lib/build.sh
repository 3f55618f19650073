# shellcheck shell=bash
# Builds in a space-free copy of the clone, so that make and PGXS bear any path. CMake reads CMAKE_CXX_COMPILER_LAUNCHER
# by itself; make is told.

# copy_source DESTINATION: the files of the clone that git tracks or would track; what has vanished from
# the clone vanishes from the copy, times are kept, so that make rebuilds only what changed.
copy_source() {
  local to=$1
  mkdir -p "$to"
  cd "$clone" || exit
  # The clone may belong to somebody else than root, which git refuses unless told.
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do
        if [ -f "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
      done | LC_ALL=C sort -zu > "$to/.files.new"
  if [ -e "$to/.files" ]; then
    comm -z -23 "$to/.files" "$to/.files.new" | (cd "$to" && xargs -0r rm -f --)
  fi
  tar --null --no-recursion -T "$to/.files.new" -cf - | tar --no-same-owner -xf - -C "$to"
  mv "$to/.files.new" "$to/.files"
  cd "$home" || exit
}

# build_extensions: into the private copy of PostgreSQL.
build_extensions() {
  local config
  config=$("$source/tests/pg_tree.sh" "$tree")
  make -s -C "$source" -j"$(nproc)" PG_CONFIG="$config" CXX="${CMAKE_CXX_COMPILER_LAUNCHER:-} g++"
  make -s -C "$source" install PG_CONFIG="$config"
}

# build_programs: aegis-server, aegis-breached, aegis-keygen, aegis-pkcs11, aegis-signer, aegis-agent and aegis-verify, into $bin.
build_programs() {
  local build=$source/build/programs
  cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DAEGIS_TESTS=OFF
  cmake --build "$build" -j"$(nproc)" --target aegis-server aegis-breached aegis-keygen aegis-pkcs11 aegis-signer aegis-agent aegis-verify
  # install(1) replaces the file: a program that runs keeps its own.
  find "$build" -type f -perm -u+x \( -name aegis-server -o -name aegis-breached -o -name aegis-keygen -o -name aegis-pkcs11 -o -name aegis-signer -o -name aegis-agent -o -name aegis-verify \) \
    -exec install -m 0755 -t "$bin" {} +
}
