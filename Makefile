# `make demo` shows what the package does, `make test` checks it; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-swift setup-format demo test test-engine test-swift test-mpi test-consumer test-report test-interop test-interop-light \
        sanitize sanitize-thread sanitize-thread-swift fuzz bench format check-format clean

# Debian's and Ubuntu's names; libomp is the OpenMP runtime of Swift's clang, and g++ brings its own.
PACKAGES = g++ cmake ninja-build pkg-config libeigen3-dev libomp-dev libjpeg-dev libpng-dev zlib1g-dev libwebp-dev libtiff-dev \
           libgif-dev liblinear-dev nlohmann-json3-dev doctest-dev locales
CLANG_FORMAT = clang-format-14
# Flags of every debug build: .ci/run asks for less debug information, which compiles faster.
SWIFT_FLAGS ?=
C_FILES = git ls-files --cached --others --exclude-standard '*.c' '*.cpp' '*.h'
SWIFT_FILES = git ls-files --cached --others --exclude-standard '*.swift'

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# install-packages,NAMES: what is missing of them, through apt; says what it does, does nothing when all are there.
define install-packages
	@missing=(); \
	for package in $(1); do \
	  dpkg-query -W -f '$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$$package"); \
	done; \
	[ $${#missing[@]} -eq 0 ] && exit 0; \
	command -v apt-get >/dev/null || { echo "setup: install these by hand, there is no apt-get: $${missing[*]}" >&2; exit 1; }; \
	sudo=; [ "$$(id -u)" -eq 0 ] || sudo=sudo; \
	echo "setup: installing $${missing[*]}: $$sudo apt-get install"; \
	$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$${missing[@]}"
endef

setup:  ## Install the libraries that the build needs (apt; sudo only when not root)
	$(call install-packages,$(PACKAGES))

setup-swift: setup
	@command -v swift >/dev/null || { echo "setup: no swift found; 6.2 or later is needed: https://www.swift.org/install/linux" >&2; exit 1; }

setup-format:
	$(call install-packages,$(CLANG_FORMAT))

demo: setup-swift  ## Build, then learn from rendered images and measure it, in some minutes
	swift build -c release --product trainer
	"$$(swift build -c release --show-bin-path)/trainer" demo

test: setup-swift test-engine test-mpi test-consumer test-report test-swift  ## Build and run every test

test-engine: setup  ## The C++ and C tests, on each instruction set that this machine has
	cmake -S . -B build -G Ninja -DSWAV_TEST_SANITIZED=OFF
	cmake --build build
	ctest --test-dir build --output-on-failure -j 2

test-swift: setup-swift  ## The Swift tests; those of several processes are test-mpi's
	swift test $(SWIFT_FLAGS) --skip RanksTests

# One host with few cores stands for several: more ranks than cores, bound to none, and messages without the rights that a
# container takes away.
MPIRUN = OMPI_MCA_btl_vader_single_copy_mechanism=none OMP_WAIT_POLICY=passive mpirun --allow-run-as-root --oversubscribe \
         --bind-to none
test-mpi: setup-swift  ## Several processes over Open MPI: parity with PyTorch on two ranks, runs that are stopped, killed and resumed
	$(call install-packages,openmpi-bin)
	cmake -S . -B build -G Ninja
	cmake --build build --target engine_tests
	$(MPIRUN) -n 2 build/Tests/Engine/engine_tests --no-version --test-case='*equals PyTorch over ten steps: LARC*'
	swift test $(SWIFT_FLAGS) --filter RanksTests

test-consumer: setup-swift test-engine  ## Programs that depend on this package by a version: Swift, CMake, pkg-config
	Tests/Scripts/consumer_test.sh build

test-report: setup-swift  ## The pages of runs and of explore in headless Chromium, at three widths, light and dark; skipped where there is none
	swift build $(SWIFT_FLAGS) --product trainer
	Tests/Scripts/report_test.py "$$(swift build --show-bin-path)/trainer"

