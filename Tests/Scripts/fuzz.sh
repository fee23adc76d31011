#!/usr/bin/env bash
# fuzz.sh SECONDS NAME LONGEST CORPUS...: runs build/fuzz/NAME_fuzzer on inputs of at most LONGEST bytes, beginning with CORPUS.
# Its output goes to build/fuzz/NAME.log; the last line of it, or the end of what it found, is printed.
set -euo pipefail
seconds=$1 name=$2 longest=$3
shift 3
mkdir -p "build/fuzz/corpus-$name"
if "build/fuzz/${name}_fuzzer" -timeout=5 -rss_limit_mb=2048 "-artifact_prefix=build/fuzz/$name-" "-max_total_time=$seconds" \
  "-max_len=$longest" "build/fuzz/corpus-$name" "$@" >"build/fuzz/$name.log" 2>&1; then
  echo "$name: $(tail -n 1 "build/fuzz/$name.log")"
else
  tail -n 60 "build/fuzz/$name.log" >&2
  echo "fuzz: $name found something: build/fuzz/$name.log" >&2
  exit 1
fi
