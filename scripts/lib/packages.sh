# shellcheck shell=bash
# Installs what scripts/packages.txt lists and this machine lacks.

# missing_packages VERB ...: names of packages that are not installed, or older than their floor. Without a
# floor, a command of that name that came from elsewhere will do: Node.js often brings its own npm.
missing_packages() {
  local verb name floor reason installed
  while read -r verb name floor reason; do
    case " $* " in *" $verb "*) ;; *) continue ;; esac
    # shellcheck disable=SC2016 # dpkg's own variables
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2> /dev/null) || installed=
    if [ "${installed%% *}" != installed ]; then
      if [ "$floor" = - ] && command -v "$name" > /dev/null; then continue; fi
      echo "$name"
    elif [ "$floor" != - ] && dpkg --compare-versions "${installed#* }" lt "$floor"; then
      echo "$name"
    fi
  done < "$clone/scripts/packages.txt"
}

# install_packages VERB ...
install_packages() {
  local missing admin=() conf=/etc/postgresql-common/createcluster.conf quiet=
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} = 0 ]; then
    echo "every package is installed"
    return
  fi
  command -v apt-get > /dev/null || fail "this is not Debian: apt-get is missing" \
    "Install by hand what scripts/packages.txt lists."
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || fail "packages are missing (${missing[*]}) and there is no sudo" \
      "Run as root: apt-get install ${missing[*]}"
    admin=(sudo)
  fi
  # Debian starts a cluster of its own when PostgreSQL arrives. On a machine that had none, nobody asked
  # for one: it is switched off for the installation, and the file is Debian's own again afterwards.
  if ! dpkg-query -W -f '${db:Status-Status}' postgresql-common 2> /dev/null | grep -qx installed && [ ! -e "$conf" ]; then
    "${admin[@]}" mkdir -p "$(dirname "$conf")"
    echo "create_main_cluster = false" | "${admin[@]}" tee "$conf" > /dev/null
    quiet=yes
  fi
  "${admin[@]}" dpkg --configure -a  # when an earlier installation was interrupted
  "${admin[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update
  (
    # Some bring a service that starts at once, on port 80 for one (nginx): nobody asked this machine for it.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap '"${admin[@]}" rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' | "${admin[@]}" tee "$policy" > /dev/null
      "${admin[@]}" chmod 0755 "$policy"
    fi
    "${admin[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
      -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install "${missing[@]}"
  )
  if [ -n "$quiet" ]; then
    "${admin[@]}" rm -f "$conf.ucf-dist"
    "${admin[@]}" cp /usr/share/postgresql-common/createcluster.conf "$conf"
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} = 0 ] || fail "the package mirror has no version that will do of: ${missing[*]}" \
    "Add Debian's security updates (bookworm-security) to the package sources; scripts/packages.txt has the versions."
}
