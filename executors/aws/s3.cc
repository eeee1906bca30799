#include "executors/aws/s3.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <pugixml.hpp>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tuner::executors::aws {
namespace {

constexpr int64_t kPage = 1000;  // keys, S3's most

S3Options ForS3(S3Options options) {
  options.service.service = "s3";
  return options;
}

bool IsBucketName(absl::string_view name) {
  return name.size() >= 3 && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
         });
}

// A name that AWS's certificates hold as a part of a host's name: so without dots.
bool IsHostLabel(absl::string_view bucket) {
  return bucket.size() <= 63 && bucket.front() != '-' && bucket.back() != '-' &&
         std::all_of(bucket.begin(), bucket.end(),
                     [](unsigned char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; });
}

std::string EncodeKey(absl::string_view key) {
  std::string out;
  for (const absl::string_view segment : absl::StrSplit(key, '/')) absl::StrAppend(&out, "/", PercentEncode(segment));
  return out;
}

// As S3 encodes keys in its answers: application/x-www-form-urlencoded.
std::string DecodeKey(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      out += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string AnswerHeader(const HttpResponse& response, const char* name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? "" : found->second;
}

struct CloseWritten {
  void operator()(FILE* file) const { fclose(file); }
};

// A file beside `path` that takes its place when it is whole.
class NewFile {
 public:
  static absl::StatusOr<NewFile> Create(const std::string& path) {
    std::error_code ignored;  // opening it tells
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    NewFile file(path, absl::StrCat(path, ".", absl::Hex(std::random_device()(), absl::kZeroPad8), ".part"));
    file.out_.reset(fopen(file.temporary_.c_str(), "wbxe"));
    if (file.out_ == nullptr) return file.Failed();
    return file;
  }
  NewFile(NewFile&& other) noexcept = default;
  ~NewFile() {
    if (out_ != nullptr) std::remove(temporary_.c_str());
  }

  absl::Status Clear() {
    rewind(out_.get());
    return ftruncate(fileno(out_.get()), 0) == 0 ? absl::OkStatus() : Failed();
  }
  absl::Status Append(absl::string_view data) {
    return fwrite(data.data(), 1, data.size(), out_.get()) == data.size() ? absl::OkStatus() : Failed();
  }
  absl::Status Commit() {
    if (fflush(out_.get()) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) return Failed();
    out_.reset();
    return absl::OkStatus();
  }

 private:
  NewFile(std::string path, std::string temporary) : path_(std::move(path)), temporary_(std::move(temporary)) {}

  absl::Status Failed() const {
    return absl::InvalidArgumentError(absl::StrCat("cannot write ", path_, ": ", std::strerror(errno)));
  }

  std::string path_;
  std::string temporary_;
  std::unique_ptr<FILE, CloseWritten> out_;  // none: it is at its place, or elsewhere
};

}  // namespace

std::string S3Uri::ToString() const { return absl::StrCat("s3://", bucket, "/", key); }

S3Uri S3Uri::Join(absl::string_view component) const {
  S3Uri joined = *this;
  if (!joined.key.empty() && !absl::EndsWith(joined.key, "/")) joined.key += '/';
  absl::StrAppend(&joined.key, absl::StripPrefix(component, "/"));
  return joined;
}

absl::StatusOr<S3Uri> ParseS3Uri(absl::string_view text) {
  absl::string_view rest = text;
  const bool has_scheme = absl::ConsumePrefix(&rest, "s3://");
  const size_t slash = rest.find('/');
  S3Uri uri = {std::string(rest.substr(0, slash)), ""};
  if (slash != absl::string_view::npos) uri.key = std::string(rest.substr(slash + 1));
  if (!has_scheme || !IsBucketName(uri.bucket)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not s3://bucket/key"));
  }
  return uri;
}

S3Client::S3Client(S3Options options, AwsServices services)
    : options_(ForS3(std::move(options))),
      path_style_(!options_.service.endpoint.empty()),
      client_(options_.service, services) {}

std::string UrlOf(const S3Uri& uri, absl::string_view endpoint, bool path_style) {
  if (path_style || !IsHostLabel(uri.bucket)) return absl::StrCat(endpoint, "/", uri.bucket, EncodeKey(uri.key));
  const size_t host = endpoint.find("://") + 3;
  return absl::StrCat(endpoint.substr(0, host), uri.bucket, ".", endpoint.substr(host), EncodeKey(uri.key));
}

