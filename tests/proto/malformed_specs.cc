#include "tests/proto/malformed_specs.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <set>

#include "yaml-cpp/yaml.h"

namespace tuner::testing {
namespace {

// "@12@" -> twelve letters.
std::string ExpandLetters(std::string text) {
  for (size_t start = text.find('@'); start != std::string::npos; start = text.find('@', start + 1)) {
    const size_t end = text.find('@', start + 1);
    if (end == std::string::npos) break;
    const std::string letters(std::stoul(text.substr(start + 1, end - start - 1)), 'a');
    text.replace(start, end - start + 1, letters);
  }
  return text;
}

// "%repeat 2 - x#" -> "- x0", "- x1".
std::string ExpandLine(const std::string& line) {
  const std::string keyword = "%repeat ";
  if (!line.starts_with(keyword)) return line + "\n";
  size_t digits = 0;
  const unsigned long count = std::stoul(line.substr(keyword.size()), &digits);
  const std::string pattern = line.substr(keyword.size() + digits + 1);
  std::string result;
  for (unsigned long i = 0; i < count; ++i) {
    std::string item = pattern;
    for (size_t at = item.find('#'); at != std::string::npos; at = item.find('#'))
      item.replace(at, 1, std::to_string(i));
    result += item + "\n";
  }
  return result;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

// The name of the field that begins on the line, or "".
std::string FieldOf(const std::string& line) {
  const size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
  return end != std::string::npos && end > 0 && line[end] == ':' ? line.substr(0, end) : "";
}

// `base` without the fields that `change` has, and `change` behind it.
std::string Combine(const std::string& base, const std::string& change) {
  std::set<std::string> replaced;
  for (const std::string& line : Lines(change)) replaced.insert(FieldOf(line));
  std::string result;
  bool is_kept = true;
  for (const std::string& line : Lines(base)) {
    if (const std::string field = FieldOf(line); !field.empty()) is_kept = !replaced.contains(field);
    if (is_kept) result += line + "\n";
  }
  for (const std::string& line : Lines(change)) result += ExpandLine(ExpandLetters(line));
  return result;
}

YAML::Node LoadTable() {
  try {
    return YAML::LoadFile(TUNER_MALFORMED_SPECS);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", TUNER_MALFORMED_SPECS, error.what());
    std::exit(2);
  }
}

}  // namespace

std::vector<MalformedSpec> LoadMalformedSpecs() {
  const YAML::Node table = LoadTable();
  std::vector<MalformedSpec> specs;
  for (const YAML::Node& entry : table["specs"]) {
    MalformedSpec spec;
    spec.name = entry["name"].as<std::string>();
    spec.yaml = Combine(table["base"].as<std::string>(), entry["change"].as<std::string>());
    for (const YAML::Node& path : entry["paths"]) spec.paths.push_back(ExpandLetters(path.as<std::string>()));
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::string WellFormedSpecYaml() { return LoadTable()["base"].as<std::string>(); }

}  // namespace tuner::testing
