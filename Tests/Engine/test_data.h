// The image sets that tests read where they are present: $SWAV_TEST_DATA, else ../shared/data beside the project.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace test_data {

inline std::string folder() {
  const char* given = std::getenv("SWAV_TEST_DATA");
  return given ? given : SWAV_FIXTURES "/../../../shared/data";
}

inline std::vector<uint8_t> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Files of a USTAR archive by their name without folders; at most `limit` of them. Empty when the archive is absent.
inline std::map<std::string, std::vector<uint8_t>> read_tar(const std::string& path, size_t limit = SIZE_MAX) {
  std::map<std::string, std::vector<uint8_t>> files;
  std::ifstream archive(path, std::ios::binary);
  char header[512];
  while (files.size() < limit && archive.read(header, 512) && header[0]) {
    const size_t size = std::strtoull(std::string(header + 124, 12).c_str(), nullptr, 8);
    const std::string name(header, strnlen(header, 100));
    std::vector<uint8_t> bytes(size);
    archive.read(reinterpret_cast<char*>(bytes.data()), std::streamsize(size));
    archive.ignore(std::streamsize((512 - size % 512) % 512));
    if (header[156] == '0' || header[156] == 0) files[name.substr(name.rfind('/') + 1)] = std::move(bytes);
  }
  return files;
}

// Rows of a CSV file with a header line; fields may be quoted.
inline std::vector<std::map<std::string, std::string>> read_csv(const std::string& path) {
  std::ifstream file(path);
  const auto fields = [](const std::string& line) {
    std::vector<std::string> out(1);
    bool quoted = false;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '"') {
        if (quoted && i + 1 < line.size() && line[i + 1] == '"') out.back() += line[i++];
        else quoted = !quoted;
      } else if (line[i] == ',' && !quoted) {
        out.emplace_back();
      } else if (line[i] != '\r') {
        out.back() += line[i];
      }
    }
    return out;
  };
  std::vector<std::map<std::string, std::string>> rows;
  std::string line;
  if (!std::getline(file, line)) return rows;
  const std::vector<std::string> names = fields(line);
  while (std::getline(file, line)) {
    const std::vector<std::string> values = fields(line);
    auto& row = rows.emplace_back();
    for (size_t i = 0; i < names.size() && i < values.size(); ++i) row[names[i]] = values[i];
  }
  return rows;
}

// Whether a file is one of those that are read where libheif is installed.
inline bool is_heif(const std::string& path) {
  return path.find(".heic") != std::string::npos || path.find(".avif") != std::string::npos;
}

}  // namespace test_data
