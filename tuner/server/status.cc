#include "tuner/server/status.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tuner/requests/problems.h"

namespace tuner::server {
namespace {

// gRPC refuses trailing metadata over 8 KiB; the message is percent-encoded in it, so that a byte may take three.
constexpr size_t kMaxEncodedMessage = 6000;

std::string Shortened(absl::string_view text) {
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    size += requests::EncodedSize(text.substr(i, 1));
    if (size <= kMaxEncodedMessage) continue;
    while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) --i;  // not inside of a character
    return absl::StrCat(text.substr(0, i), " ...");
  }
  return std::string(text);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), Shortened(status.message()));
}

}  // namespace tuner::server
