// Images a second of processor time: decode once, then every crop. Not run by ctest.
//   bench_data FOLDER|FILE.tar [--crops 2x224+6x96] [--limit N] [--rounds R] [--precision exact|fast]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "image/crop.h"
#include "image/plan.h"
#define SWAV_FIXTURES "."
#include "test_data.h"

namespace {

std::vector<std::vector<uint8_t>> load(const std::string& path, size_t limit) {
  std::vector<std::vector<uint8_t>> files;
  if (path.size() > 4 && path.substr(path.size() - 4) == ".tar") {
    for (auto& [name, bytes] : test_data::read_tar(path)) files.push_back(std::move(bytes));
  } else {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) names.push_back(entry.path().string());
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) files.push_back(test_data::read_file(name));
  }
  // Every n-th, so that all classes take part.
  std::vector<std::vector<uint8_t>> chosen;
  const size_t step = std::max<size_t>(1, files.size() / limit);
  for (size_t i = 0; i < files.size() && chosen.size() < limit; i += step) chosen.push_back(std::move(files[i]));
  return chosen;
}

// "2x224+6x96", area fractions as published for two groups.
void set_crops(swav_recipe& recipe, const char* text) {
  recipe.group_count = 0;
  while (*text) {
    char* end;
    const int count = int(std::strtol(text, &end, 10)), size = int(std::strtol(end + 1, &end, 10));
    const bool first = recipe.group_count == 0;
    recipe.groups[recipe.group_count++] = {count, size, first ? 0.14f : 0.05f, first ? 1.0f : 0.14f};
    text = *end == '+' ? end + 1 : end;
  }
}

// Processor time of this thread, so that other work on the machine counts as little as possible.
double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

template <class F>
double seconds(F&& body) {
  const double start = now();
  body();
  return now() - start;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return std::fprintf(stderr, "usage: bench_data FOLDER|FILE.tar [--crops 2x224+6x96] [--limit N] [--rounds R]\n"), 2;
  swav_recipe recipe = swav::image::default_recipe();
  size_t limit = 200;
  int rounds = 3;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--crops")) set_crops(recipe, argv[i + 1]);
    if (!std::strcmp(argv[i], "--limit")) limit = std::strtoul(argv[i + 1], nullptr, 10);
    if (!std::strcmp(argv[i], "--rounds")) rounds = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--precision"))
      recipe.precision = std::strcmp(argv[i + 1], "exact") ? SWAV_PRECISION_FAST : SWAV_PRECISION_EXACT;
  }
  const auto files = load(argv[1], limit);
  std::vector<std::vector<float>> crops;
  std::vector<float*> outputs;
  for (int g = 0; g < recipe.group_count; ++g) {
    for (int v = 0; v < recipe.groups[g].count; ++v)
      crops.emplace_back(size_t(recipe.groups[g].size) * recipe.groups[g].size * 3);
  }
  for (auto& crop : crops) outputs.push_back(crop.data());
  swav::image::Image image;
  for (int round = 0; round < rounds; ++round) {
    const double decoding = seconds([&] {
      for (const auto& file : files)
        swav::image::decode(file.data(), file.size(), swav::image::default_decode_options(), image);
    });
    const double all = seconds([&] {
      for (size_t i = 0; i < files.size(); ++i) {
        swav::image::multicrop(files[i].data(), files[i].size(), swav::image::default_decode_options(), recipe, 1,
                               uint64_t(round), i, outputs.data());
      }
    });
    std::printf("%zu images: decode alone %.0f images/s, decode and %zu crops %.1f images/s\n", files.size(),
                double(files.size()) / decoding, crops.size(), double(files.size()) / all);
  }
}
