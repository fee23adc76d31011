// Images a second of processor time: decode once, then every crop. Not run by ctest.
//   bench_data FOLDER|FILE.tar [--crops 2x224+6x96] [--limit N] [--rounds R] [--precision exact|fast|compare]
// compare: how far the fast path is from the exact one over whole chains, reduced decoding included, in levels of 255.
#include <algorithm>
#include <cmath>
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

// Memory for the crops of one image.
struct Crops {
  std::vector<std::vector<float>> pixels;
  std::vector<float*> outputs;

  explicit Crops(const swav_recipe& recipe) {
    for (int v = 0; v < swav::image::crop_count(recipe); ++v) {
      const size_t side = size_t(swav::image::group_of(recipe, v).size);
      pixels.emplace_back(side * side * 3);
    }
    for (auto& crop : pixels) outputs.push_back(crop.data());
  }
  void make(const std::vector<uint8_t>& file, const swav_recipe& recipe, uint64_t epoch, uint64_t sample) {
    swav::image::multicrop(file.data(), file.size(), swav::image::default_decode_options(), recipe, 1, epoch, sample,
                           outputs.data());
  }
};

void compare(const std::vector<std::vector<uint8_t>>& files, swav_recipe recipe) {
  constexpr int bins_a_level = 64;
  std::vector<int64_t> histogram(256 * bins_a_level);
  Crops fast(recipe), exact(recipe);
  double sum = 0;
  int64_t count = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    recipe.precision = SWAV_PRECISION_FAST;
    fast.make(files[i], recipe, 0, i);
    recipe.precision = SWAV_PRECISION_EXACT;
    exact.make(files[i], recipe, 0, i);
    for (size_t v = 0; v < fast.pixels.size(); ++v) {
      for (size_t at = 0; at < fast.pixels[v].size(); ++at) {
        const double levels =
            std::abs(double(fast.pixels[v][at]) - double(exact.pixels[v][at])) * double(recipe.std[at % 3]) * 255;
        sum += levels;
        ++count;
        ++histogram[size_t(std::min(255.99, levels) * bins_a_level)];
      }
    }
  }
  const auto percentile = [&](double share) {
    int64_t below = 0;
    size_t bin = 0;
    while (bin + 1 < histogram.size() && double(below += histogram[bin]) < share * double(count)) ++bin;
    return double(bin) / bins_a_level;
  };
  std::printf("%zu images, %lld samples: mean %.4f levels, 99.9th percentile %.2f, 99.99th %.2f\n", files.size(),
              static_cast<long long>(count), sum / double(count), percentile(0.999), percentile(0.9999));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return std::fprintf(stderr, "usage: bench_data FOLDER|FILE.tar [--crops 2x224+6x96] [--limit N] [--rounds R]\n"), 2;
  swav_recipe recipe = swav::image::default_recipe();
  size_t limit = 200;
  int rounds = 3;
  bool compares = false;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--crops")) set_crops(recipe, argv[i + 1]);
    if (!std::strcmp(argv[i], "--limit")) limit = std::strtoul(argv[i + 1], nullptr, 10);
    if (!std::strcmp(argv[i], "--rounds")) rounds = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--precision")) compares = !std::strcmp(argv[i + 1], "compare");
    if (!std::strcmp(argv[i], "--precision"))
      recipe.precision = std::strcmp(argv[i + 1], "exact") ? SWAV_PRECISION_FAST : SWAV_PRECISION_EXACT;
  }
  const auto files = load(argv[1], limit);
  if (compares) return compare(files, recipe), 0;
  Crops crops(recipe);
  swav::image::Image image;
  for (int round = 0; round < rounds; ++round) {
    const double decoding = seconds([&] {
      for (const auto& file : files)
        swav::image::decode(file.data(), file.size(), swav::image::default_decode_options(), image);
    });
    const double all = seconds([&] {
      for (size_t i = 0; i < files.size(); ++i) {
        crops.make(files[i], recipe, uint64_t(round), i);
      }
    });
    std::printf("%zu images: decode alone %.0f images/s, decode and %zu crops %.1f images/s\n", files.size(),
                double(files.size()) / decoding, crops.outputs.size(), double(files.size()) / all);
  }
}
