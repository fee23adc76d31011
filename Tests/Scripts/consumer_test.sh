#!/usr/bin/env bash
# Builds the programs of Tests/Consumer as other packages would, and runs them.
#   consumer_test.sh BUILD    BUILD: a CMake build folder of this package, built
#
# Swift: from a git repository with a tag, made of the files as they are now. C: from an installation of BUILD, by CMake's
# find_package and by pkg-config; Rust and Python, where they are, from the same. All embed the same image with the same weights and must print the same 128 numbers.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "consumer test: $*" >&2
  exit 1
}

version=$(sed -n 's/^#define SWAV_VERSION \([0-9]*\).*/\1/p' include/swav.h)
tag=$((version / 10000)).$((version / 100 % 100)).$((version % 100))
mkdir "$work/swav"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar -c --null -T - | tar -x -C "$work/swav"
as_somebody=(-c user.name=somebody -c user.email=somebody@example.org)
git -C "$work/swav" init -q -b main
git -C "$work/swav" add -A
git -C "$work/swav" "${as_somebody[@]}" commit -q -m "version $tag"
git -C "$work/swav" "${as_somebody[@]}" tag "$tag"

awk '/^```swift$/ { code = ""; inside = 1; next } /^```$/ { if (code ~ /import SwAV/) printf "%s", code; code = ""; inside = 0 }
     inside { code = code $0 "\n" }' README.md | diff - Tests/Consumer/Sources/embed/main.swift ||
  fail "the program in README.md is not Tests/Consumer/Sources/embed/main.swift"

echo "consumer test: Swift package that depends on version $tag"
cp -r Tests/Consumer "$work/consumer"
export SWAV_REPOSITORY="file://$work/swav"
# The engine compiles faster so, and these programs compute for a moment.
swift build --package-path "$work/consumer" -Xcxx -O1 -Xcxx -g0 -Xswiftc -gnone
programs=$(swift build --package-path "$work/consumer" --show-bin-path)
image=$PWD/Tests/Fixtures/image/formats/baseline_420.jpg
"$programs/train" "$work/run" | tee "$work/train.txt"
grep -q '^step 16: loss [0-9.]*$' "$work/train.txt" || fail "train did not report its last step, 16"
grep -q '^cancelled after step 1$' "$work/train.txt" || fail "train did not report that it was cancelled"
weights=$work/run/weights.safetensors
"$programs/embed" "$weights" "$image" > "$work/swift.txt"

echo "consumer test: C program by find_package"
cmake --install "$build" --prefix "$work/prefix" > /dev/null
cmake -S Tests/Consumer/c -B "$work/c" -DCMAKE_PREFIX_PATH="$work/prefix" > /dev/null
cmake --build "$work/c" > /dev/null
"$work/c/embed" "$weights" "$image" > "$work/cmake.txt"

echo "consumer test: C program by pkg-config"
pc=$(dirname "$(find "$work/prefix" -name swav.pc)")
read -r -a flags <<< "$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs swav)"
cc -std=c11 -Wall -Wextra -pedantic -Werror Tests/Consumer/c/embed.c -o "$work/embed" "${flags[@]}" -Wl,-rpath,"$(dirname "$pc")"
"$work/embed" "$weights" "$image" > "$work/pkgconfig.txt"

others=(cmake pkgconfig)
if command -v cargo > /dev/null; then
  echo "consumer test: Rust program by pkg-config"
  PKG_CONFIG_PATH=$pc cargo build --quiet --offline --manifest-path "$work/consumer/rust/Cargo.toml" --target-dir "$work/rust"
  "$work/rust/debug/embed" "$weights" "$image" > "$work/rust.txt"
  others+=(rust)
else
  echo "consumer test: no cargo here, the program in Rust is left out"
fi
if python3 -c 'import numpy' 2> /dev/null; then
  echo "consumer test: Python module"
  python3 Tests/Consumer/python/test_swav.py "$work/prefix" "$weights" "$image"
else
  echo "consumer test: no numpy here, the module for Python is left out (make test-interop has it)"
fi

# Unit norm to 1e-5: 128 squares, each within 2 eps. Two compilers may round sums of some thousand terms differently: 1e-4.
check='
  FNR == NR { first[FNR] = $1; norm += $1 * $1; next }
  { d = $1 - first[FNR]; if (d > 1e-4 || d < -1e-4) { print "number " FNR " is " $1 " and not " first[FNR]; bad = 1 } }
  END {
    if (FNR != 128) { print FNR " numbers and not 128"; bad = 1 }
    if (norm < 0.99999 || norm > 1.00001) { print "the squared norm is " norm " and not 1"; bad = 1 }
    exit bad
  }'
for other in "${others[@]}"; do
  awk "$check" "$work/swift.txt" "$work/$other.txt" || fail "embeddings of swift and $other differ"
done

if "$work/embed" "$image" "$image" 2> "$work/errors.txt"; then fail "an image was taken for weights"; fi
[ "$(wc -l < "$work/errors.txt")" = 1 ] || fail "an error is more than one line: $(cat "$work/errors.txt")"
echo "consumer test: passed"
