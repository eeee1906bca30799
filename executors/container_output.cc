#include "executors/container_output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::executors {
namespace {

constexpr size_t kScanBytes = 64 << 10;
constexpr size_t kMostMeasurements = 1000;  // in one event
constexpr size_t kMostLine = 1 << 20;       // of several hosts: a longer one is passed on in pieces
constexpr const char* kStreamFiles[] = {"/stdout.log", "/stderr.log"};
constexpr MetricScanner::Stream kStreams[] = {MetricScanner::kStdout, MetricScanner::kStderr};

}  // namespace

absl::Status OutputFile::Open() {
  fd_.Reset(open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0644));
  struct stat status;
  if (!fd_ || fstat(fd_.get(), &status) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot open ", path_, ": ", strerror(errno)));
  }
  size_ = status.st_size;
  position_ = 0;
  return absl::OkStatus();
}

absl::string_view OutputFile::Unseen(absl::string_view bytes, bool whole) {
  if (full() && !bytes.empty()) {
    position_ += static_cast<int64_t>(bytes.size());
    cut_ = cut_ || position_ > size_;
    return {};
  }
  char known[16 << 10];
  while (!bytes.empty() && position_ < size_) {
    const size_t wanted =
        std::min({bytes.size(), sizeof(known), static_cast<size_t>(std::min<int64_t>(size_ - position_, 1 << 20))});
    const ssize_t got = pread(fd_.get(), known, wanted, position_);
    if (got <= 0) break;
    const auto [mine, theirs] = std::mismatch(known, known + got, bytes.begin());
    const auto same = static_cast<size_t>(mine - known);
    position_ += static_cast<int64_t>(same);
    bytes.remove_prefix(same);
    if (same < static_cast<size_t>(got)) {
      // An answer that was damaged on its way is in the file; or the engine has let go of the beginning.
      if (!whole || ftruncate(fd_.get(), position_) != 0) {
        position_ = size_;
        break;
      }
      size_ = position_;
    }
  }
  return bytes;
}

void OutputFile::Append(absl::string_view fresh) {
  position_ += static_cast<int64_t>(fresh.size());
  const auto room = static_cast<size_t>(std::max<int64_t>(0, limit_ - size_));
  if (fresh.size() > room || broken_) cut_ = cut_ || !fresh.empty();
  absl::string_view left = broken_ ? absl::string_view() : fresh.substr(0, room);
  while (!left.empty()) {
    const ssize_t n = pwrite(fd_.get(), left.data(), left.size(), size_);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      broken_ = cut_ = true;
      return;
    }
    size_ += n;
    left.remove_prefix(static_cast<size_t>(n));
  }
}

void OutputFile::Sync() { fdatasync(fd_.get()); }

ContainerOutput::ContainerOutput(const ContainerPlan& plan, std::shared_ptr<const CompiledMetrics> metrics,
                                 const core::Clock* clock, RunListener* listener)
    : id_(plan.spec.id),
      several_(plan.hosts() > 1),
      first_host_only_(plan.options.metrics_from() == v1::ContainerExecutor::FIRST_HOST),
      clock_(clock),
      listener_(listener) {
  for (int host = 0; host < plan.hosts(); ++host) {
    const std::string folder = plan.OutputFolder(host);
    hosts_.push_back(std::make_unique<HostFiles>(HostFiles{{OutputFile(folder + kStreamFiles[0], plan.output_limit()),
                                                            OutputFile(folder + kStreamFiles[1], plan.output_limit())},
                                                           {}}));
  }
  absl::MutexLock lock(&mutex_);
  if (several_) {
    for (const char* file : kStreamFiles) merged_.emplace_back(plan.paths.attempt + file, plan.output_limit());
  }
  if (metrics != nullptr) {
    core::ScanCursor cursor = plan.spec.cursor;
    // Steps that are counted go on after a checkpoint, and begin anew without one.
    if (cursor.stdout_offset == 0 && cursor.stderr_offset == 0 && plan.fresh_start) cursor.last_step.clear();
    scanner_ = std::make_unique<MetricScanner>(std::move(metrics), std::move(cursor));
  }
}

