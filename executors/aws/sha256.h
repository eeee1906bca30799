// SHA-256, in lower-case hexadecimal digits as AWS wants it.
//
// Threads: each object is for one. Errors: as each function says.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tuner::executors::aws {

class Sha256 {
 public:
  Sha256();
  void Add(absl::string_view data);
  // Once, after which nothing can be added.
  std::string Hex();

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string HexSha256(absl::string_view data);
// Of a whole file. INVALID_ARGUMENT: it cannot be read.
absl::StatusOr<std::string> HexSha256OfFile(const std::string& path);

}  // namespace tuner::executors::aws
