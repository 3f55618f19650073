#!/usr/bin/env bash
# Prints where the tests put their clusters: in memory, if there is much and programs may be run from there, otherwise /tmp.
# A cluster is a thousand files, made and removed within seconds, which some file systems are slow at.
set -euo pipefail
enough=$((8 << 20))  # kB
if [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt "$enough" ] &&
  [ "$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)" -gt "$enough" ] &&
  ! findmnt -no OPTIONS /dev/shm | grep -qw noexec; then
  echo /dev/shm
else
  echo /tmp
fi
