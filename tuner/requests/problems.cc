#include "tuner/requests/problems.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace tuner::requests {
namespace {

size_t EncodedSize(unsigned char byte) { return byte >= 0x20 && byte <= 0x7e && byte != '%' ? 1 : 3; }

std::string Line(const core::Problem& problem) {
  return problem.path.empty() ? problem.text : absl::StrCat(problem.path, ": ", problem.text);
}

}  // namespace

size_t EncodedSize(absl::string_view text) {
  size_t size = 0;
  for (const char byte : text) size += EncodedSize(static_cast<unsigned char>(byte));
  return size;
}

absl::Status InvalidArgument(const core::Problems& problems) {
  if (problems.empty()) return absl::OkStatus();
  constexpr size_t kMaxTexts = 3500;  // leaves room for the paths of the others
  std::string message;
  size_t size = 0;
  size_t next = 0;
  for (; next < problems.size(); ++next) {
    const std::string line = Line(problems[next]);
    const size_t line_size = EncodedSize(line) + 3;
    if (next > 0 && size + line_size > kMaxTexts) break;
    absl::StrAppend(&message, next == 0 ? "" : "\n", line);
    size += line_size;
  }
  if (next < problems.size()) {
    absl::StrAppend(&message, "\nalso wrong (", problems.size() - next, " more): ");
    for (size_t i = next; i < problems.size(); ++i) {
      absl::StrAppend(&message, i == next ? "" : ", ", problems[i].path.empty() ? problems[i].text : problems[i].path);
    }
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace tuner::requests
