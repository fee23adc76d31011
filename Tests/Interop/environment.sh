#!/usr/bin/env bash
# environment.sh FOLDER SECONDS PACKAGE... [-- PACKAGE...]: prints a Python that has the first packages, and perhaps those behind --.
#
# It is python3 where that has the first ones; else that of FOLDER, an environment which is made there with the versions of
# versions.txt, in SECONDS at most. Where none can be made this ends with 1, and pip has said why on standard error.
set -euo pipefail
folder=$1 seconds=$2
shift 2
needed=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do needed+=("$1"); shift; done
here=$(dirname "$0")

has() {  # PYTHON PACKAGE...
  local python=$1
  shift
  "$python" - "${@/#pillow/PIL}" 2>/dev/null <<'END'
import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) is None for name in sys.argv[1:]))
END
}

install() {  # SECONDS PACKAGE...
  timeout "$1" "$folder/bin/python" -m pip install --quiet --retries 1 --constraint "$here/versions.txt" "${@:2}" >&2
}

if has python3 "${needed[@]}"; then
  echo python3
  exit
fi
python=$folder/bin/python
[ -x "$python" ] || python3 -m venv "$folder" >&2
has "$python" "${needed[@]}" || install "$seconds" "${needed[@]}"
for package in "${@:2}"; do
  has "$python" "$package" || install "$seconds" "$package" || echo "environment: $package is left out" >&2
done
echo "$python"
