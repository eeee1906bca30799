// Files to S3: whole, in parts, and trees by their contents.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <pugixml.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "executors/aws/s3.h"
#include "executors/aws/sha256.h"

namespace tuner::executors::aws {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostParts = 10000;
constexpr int kDeepest = 64;  // folders; more are a symbolic link that leads back

struct CloseRead {
  void operator()(FILE* file) const { fclose(file); }
};

absl::Status CannotRead(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("cannot upload ", path, ": ", why));
}

// A file by the name that it gets below the prefix.
struct LocalFile {
  std::string path;
  int64_t size = 0;
  std::string hash;
};
using LocalTree = absl::btree_map<std::string, LocalFile>;

absl::Status AddFile(const fs::directory_entry& entry, const std::string& name, LocalTree& tree) {
  std::error_code error;
  if (!entry.is_regular_file(error)) return CannotRead(entry.path(), "it is neither a file nor a folder");
  absl::StatusOr<std::string> hash = HexSha256OfFile(entry.path());
  if (!hash.ok()) return hash.status();
  const auto size = static_cast<int64_t>(entry.file_size(error));
  if (error) return CannotRead(entry.path(), error.message());
  tree[name] = {entry.path(), size, *std::move(hash)};
  return absl::OkStatus();
}

absl::StatusOr<LocalTree> ReadTree(const std::string& path) {
  LocalTree tree;
  std::error_code error;
  const fs::directory_entry root(path, error);
  if (error || !root.exists(error)) return CannotRead(path, "there is no such file or folder");
  if (!root.is_directory(error)) {
    if (absl::Status status = AddFile(root, root.path().filename(), tree); !status.ok()) return status;
    return tree;
  }
  fs::recursive_directory_iterator at(path, fs::directory_options::follow_directory_symlink, error);
  for (; !error && at != fs::end(at); at.increment(error)) {
    if (at.depth() > kDeepest) return CannotRead(at->path(), "more than 64 folders deep; does a link lead back?");
    std::error_code unknown;
    if (at->is_directory(unknown)) continue;
    const std::string name = at->path().lexically_relative(path).generic_string();
    if (absl::Status status = AddFile(*at, name, tree); !status.ok()) return status;
  }
  if (error) return CannotRead(path, error.message());
  if (tree.empty()) return CannotRead(path, "the folder holds no file");
  return tree;
}

// What `sha256sum -z` prints of the files in the order of their names, hashed.
std::string HashOf(const LocalTree& tree) {
  Sha256 hash;
  for (const auto& [name, file] : tree) {
    hash.Add(absl::StrCat(file.hash, "  ", name));
    hash.Add(absl::string_view("\0", 1));
  }
  return hash.Hex();
}

}  // namespace

struct S3Client::Source {
  std::string path;
  int64_t size = 0;
  std::string hash;  // known beforehand, and checked; empty: not
};

struct S3Client::Part {
  std::string etag;
};

Headers S3Client::EncryptionHeaders() const {
  if (options_.kms_key_id.empty()) return {};
  return {{"x-amz-server-side-encryption", "aws:kms"},
          {"x-amz-server-side-encryption-aws-kms-key-id", options_.kms_key_id}};
}

absl::Status S3Client::PutFile(const std::string& path, const S3Uri& to, const CallOptions& options) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return CannotRead(path, "there is no such file");
  const auto size = static_cast<int64_t>(fs::file_size(path, error));
  if (error) return CannotRead(path, error.message());
  return Put({path, size, ""}, to, options);
}

absl::Status S3Client::Put(const Source& source, const S3Uri& to, const CallOptions& options) {
  if (to.key.empty()) return absl::InvalidArgumentError(absl::StrCat(to.ToString(), ": the key is empty"));
  return source.size > options_.multipart_above ? PutMultipart(source, to, options) : PutWhole(source, to, options);
}

absl::Status S3Client::PutWhole(const Source& source, const S3Uri& to, const CallOptions& options) {
  absl::StatusOr<std::string> hash = source.hash.empty() ? HexSha256OfFile(source.path) : source.hash;
  if (!hash.ok()) return hash.status();
  ServiceClient::Call call = Transfer("PUT");
  call.request.headers = EncryptionHeaders();
  call.request.headers.emplace_back("Content-Type", "application/octet-stream");
  call.request.body_file = source.path;
  call.payload_hash = *std::move(hash);  // S3 refuses what does not match it
  return Send(std::move(call), "PutObject", to, "", options).status();
}

