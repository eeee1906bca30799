#include "bench/baseline.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "bench/program.h"
#include "bench/tuner_server.h"

extern char** environ;

namespace tuner::bench {
namespace {

constexpr int kFsyncs = 500;
constexpr int kSpawns = 200;
constexpr size_t kMatrix = 1000;

absl::Duration Median(std::vector<absl::Duration> times) {
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("model name")) return std::string(absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)));
  }
  return "unknown processor";
}

std::string Commit(const Context& context, const ScratchFolder& folder) {
  const auto text =
      RunToEnd({"/usr/bin/git", "-C", context.options.source, "rev-parse", "--short", "HEAD"}, folder.File("git.log"));
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : "unknown";
}

absl::StatusOr<absl::Duration> FsyncMedian(const ScratchFolder& folder) {
  const int fd = open(folder.File("fsync").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::UnavailableError("no file for fsync");
  const std::string page(4096, 'x');
  std::vector<absl::Duration> times;
  for (int i = 0; i < kFsyncs; ++i) {
    const absl::Time begin = absl::Now();
    if (pwrite(fd, page.data(), page.size(), i * 4096L) < 0 || fsync(fd) != 0) break;
    times.push_back(absl::Now() - begin);
  }
  close(fd);
  if (times.size() < kFsyncs) return absl::UnavailableError("fsync fails");
  return Median(times);
}

absl::Duration SpawnMedian() {
  char program[] = "/bin/true";
  char* arguments[] = {program, nullptr};
  std::vector<absl::Duration> times;
  for (int i = 0; i < kSpawns; ++i) {
    const absl::Time begin = absl::Now();
    pid_t pid = -1;
    if (posix_spawn(&pid, program, nullptr, nullptr, arguments, environ) == 0) waitpid(pid, nullptr, 0);
    times.push_back(absl::Now() - begin);
  }
  return Median(times);
}

// Of a symmetric positive definite matrix, row by row, in place: plain code, the same everywhere.
absl::Duration Cholesky() {
  std::vector<double> a(kMatrix * kMatrix);
  for (size_t i = 0; i < kMatrix; ++i) {
    for (size_t j = 0; j < kMatrix; ++j) a[i * kMatrix + j] = i == j ? kMatrix : 1.0 / static_cast<double>(1 + i + j);
  }
  const absl::Time begin = absl::Now();
  for (size_t k = 0; k < kMatrix; ++k) {
    const double pivot = std::sqrt(a[k * kMatrix + k]);
    for (size_t j = k; j < kMatrix; ++j) a[k * kMatrix + j] /= pivot;
    for (size_t i = k + 1; i < kMatrix; ++i) {
      const double factor = a[k * kMatrix + i];
      double* row = &a[i * kMatrix];
      const double* above = &a[k * kMatrix];
      for (size_t j = i; j < kMatrix; ++j) row[j] -= factor * above[j];
    }
  }
  const absl::Duration time = absl::Now() - begin;
  return a.back() > 0 ? time : absl::InfiniteDuration();
}

absl::StatusOr<LoadResult> TrivialCalls(const Context& context) {
  auto server = TunerServer::Start(context, "sqlite");
  if (!server.ok()) return server.status();
  const Call check{"/grpc.health.v1.Health/Check", grpc::ByteBuffer(nullptr, 0)};
  return RunLoad({.endpoint = (*server)->endpoint(),
                  .connections = context.options.connections,
                  .duration = std::min(absl::Seconds(3), context.options.duration),
                  .make_dialogue = [&](int) { return Repeat(check); }});
}

}  // namespace

absl::StatusOr<std::string> Baseline(const Context& context) {
  const ScratchFolder folder(context);
  const auto calls = TrivialCalls(context);
  if (!calls.ok()) return calls.status();
  const auto fsync_time = FsyncMedian(folder);
  if (!fsync_time.ok()) return fsync_time.status();
  return absl::StrCat(
      "machine: ", std::thread::hardware_concurrency(), " x ", Processor(), "; commit ", Commit(context, folder), "; ",
      absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::Now(), absl::UTCTimeZone()), "\nbaseline: trivial RPC ",
      Number(calls->rate()), "/s at ", context.options.connections, " connections, p50 ",
      Milliseconds(calls->cycle_p50), ", p99 ", Milliseconds(calls->cycle_p99), "; fsync p50 ",
      absl::StrFormat("%.0f us", absl::ToDoubleMicroseconds(*fsync_time)), "; posix_spawn of /bin/true p50 ",
      Milliseconds(SpawnMedian()), "; 1,000 x 1,000 Cholesky ", Milliseconds(Cholesky()), "\n");
}

}  // namespace tuner::bench
