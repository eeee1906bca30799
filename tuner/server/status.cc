#include "tuner/server/status.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tuner::server {
namespace {

// gRPC refuses trailing metadata over 8 KiB; the message is percent-encoded in it, so that a byte may take three.
constexpr size_t kMaxEncodedMessage = 6000;

size_t EncodedSize(unsigned char byte) { return byte >= 0x20 && byte <= 0x7e && byte != '%' ? 1 : 3; }

size_t EncodedSize(absl::string_view text) {
  size_t size = 0;
  for (const char byte : text) size += EncodedSize(static_cast<unsigned char>(byte));
  return size;
}

std::string Shortened(absl::string_view text) {
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    size += EncodedSize(static_cast<unsigned char>(text[i]));
    if (size <= kMaxEncodedMessage) continue;
    while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) --i;  // not inside of a character
    return absl::StrCat(text.substr(0, i), " ...");
  }
  return std::string(text);
}

std::string Line(const core::Problem& problem) {
  return problem.path.empty() ? problem.text : absl::StrCat(problem.path, ": ", problem.text);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), Shortened(status.message()));
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

}  // namespace tuner::server