absl::Status S3Client::PutMultipart(const Source& source, const S3Uri& to, const CallOptions& options) {
  ServiceClient::Call create = Request("POST");
  create.request.headers = EncryptionHeaders();
  create.request.headers.emplace_back("Content-Type", "application/octet-stream");
  const absl::StatusOr<HttpResponse> created =
      Send(std::move(create), "CreateMultipartUpload", to, "uploads=", options);
  if (!created.ok()) return created.status();
  pugi::xml_document document;
  document.load_buffer(created->body.data(), created->body.size());
  const std::string upload_id = document.document_element().child_value("UploadId");
  if (upload_id.empty()) return absl::UnavailableError(absl::StrCat(to.ToString(), ": the answer names no upload"));
  const absl::StatusOr<std::vector<Part>> parts = PutParts(source, to, upload_id, options);
  absl::Status status = parts.status();
  if (status.ok()) status = CompleteUpload(to, upload_id, *parts, options);
  if (!status.ok()) {
    // Parts that are kept cost money. Also after a stop, but then without waiting.
    const absl::Duration most_wait = absl::IsCancelled(status) ? absl::ZeroDuration() : options.most_wait;
    (void)Send(Request("DELETE"), "AbortMultipartUpload", to, "uploadId=" + PercentEncode(upload_id),
               {.most_wait = most_wait});
  }
  return status;
}

absl::StatusOr<std::vector<S3Client::Part>> S3Client::PutParts(const Source& source, const S3Uri& to,
                                                               const std::string& upload_id,
                                                               const CallOptions& options) {
  const std::unique_ptr<FILE, CloseRead> file(fopen(source.path.c_str(), "rbe"));
  if (file == nullptr) return CannotRead(source.path, "it cannot be opened");
  const auto part_size = static_cast<size_t>(std::max(options_.part_size, (source.size + kMostParts - 1) / kMostParts));
  std::vector<Part> parts;
  Sha256 hash;
  for (int64_t left = source.size; left > 0;) {
    ServiceClient::Call call = Transfer("PUT");
    call.request.headers = {{"Content-Type", "application/octet-stream"}};
    std::string& body = call.request.body;
    body.resize(std::min(part_size, static_cast<size_t>(left)));
    if (fread(body.data(), 1, body.size(), file.get()) != body.size()) {
      return CannotRead(source.path, "it became shorter meanwhile");
    }
    left -= static_cast<int64_t>(body.size());
    hash.Add(body);
    const std::string query = absl::StrCat("partNumber=", parts.size() + 1, "&uploadId=", PercentEncode(upload_id));
    const absl::StatusOr<HttpResponse> response = Send(std::move(call), "UploadPart", to, query, options);
    if (!response.ok()) return response.status();
    const auto etag = response->headers.find("etag");
    if (etag == response->headers.end())
      return absl::UnavailableError(absl::StrCat(to.ToString(), ": a part's answer has no ETag"));
    parts.push_back({etag->second});
  }
  if (!source.hash.empty() && hash.Hex() != source.hash) return CannotRead(source.path, "it was changed meanwhile");
  return parts;
}

absl::Status S3Client::CompleteUpload(const S3Uri& to, const std::string& upload_id, const std::vector<Part>& parts,
                                      const CallOptions& options) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  for (size_t i = 0; i < parts.size(); ++i) {
    pugi::xml_node node = root.append_child("Part");
    node.append_child("ETag").text().set(parts[i].etag.c_str());
    node.append_child("PartNumber").text().set(static_cast<unsigned long long>(i + 1));
  }
  std::ostringstream body;
  document.save(body, "", pugi::format_raw);
  ServiceClient::Call call = Request("POST");
  call.request.headers = {{"Content-Type", "application/xml"}};
  call.request.body = body.str();
  absl::StatusOr<HttpResponse> response =
      Send(std::move(call), "CompleteMultipartUpload", to, "uploadId=" + PercentEncode(upload_id), options);
  if (!response.ok()) {
    // An attempt whose answer was lost may have completed it.
    const std::optional<AwsError> error = AwsErrorOf(response.status());
    if (error.has_value() && error->code == "NoSuchUpload" && Head(to, options).ok()) return absl::OkStatus();
    return response.status();
  }
  // It takes long, so S3 begins with a 200 and may yet say that it failed.
  pugi::xml_document answer;
  answer.load_buffer(response->body.data(), response->body.size());
  if (answer.child("Error")) {
    response->code = 500;
    return ToStatus(ReadAwsError(*response, {}), absl::StrCat("s3.CompleteMultipartUpload ", to.ToString()));
  }
  return absl::OkStatus();
}

absl::StatusOr<S3Uri> S3Client::UploadOnce(const std::string& path, const S3Uri& prefix, const CallOptions& options) {
  const absl::StatusOr<LocalTree> tree = ReadTree(path);
  if (!tree.ok()) return tree.status();
  S3Uri folder = prefix.Join(HashOf(*tree));
  folder.key += '/';
  // An object is there wholly or not at all, and its name holds what it must contain: who else uploads this puts the
  // same.
  const absl::StatusOr<std::vector<S3Object>> there = List(folder, options);
  if (!there.ok()) return there.status();
  absl::btree_map<std::string, int64_t> sizes;
  for (const S3Object& object : *there) sizes[object.key] = object.size;
  for (const auto& [name, file] : *tree) {
    const S3Uri to = {folder.bucket, folder.key + name};
    const auto known = sizes.find(to.key);
    if (known != sizes.end() && known->second == file.size) continue;
    if (absl::Status status = Put({file.path, file.size, file.hash}, to, options); !status.ok()) return status;
  }
  return folder;
}

}  // namespace tuner::executors::aws
