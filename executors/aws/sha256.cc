#include "executors/aws/sha256.h"

#include <array>
#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace tuner::executors::aws {
namespace {

struct CloseHashed {
  void operator()(FILE* file) const { fclose(file); }
};

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void Sha256::Add(absl::string_view data) { EVP_DigestUpdate(context_.get(), data.data(), data.size()); }

std::string Sha256::Hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

std::string HexSha256(absl::string_view data) {
  Sha256 hash;
  hash.Add(data);
  return hash.Hex();
}

absl::StatusOr<std::string> HexSha256OfFile(const std::string& path) {
  const std::unique_ptr<FILE, CloseHashed> file(fopen(path.c_str(), "rbe"));
  if (file == nullptr) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  Sha256 hash;
  std::string buffer(1 << 18, '\0');
  while (const size_t size = fread(buffer.data(), 1, buffer.size(), file.get())) {
    hash.Add(absl::string_view(buffer.data(), size));
  }
  if (ferror(file.get())) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  return hash.Hex();
}

}  // namespace tuner::executors::aws
