#include "tuner/server/log_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/resource_names.h"
#include "tuner/server/files.h"

namespace tuner::server {
namespace {

constexpr size_t kChunk = 64 << 10;
constexpr std::chrono::milliseconds kLookAgain(200);

}  // namespace

LogStream::LogStream(WorkPool& pool, StreamRegistry& registry, Source source, Query query)
    : PumpedStream(pool, registry), source_(source), query_(std::move(query)) {}

LogStream::~LogStream() {
  if (fd_ >= 0) close(fd_);
}

absl::Status LogStream::LookAtTrial() {
  absl::StatusOr<storage::TrialPage::Entry> entry = source_.storage->ReadTrial(query_.job_id, query_.trial);
  if (!entry.ok()) return entry.status();
  const core::Trial& trial = entry->trial;
  const std::string name = core::TrialName(query_.job_id, query_.trial);
  if (query_.attempt == 0 && !trial.attempts.empty()) query_.attempt = trial.attempts.back().number;
  for (const core::Attempt& attempt : trial.attempts) {
    if (attempt.number != query_.attempt) continue;
    attempt_ended_ = attempt.end_time.has_value() || core::IsTerminal(trial.state);
    folder_ = attempt.artifact_path;
    if (attempt_ended_ && folder_.empty()) {
      return absl::NotFoundError(
          absl::StrCat("attempt ", attempt.number, " of ", name, " left no output on this server"));
    }
    return absl::OkStatus();
  }
  if (query_.attempt != 0) return absl::NotFoundError(absl::StrCat(name, " has no attempt ", query_.attempt));
  if (core::IsTerminal(trial.state)) return absl::NotFoundError(absl::StrCat(name, " ended without being started"));
  return absl::OkStatus();
}

absl::Status LogStream::OpenFile() {
  const std::string path = absl::StrCat(folder_, "/", query_.file);
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);  // a trial may have put a link there
  if (fd_ < 0) {
    const int error = errno;
    if (error == ENOENT && query_.follow && !attempt_ended_) return absl::OkStatus();  // not there yet
    return ErrnoStatus(error, absl::StrCat("cannot read ", path));
  }
  struct stat info {};
  if (fstat(fd_, &info) != 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", path));
  if (query_.offset > info.st_size) {
    return absl::OutOfRangeError(
        absl::StrCat("offset: is ", query_.offset, ", and the output has ", info.st_size, " bytes so far"));
  }
  offset_ = query_.offset >= 0 ? query_.offset : std::max<int64_t>(0, info.st_size + query_.offset);
  return absl::OkStatus();
}

LogStream::Produced LogStream::Produce() {
  const auto fail = [](absl::Status status) { return Produced{{}, true, std::move(status)}; };
  if (query_.follow && subscription_ == nullptr) {
    subscription_ = source_.engine->Subscribe(query_.job_id, [this](storage::Revision) { job_changed_ = true; });
  }
  if (!attempt_ended_ && job_changed_.exchange(false)) {
    if (absl::Status status = LookAtTrial(); !status.ok()) return fail(status);
  }
  if (fd_ < 0 && !folder_.empty()) {
    if (absl::Status status = OpenFile(); !status.ok()) return fail(status);
  }
  if (fd_ < 0) {
    if (!query_.follow) {
      return fail(absl::NotFoundError(
          absl::StrCat(core::TrialName(query_.job_id, query_.trial), " has no output on this server (yet)")));
    }
    WakeLater();
    return {};
  }
  Produced out;
  std::string data(kChunk, '\0');
  ssize_t got = -1;
  do {
    got = pread(fd_, data.data(), data.size(), offset_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return fail(ErrnoStatus(errno, absl::StrCat("cannot read ", folder_, "/", query_.file)));
  if (got == 0) {
    // What the attempt wrote before its end was committed is there by now: the file was read after the look at the
    // trial.
    out.done = !query_.follow || attempt_ended_;
    if (!out.done) WakeLater();
    return out;
  }
  data.resize(static_cast<size_t>(got));
  v1::StreamTrialLogsResponse& message = out.messages.emplace_back();
  message.set_offset(offset_);
  message.set_data(std::move(data));
  offset_ += got;
  return out;
}

void LogStream::WakeLater() {
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(std::chrono::system_clock::now() + kLookAgain, [weak = weak_from_this()](bool /*fired*/) {
    if (const auto self = weak.lock()) self->Wake();
  });
}

}  // namespace tuner::server
