#!/usr/bin/env bash
# environment.sh FOLDER SECONDS PACKAGE... [-- PACKAGE...]: prints a Python that imports the first packages, and perhaps those behind --.
#
# It is python3 where that imports the first ones; else that of FOLDER, an environment which is made there with the versions of
# versions.txt, in SECONDS at most. Where none can be made this ends with 1, and pip or Python has said why on standard error.
set -euo pipefail
folder=$1 seconds=$2
shift 2
needed=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do needed+=("$1"); shift; done
here=$(dirname "$0")

imports() {  # PYTHON PACKAGE...: ends with 1 where one of the packages cannot be imported; the reason is on standard error
  local python=$1
  shift
  "$python" - "${@/#pillow/PIL}" <<'END'
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        sys.exit(f"environment: {name} cannot be imported: {error}")
END
}

install() {  # SECONDS PACKAGE...
  timeout "$1" "$folder/bin/python" -m pip install --quiet --retries 1 --constraint "$here/versions.txt" "${@:2}" >&2
}

# torchvision is built for CUDA, and PyTorch need not be.
mend_torchvision() {
  local site
  site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  [ -d "$site/torchvision" ] && ! imports "$python" torchvision 2>/dev/null || return 0
  cp "$here/torchvision_for_cpus.py" "$site/"
  echo "import torchvision_for_cpus" > "$site/torchvision_for_cpus.pth"
}

if imports python3 "${needed[@]}" 2>/dev/null; then
  echo python3
  exit
fi
python=$folder/bin/python
[ -x "$python" ] || python3 -m venv "$folder" >&2
if ! imports "$python" "${needed[@]}" 2>/dev/null; then
  install "$seconds" "${needed[@]}"
  mend_torchvision
  imports "$python" "${needed[@]}"
fi
for package in "${@:2}"; do
  imports "$python" "$package" 2>/dev/null || install "$seconds" "$package" || echo "environment: $package is left out" >&2
done
echo "$python"
