#!/usr/bin/env bash
# The browser of the page's tests: Debian's Chromium. Installed where that needs nobody's password;
# elsewhere one line says what is missing, and those tests are skipped (never with CI set).
set -uo pipefail
PACKAGES='chromium fonts-liberation'
BY_HAND="sudo apt-get install --no-install-recommends $PACKAGES"
[ -x /usr/bin/chromium ] && exit 0
say() { printf 'browser: %s\n' "$*"; }

if ! command -v apt-get >/dev/null; then
  say "there is no /usr/bin/chromium and no apt-get here: the page's tests are skipped"
  exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
  AS_ROOT=()
elif sudo -n true 2>/dev/null; then
  AS_ROOT=(sudo -n)
else
  say "there is no Chromium, and it may not be installed here: the page's tests are skipped. Run: $BY_HAND"
  exit 0
fi
say "installing $PACKAGES for the page's tests: about 420 MB, half a minute"
log=$(mktemp)
# shellcheck disable=SC2086  # the packages are words
if "${AS_ROOT[@]}" apt-get update >"$log" 2>&1 &&
   "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $PACKAGES >>"$log" 2>&1 &&
   [ -x /usr/bin/chromium ]; then
  rm -f "$log"
else
  tail -n 3 "$log"
  say "Chromium could not be installed (above; all of it in $log): the page's tests are skipped. Run: $BY_HAND"
fi
exit 0
