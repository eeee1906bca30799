#include "executors/sagemaker/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::executors::sagemaker {
namespace {

using nlohmann::json;

constexpr char kLogGroup[] = "/aws/sagemaker/TrainingJobs";
constexpr char kPlaceFile[] = "cloudwatch";  // in <attempt>/run
constexpr int64_t kMostLogBytes = int64_t{1} << 30;
constexpr size_t kScanBytes = 64 << 10;
constexpr int kScansPerCall = 64;

absl::Status LogError(const RunPaths& paths, const char* what) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, " the log in ", paths.attempt, ": ", strerror(errno)));
}

}  // namespace

RunLog::RunLog(RunPaths paths, std::shared_ptr<const CompiledMetrics> metrics, core::ScanCursor cursor, int hosts)
    : paths_(std::move(paths)), hosts_(hosts), cursor_(std::move(cursor)), metrics_(std::move(metrics)) {
  if (metrics_ != nullptr) scanner_ = std::make_unique<MetricScanner>(metrics_, cursor_);
}

void RunLog::Follow(const std::string& training_job) {
  if (training_job_ == training_job) return;
  training_job_ = training_job;
  streams_.clear();
}

absl::Status RunLog::Open() {
  if (file_) return absl::OkStatus();
  UniqueFd file(open((paths_.attempt + "/stdout.log").c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0644));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0) return LogError(paths_, "open");
  ReadPlace(status.st_size);
  // What was written after the place was written down is fetched again.
  if (ftruncate(file.get(), size_) != 0) return LogError(paths_, "shorten");
  file_ = std::move(file);
  return absl::OkStatus();
}

void RunLog::ReadPlace(int64_t file_size) {
  size_ = 0;
  streams_.clear();
  const UniqueFd folder(open(paths_.run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  std::optional<std::string> text;
  if (!folder || records::ReadRecord(folder.get(), kPlaceFile, text) != 0) return;
  const json place = json::parse(text.value_or(""), nullptr, false);
  if (!place.is_object() || !place.contains("size") || !place["size"].is_number_integer()) return;
  const int64_t size = place["size"].get<int64_t>();
  // After a power cut the file may be shorter than what was read from it: then it is fetched again as a whole.
  if (size > file_size || size < cursor_.stdout_offset) return;
  size_ = size;
  if (place.value("training_job", json()) != training_job_) return;
  const auto text_at = [](const json& stream, const char* key) {
    const json text_there = stream.is_object() ? stream.value(key, json()) : json();
    return text_there.is_string() ? text_there.get<std::string>() : std::string();
  };
  for (const json& stream : place.value("streams", json::array()))
    streams_.push_back({text_at(stream, "name"), text_at(stream, "token")});
}

absl::Status RunLog::WritePlace() const {
  json place = {{"size", size_}, {"training_job", training_job_}, {"streams", json::array()}};
  for (const Stream& stream : streams_) place["streams"].push_back({{"name", stream.name}, {"token", stream.token}});
  const UniqueFd folder(open(paths_.run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  records::Files files;
  if (!folder || (errno = records::WriteAtomically(files, folder.get(), kPlaceFile, place.dump())) != 0)
    return LogError(paths_, "write down how far was read");
  return absl::OkStatus();
}

absl::Status RunLog::FindStreams(aws::LogsClient& logs, const aws::CallOptions& options) {
  const absl::StatusOr<std::vector<aws::LogStream>> found =
      logs.DescribeLogStreams(kLogGroup, training_job_ + "/", options);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();  // nobody has written yet
  if (!found.ok()) return found.status();
  for (const aws::LogStream& stream : *found) {
    const bool known = std::any_of(streams_.begin(), streams_.end(),
                                   [&stream](const Stream& other) { return other.name == stream.name; });
    if (!known) streams_.push_back({stream.name, ""});
  }
  return absl::OkStatus();
}

absl::StatusOr<RunLog::Progress> RunLog::Fetch(aws::LogsClient& logs, const aws::CallOptions& options,
                                               bool look_for_streams, std::vector<core::Measurement>& found) {
  if (absl::Status opened = Open(); !opened.ok()) return opened;
  Progress progress{.at_end = true};
  if (look_for_streams || streams_.size() < static_cast<size_t>(hosts_)) {
    ++progress.calls;
    if (absl::Status listed = FindStreams(logs, options); !listed.ok()) return listed;
  }
  for (Stream& stream : streams_) {
    ++progress.calls;
    absl::StatusOr<aws::LogPage> page = logs.GetLogEvents(kLogGroup, stream.name, stream.token, options);
    if (absl::IsNotFound(page.status())) continue;
    if (!page.ok()) return page.status();
    if (absl::Status appended = Append(page->events); !appended.ok()) return appended;
    stream.token = std::move(page->next_token);
    // A stream without new lines is at its end, whatever its token says: of the last page it is told only by the next.
    progress.at_end = progress.at_end && (page->at_end || page->events.empty());
    if (absl::Status written = WritePlace(); !written.ok()) return written;
  }
  const absl::StatusOr<bool> scanned = Scan(false, found);
  if (!scanned.ok()) return scanned.status();
  progress.at_end = progress.at_end && *scanned;
  return progress;
}

absl::Status RunLog::Append(const std::vector<aws::LogEvent>& events) {
  std::string text;
  for (const aws::LogEvent& event : events) absl::StrAppend(&text, event.message, "\n");
  if (size_ + static_cast<int64_t>(text.size()) > kMostLogBytes) return absl::OkStatus();  // dropped, as processes' is
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = pwrite(file_.get(), text.data() + done, text.size() - done, size_ + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return LogError(paths_, "write");
    done += static_cast<size_t>(n);
  }
  size_ += static_cast<int64_t>(text.size());
  return absl::OkStatus();
}

absl::StatusOr<bool> RunLog::ScanOnce(MetricScanner& scanner, std::vector<core::Measurement>& found) const {
  std::string buffer(kScanBytes, '\0');
  bool at_end = false;
  for (int i = 0; i < kScansPerCall && !at_end; ++i) {
    const ssize_t n = pread(file_.get(), buffer.data(), buffer.size(), scanner.next_offset(MetricScanner::kStdout));
    if (n < 0) return LogError(paths_, "read");
    if (n > 0) scanner.Feed(MetricScanner::kStdout, std::string_view(buffer.data(), static_cast<size_t>(n)), found);
    at_end = n < static_cast<ssize_t>(buffer.size());
  }
  return at_end;
}

absl::StatusOr<bool> RunLog::Scan(bool last, std::vector<core::Measurement>& found) {
  if (scanner_ == nullptr) return true;
  if (absl::Status opened = Open(); !opened.ok()) return opened;
  const absl::StatusOr<bool> at_end = ScanOnce(*scanner_, found);
  if (at_end.ok() && *at_end && last) scanner_->Finish(MetricScanner::kStdout, found);
  return at_end;
}

absl::btree_map<std::string, double> RunLog::LastValues() {
  absl::btree_map<std::string, double> values;
  if (metrics_ == nullptr || !Open().ok()) return values;
  MetricScanner scanner(metrics_, core::ScanCursor());
  absl::StatusOr<bool> at_end = false;
  while (at_end.ok() && !*at_end) {
    std::vector<core::Measurement> found;
    at_end = ScanOnce(scanner, found);
    for (const core::Measurement& measurement : found) values[measurement.metric] = measurement.value;
  }
  return values;
}

}  // namespace tuner::executors::sagemaker