# INTEROP_PYTHON, or python3 where it has the packages, else an environment in build/interop with the versions of
# Tests/Interop/versions.txt: pip takes them from where it is configured to (a PyTorch for CPUs alone is a tenth of the other).
# INTEROP_WIDE=1 adds the wide networks: some minutes, 12 GiB of memory.
INTEROP_PYTHON =
INTEROP_WIDE =
INTEROP_TESTS =
SWAV_TEST_DATA ?= ../shared/data
test-interop: setup-swift  ## What others write is read here, and what is written here by others: PyTorch, timm, ONNX Runtime, OpenVINO
	$(call install-packages,python3-venv)
	swift build $(SWIFT_FLAGS) --product trainer
	cmake -S . -B build -G Ninja
	cmake --build build --target swav
	cmake --install build --prefix build/interop/prefix > /dev/null
	@python="$(INTEROP_PYTHON)"; \
	[ -n "$$python" ] || python=$$(Tests/Interop/environment.sh build/interop/python 600 \
	  torch torchvision timm safetensors pillow numpy -- onnx onnxruntime openvino) || \
	  { echo "test-interop: left out: no PyTorch can be installed here" >&2; exit 0; }; \
	"$$python" Tests/Interop/interop.py --trainer "$$(swift build --show-bin-path)/trainer" --prefix build/interop/prefix \
	  --photos "$(SWAV_TEST_DATA)" $(if $(INTEROP_WIDE),--wide) $(INTEROP_TESTS)

test-interop-light: setup-swift  ## The part of test-interop that needs no PyTorch and takes seconds: exports in ONNX Runtime
	$(call install-packages,python3-venv)
	swift build $(SWIFT_FLAGS) --product trainer
	@python="$(INTEROP_PYTHON)"; \
	[ -n "$$python" ] || python=$$(Tests/Interop/environment.sh build/interop/light 60 numpy safetensors onnxruntime) || \
	  { echo "test-interop-light: left out: ONNX Runtime cannot be installed here" >&2; exit 0; }; \
	"$$python" Tests/Interop/light.py --trainer "$$(swift build --show-bin-path)/trainer"

# The first runs every test, the others those of kernels.
SANITIZED_ISAS = avx512;avx2;baseline
sanitize: setup  ## The C++ and C tests with the engine under AddressSanitizer and UndefinedBehaviorSanitizer
	cmake -S . -B build -G Ninja -DSWAV_TEST_SANITIZED=ON "-DSWAV_SANITIZED_ISAS=$(SANITIZED_ISAS)"
	cmake --build build
	ASAN_OPTIONS=quarantine_size_mb=64 UBSAN_OPTIONS=print_stacktrace=1 \
	  ctest --test-dir build --output-on-failure -j 2 -L sanitized

# ThreadSanitizer wants its addresses unrandomised; some containers do not let that be turned off.
WITHOUT_ASLR = $(shell setarch -R true 2>/dev/null && echo setarch -R)
sanitize-thread: setup  ## The C++ tests that use threads, under ThreadSanitizer
	cmake -S . -B build/sanitize-thread -G Ninja -DCMAKE_BUILD_TYPE=None -DSWAV_SANITIZE=thread -DSWAV_TEST_ISAS=avx2
	cmake --build build/sanitize-thread
	TSAN_OPTIONS=halt_on_error=1 $(WITHOUT_ASLR) ctest --test-dir build/sanitize-thread --output-on-failure -j 2

