#include "tuner/server/paging.h"

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "tuner/requests/sha256.h"
#include "tuner/server/tokens.h"

namespace tuner::server {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;
constexpr size_t kFingerprintBytes = 6;

std::string Fingerprint(const google::protobuf::Message& request) {
  const std::unique_ptr<google::protobuf::Message> rest(request.New());
  rest->CopyFrom(request);
  for (const char* name : {"page_size", "page_token"}) {
    rest->GetReflection()->ClearField(rest.get(), rest->GetDescriptor()->FindFieldByName(name));
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    rest->SerializeToCodedStream(&coded);
  }
  return requests::Sha256(bytes).substr(0, kFingerprintBytes);
}

}  // namespace

absl::StatusOr<Page> ReadPage(const google::protobuf::Message& request) {
  const google::protobuf::Reflection& reflection = *request.GetReflection();
  const google::protobuf::Descriptor& type = *request.GetDescriptor();
  const int size = reflection.GetInt32(request, type.FindFieldByName("page_size"));
  const std::string token = reflection.GetString(request, type.FindFieldByName("page_token"));
  if (size < 0 || size > kMaxPage) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_size: is ", size, "; use 1 to ", kMaxPage, ", or leave it out for ", kDefaultPage));
  }
  Page page;
  if (size > 0) page.limit = size;
  page.fingerprint = Fingerprint(request);
  if (token.empty()) return page;
  std::string text;
  if (!absl::WebSafeBase64Unescape(token, &text) || text.size() <= kFingerprintBytes) {
    return absl::InvalidArgumentError(
        "page_token: is none that this server gave out; use next_page_token of the page before");
  }
  if (text.compare(0, kFingerprintBytes, page.fingerprint) != 0) {
    return absl::InvalidArgumentError(
        "page_token: belongs to a request with other arguments; keep all but page_size the same");
  }
  page.after = text.substr(kFingerprintBytes);
  return page;
}

std::string NextToken(const Page& page, const std::string& after) {
  return after.empty() ? "" : absl::WebSafeBase64Escape(page.fingerprint + after);
}

}  // namespace tuner::server