absl::StatusOr<HttpResponse> S3Client::Send(ServiceClient::Call call, const std::string& operation, const S3Uri& uri,
                                            const std::string& query, const CallOptions& options) {
  if (!IsBucketName(uri.bucket)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", uri.bucket, "\" is no name of an S3 bucket"));
  }
  call.operation = absl::StrCat("s3.", operation, " ", uri.ToString());
  call.request.url = absl::StrCat(UrlOf(uri, client_.options().endpoint, path_style_), query.empty() ? "" : "?", query);
  return client_.Send(call, options);
}

ServiceClient::Call S3Client::Request(std::string method) const {
  ServiceClient::Call call;
  call.request.method = std::move(method);
  call.request.timeout = options_.service.timeout;
  return call;
}

// Of an object's contents, which take their time.
ServiceClient::Call S3Client::Transfer(std::string method) const {
  ServiceClient::Call call;
  call.request.method = std::move(method);
  call.request.timeout = options_.object_timeout;
  call.request.stall_timeout = options_.stall_timeout;
  return call;
}

absl::Status S3Client::GetFile(const S3Uri& from, const std::string& path, const CallOptions& options) {
  absl::StatusOr<NewFile> file = NewFile::Create(path);
  if (!file.ok()) return file.status();
  ServiceClient::Call call = Transfer("GET");
  call.request.on_body = [&](absl::string_view piece) { return file->Append(piece); };
  call.begin = [&] { return file->Clear(); };
  const absl::StatusOr<HttpResponse> response = Send(std::move(call), "GetObject", from, "", options);
  if (!response.ok()) return response.status();
  return file->Commit();
}

absl::StatusOr<S3Object> S3Client::Head(const S3Uri& uri, const CallOptions& options) {
  const absl::StatusOr<HttpResponse> response = Send(Request("HEAD"), "HeadObject", uri, "", options);
  if (!response.ok()) return response.status();
  S3Object object = {.key = uri.key, .etag = AnswerHeader(*response, "etag")};
  std::string error;
  if (!absl::SimpleAtoi(AnswerHeader(*response, "content-length"), &object.size)) object.size = 0;
  absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", AnswerHeader(*response, "last-modified"), &object.modified, &error);
  return object;
}

absl::StatusOr<std::vector<S3Object>> S3Client::List(const S3Uri& prefix, const CallOptions& options, int64_t most) {
  const S3Uri bucket = {prefix.bucket, ""};
  std::vector<S3Object> objects;
  for (std::string token; most > 0;) {
    const int64_t page = std::min(kPage, most - static_cast<int64_t>(objects.size()));
    std::string query =
        absl::StrCat("encoding-type=url&list-type=2&max-keys=", page, "&prefix=", PercentEncode(prefix.key));
    if (!token.empty()) absl::StrAppend(&query, "&continuation-token=", PercentEncode(token));
    const absl::StatusOr<HttpResponse> response = Send(Request("GET"), "ListObjectsV2", bucket, query, options);
    if (!response.ok()) return response.status();
    pugi::xml_document document;
    document.load_buffer(response->body.data(), response->body.size());
    const pugi::xml_node list = document.child("ListBucketResult");
    if (!list) return absl::UnavailableError(absl::StrCat(prefix.ToString(), ": the answer is no list of objects"));
    const bool encoded = list.child_value("EncodingType") == absl::string_view("url");
    for (const pugi::xml_node node : list.children("Contents")) {
      const std::string key = node.child_value("Key");
      S3Object object = {.key = encoded ? DecodeKey(key) : key,
                         .size = node.child("Size").text().as_llong(),
                         .etag = node.child_value("ETag")};
      std::string error;
      absl::ParseTime(absl::RFC3339_full, node.child_value("LastModified"), &object.modified, &error);
      objects.push_back(std::move(object));
    }
    token = list.child_value("NextContinuationToken");
    if (token.empty() || static_cast<int64_t>(objects.size()) >= most) break;
  }
  return objects;
}

absl::Status S3Client::Delete(const S3Uri& uri, const CallOptions& options) {
  const absl::Status status = Send(Request("DELETE"), "DeleteObject", uri, "", options).status();
  const std::optional<AwsError> error = AwsErrorOf(status);
  if (error.has_value() && (error->code == "NoSuchKey" || error->code == "Http404")) return absl::OkStatus();
  return status;
}

}  // namespace tuner::executors::aws