THREADED_SWIFT = SwAVModelTests|SwAVDataTests|SwAVEvaluationTests|DataFactsTests|PretrainingRunTests|RunLengthTests|ValidationTests
SANITIZED_SWIFT = --sanitize=thread --scratch-path .build/sanitize-thread
sanitize-thread-swift: setup-swift  ## The Swift tests that use threads, under ThreadSanitizer; its build alone takes more than ten minutes
	swift build --build-tests $(SANITIZED_SWIFT)
	@mkdir -p build
	clang -O1 -Wall -Wextra -fPIC -shared -o build/mutex_for_thread_sanitizer.so Tests/Scripts/mutex_for_thread_sanitizer.c
	LD_PRELOAD=$(CURDIR)/build/mutex_for_thread_sanitizer.so TSAN_OPTIONS=halt_on_error=1 OMP_WAIT_POLICY=passive $(WITHOUT_ASLR) \
	  swift test --skip-build $(SANITIZED_SWIFT) --filter '$(THREADED_SWIFT)'

# The readers of sources are Swift: swiftc compiles them together with the harness, so that all of them are instrumented. Two
# fuzzers run at a time; what one prints goes to build/fuzz/NAME.log, and is shown when it found something.
FUZZ_SECONDS = 300
SWIFT_FUZZ = swiftc -O -g -swift-version 6 -package-name swav -module-name Fuzzer -parse-as-library -sanitize=fuzzer,address -use-ld=lld
SWIFT_FUZZED = $(addprefix Sources/SwAVData/, Sources/DataError.swift Sources/FolderListing.swift Sources/FolderScan.swift \
  Sources/ImageSource.swift Sources/PackedFiles.swift Sources/SourceRemark.swift Lists/*.swift Archives/*.swift Index/*.swift \
  Reading/FileBytes.swift Reading/ImageFiles.swift Reading/FileStamps.swift)
define FUZZERS
tar 16384 Tests/Fixtures/archives
list 1024 Tests/Fuzz/lists
decode 65536 Tests/Fixtures/image/formats Tests/Fixtures/image/found
weights 65536 Tests/Fixtures/torch
endef
export FUZZERS
fuzz: setup-swift  ## Feed damaged images, archives, lists and weights to their readers for FUZZ_SECONDS each, under sanitizers
	CC=clang CXX=clang++ cmake -S . -B build/fuzz -G Ninja -DSWAV_BUILD_FUZZERS=ON
	cmake --build build/fuzz
	ln -sf Tests/Fuzz/decode_fuzzer Tests/Fuzz/weights_fuzzer build/fuzz/
	printf '%s\n' tar list | xargs -P 2 -I{} $(SWIFT_FUZZ) -o build/fuzz/{}_fuzzer $(SWIFT_FUZZED) Tests/Fuzz/{}_fuzzer.swift
	echo "$$FUZZERS" | xargs -P 2 -L 1 Tests/Scripts/fuzz.sh $(FUZZ_SECONDS)

# A Python with torch; without one, `make bench` makes an environment of its own in build/bench.
BENCH_PYTHON =
TORCH = torch
BENCH_FLAGS =
bench: setup-swift  ## Time training steps, features and codes, beside PyTorch where it can be installed
	swift build -c release --product trainer
	@mkdir -p build/bench; python="$(BENCH_PYTHON)"; \
	if [ -z "$$python" ]; then \
	  python=build/bench/torch/bin/python; \
	  "$$python" -c 'import torch' 2>/dev/null || { python3 -m venv build/bench/torch && \
	    "$$python" -m pip install -q $(TORCH); } || { echo "bench: no PyTorch: our figures alone" >&2; python=; }; \
	fi; \
	Tests/Benchmarks/compare.py --trainer "$$(swift build -c release --show-bin-path)/trainer" $${python:+--python "$$python"} \
	  $(BENCH_FLAGS) --output build/bench/table.md

format: setup-format  ## Lay out all code
	$(SWIFT_FILES) | xargs swift format format --in-place
	$(C_FILES) | xargs $(CLANG_FORMAT) -i

check-format: setup-format  ## Fail where `make format` would change something
	$(SWIFT_FILES) | xargs swift format lint --strict --parallel
	$(C_FILES) | xargs -n 32 -P 2 $(CLANG_FORMAT) --dry-run --Werror

clean:  ## Remove what was built
	rm -rf build .build
