// Amazon S3, and what speaks its protocol: whole objects as files.
//
// Threads: any. Ownership: borrows AwsServices. Errors: as ServiceClient; NOT_FOUND: no such bucket or object;
// INVALID_ARGUMENT also for a local file that cannot be read, written, or changed meanwhile. A failed PutFile leaves no
// object and no open upload, unless the service is gone; a failed GetFile leaves what was at `path`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "executors/aws/service_client.h"

namespace tuner::executors::aws {

struct S3Uri {
  std::string bucket;
  std::string key;  // without a leading slash; may be empty or a prefix

  std::string ToString() const;  // "s3://bucket/key"
  // One more component, with one slash between.
  S3Uri Join(absl::string_view component) const;
  bool operator==(const S3Uri&) const = default;
};
// INVALID_ARGUMENT: not "s3://bucket[/key]". The key is taken as it is: nothing in it is decoded.
absl::StatusOr<S3Uri> ParseS3Uri(absl::string_view text);

// Where it is served: the bucket in the path, or in the host if its name can be a part of one.
std::string UrlOf(const S3Uri& uri, absl::string_view endpoint, bool path_style);

struct S3Object {
  std::string key;
  int64_t size = 0;
  std::string etag;  // with its quotes
  absl::Time modified;
};

struct S3Options {
  // Its `service` is set to "s3". AWS's own endpoints get the bucket in the host where its name allows it; an endpoint
  // that is given gets it in the path.
  ServiceOptions service;
  int64_t multipart_above = int64_t{64} << 20;
  int64_t part_size = int64_t{8} << 20;              // more where 10,000 parts would not do
  std::string kms_key_id;                            // encrypts what is put; empty: as the bucket says
  absl::Duration object_timeout = absl::Hours(6);    // of one object's or part's transfer
  absl::Duration stall_timeout = absl::Seconds(60);  // of a transfer that does not move
};

class S3Client {
 public:
  S3Client(S3Options options, AwsServices services);

  absl::Status PutFile(const std::string& path, const S3Uri& to, const CallOptions& options = {});
  // To a file beside `path` first, then renamed to it. Makes missing folders.
  absl::Status GetFile(const S3Uri& from, const std::string& path, const CallOptions& options = {});
  absl::StatusOr<S3Object> Head(const S3Uri& uri, const CallOptions& options = {});
  // All objects whose keys begin with `prefix.key`, in the order of their keys; `most`: no more than these.
  absl::StatusOr<std::vector<S3Object>> List(const S3Uri& prefix, const CallOptions& options = {},
                                             int64_t most = INT64_MAX);
  // OK also if there is none.
  absl::Status Delete(const S3Uri& uri, const CallOptions& options = {});

  // Puts a file, or the files of a folder (symbolic links are followed), under `prefix`/<SHA-256 of names and
  // contents>/ and gives that URI, which ends in a slash. What is there already is not sent again; several may do the
  // same at once. INVALID_ARGUMENT: nothing there, or no file in it.
  absl::StatusOr<S3Uri> UploadOnce(const std::string& path, const S3Uri& prefix, const CallOptions& options = {});

 private:
  struct Part;
  struct Source;
  absl::StatusOr<HttpResponse> Send(ServiceClient::Call call, const std::string& operation, const S3Uri& uri,
                                    const std::string& query, const CallOptions& options);
  ServiceClient::Call Request(std::string method) const;
  ServiceClient::Call Transfer(std::string method) const;
  absl::Status Put(const Source& source, const S3Uri& to, const CallOptions& options);
  absl::Status PutWhole(const Source& source, const S3Uri& to, const CallOptions& options);
  absl::Status PutMultipart(const Source& source, const S3Uri& to, const CallOptions& options);
  absl::StatusOr<std::vector<Part>> PutParts(const Source& source, const S3Uri& to, const std::string& upload_id,
                                             const CallOptions& options);
  absl::Status CompleteUpload(const S3Uri& to, const std::string& upload_id, const std::vector<Part>& parts,
                              const CallOptions& options);
  Headers EncryptionHeaders() const;

  const S3Options options_;
  const bool path_style_;
  ServiceClient client_;
};

}  // namespace tuner::executors::aws