absl::Status ContainerOutput::Open() {
  for (const std::unique_ptr<HostFiles>& host : hosts_) {
    for (const MetricScanner::Stream stream : kStreams) {
      OutputFile& file = host->streams[stream];
      if (absl::Status opened = file.Open(); !opened.ok()) return opened;
      if (!several_) continue;
      // The line that it ends with has not been merged.
      std::string tail(static_cast<size_t>(std::min<int64_t>(file.size(), kMostLine)), '\0');
      const ssize_t got = pread(file.fd(), tail.data(), tail.size(), file.size() - static_cast<int64_t>(tail.size()));
      tail.resize(static_cast<size_t>(std::max<ssize_t>(0, got)));
      const size_t end = tail.rfind('\n');
      host->line[stream] = end == std::string::npos ? tail : tail.substr(end + 1);
    }
  }
  absl::MutexLock lock(&mutex_);
  for (OutputFile& file : merged_) {
    if (absl::Status opened = file.Open(); !opened.ok()) return opened;
  }
  Scan(/*at_end=*/false);
  return absl::OkStatus();
}

void ContainerOutput::Rewind(int host) {
  for (OutputFile& file : hosts_[static_cast<size_t>(host)]->streams) file.Rewind();
}

void ContainerOutput::Take(int host, MetricScanner::Stream stream, absl::string_view bytes) {
  HostFiles& files = *hosts_[static_cast<size_t>(host)];
  // Engines keep a bounded log of both: where one has come to its limit, the other's beginning may be gone.
  const bool whole = !files.streams[1 - stream].full();
  const absl::string_view fresh = files.streams[stream].Unseen(bytes, whole);
  if (fresh.empty()) return;
  if (several_ && (host == 0 || !first_host_only_)) {
    absl::MutexLock lock(&mutex_);
    // First: a line that a crash leaves out of the host's own file comes twice, and none is lost.
    Merge(host, stream, fresh);
    Scan(/*at_end=*/false);
  }
  files.streams[stream].Append(fresh);
  if (!several_) {
    absl::MutexLock lock(&mutex_);
    Scan(/*at_end=*/false);
  }
}

void ContainerOutput::Merge(int host, MetricScanner::Stream stream, absl::string_view bytes) {
  std::string& line = hosts_[static_cast<size_t>(host)]->line[stream];
  const size_t end = bytes.rfind('\n');
  if (end == absl::string_view::npos) {
    absl::StrAppend(&line, bytes);
    if (line.size() > kMostLine) merged_[stream].Append(std::exchange(line, {}));
    return;
  }
  merged_[stream].Append(absl::StrCat(line, bytes.substr(0, end + 1)));
  line = std::string(bytes.substr(end + 1));
}

bool ContainerOutput::full(int host) const {
  const HostFiles& files = *hosts_[static_cast<size_t>(host)];
  return files.streams[0].full() && files.streams[1].full();
}

int64_t ContainerOutput::size(int host) const {
  const HostFiles& files = *hosts_[static_cast<size_t>(host)];
  return files.streams[0].position() + files.streams[1].position();
}

bool ContainerOutput::cut() const {
  for (const std::unique_ptr<HostFiles>& host : hosts_) {
    for (const OutputFile& file : host->streams) {
      if (file.cut()) return true;
    }
  }
  return false;
}

void ContainerOutput::Finish() {
  absl::MutexLock lock(&mutex_);
  for (size_t host = 0; host < hosts_.size() && several_; ++host) {
    if (host > 0 && first_host_only_) break;
    for (const MetricScanner::Stream stream : kStreams) {
      if (!hosts_[host]->line[stream].empty()) Merge(static_cast<int>(host), stream, "\n");
    }
  }
  Scan(/*at_end=*/true);
  for (const std::unique_ptr<HostFiles>& host : hosts_) {
    for (OutputFile& file : host->streams) file.Sync();
  }
  for (OutputFile& file : merged_) file.Sync();
}

void ContainerOutput::Scan(bool at_end) {
  if (scanner_ == nullptr) return;
  std::vector<core::Measurement> found;
  std::string buffer(kScanBytes, '\0');
  for (const MetricScanner::Stream stream : kStreams) {
    const int fd = several_ ? merged_[stream].fd() : hosts_[0]->streams[stream].fd();
    while (true) {
      const ssize_t n = pread(fd, buffer.data(), buffer.size(), scanner_->next_offset(stream));
      if (n <= 0) break;
      scanner_->Feed(stream, std::string_view(buffer.data(), static_cast<size_t>(n)), found);
      if (found.size() >= kMostMeasurements) Tell(found);
    }
    if (at_end) scanner_->Finish(stream, found);
  }
  Tell(found);
}

void ContainerOutput::Tell(std::vector<core::Measurement>& found) {
  if (found.empty()) return;
  const absl::Time now = clock_->Now();
  for (core::Measurement& measurement : found) {
    measurement.time = now;
    measurement.attempt = id_.attempt;
    measurement.source = core::MeasurementSource::kScanned;
  }
  listener_->OnRunEvent({id_, RunMetrics{std::exchange(found, {}), scanner_->cursor()}});
}

}  // namespace tuner::executors
