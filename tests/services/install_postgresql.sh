#!/bin/sh
# Installs PostgreSQL from Debian's packages where its programs are missing. No service of the system is needed: the
# tests start a server of their own.
set -eu

if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "The tests of services need PostgreSQL, whose initdb is neither on PATH nor in /usr/lib/postgresql, and there is" >&2
  echo "no apt-get to install it with. Install PostgreSQL by your system's means and put initdb and postgres on PATH." >&2
  exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
  as_root=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
  as_root=sudo
else
  echo "The tests of services need PostgreSQL, and installing it needs root or sudo, neither of which is at hand here." >&2
  echo "Run once, as root:  apt-get install postgresql" >&2
  exit 1
fi
echo "Installing PostgreSQL from Debian's packages"
$as_root apt-get -qq update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install postgresql >/dev/null
