#include "executors/container_inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "executors/process_launch.h"

namespace tuner::executors {
namespace {

namespace stdfs = std::filesystem;
using InputMode = core::Channel::InputMode;

constexpr int kPipePollMs = 20;
constexpr size_t kPipeBytes = 64 << 10;

std::string ChannelFolder(const ContainerPlan& plan, int host, const core::Channel& channel) {
  return absl::StrCat(plan.InputFolder(host), "/data/", channel.name);
}

std::string FileOfChannel(const std::string& source, const std::string& file) {
  std::error_code error;
  return stdfs::is_directory(source, error) ? absl::StrCat(source, "/", file) : source;
}

absl::Status InputError(const core::Channel& channel, const std::string& path, const std::error_code& error) {
  const std::string text = absl::StrCat("input '", channel.name, "': ", path, ": ", error.message());
  const bool full = error == std::errc::no_space_on_device || error == std::errc::io_error ||
                    error == std::errc::too_many_files_open || error == std::errc::too_many_files_open_in_system;
  return full ? absl::UnavailableError(text) : absl::InvalidArgumentError(text);
}

absl::Status CopyFiles(const std::string& source, const std::string& folder, const std::vector<std::string>& files,
                       const core::Channel& channel, const std::function<bool()>& given_up) {
  for (const std::string& file : files) {
    if (given_up()) return absl::CancelledError("the copy was given up");
    const stdfs::path to = stdfs::path(folder) / file;
    std::error_code error;
    stdfs::create_directories(to.parent_path(), error);
    if (!error) stdfs::copy_file(FileOfChannel(source, file), to, stdfs::copy_options::overwrite_existing, error);
    if (error) return InputError(channel, FileOfChannel(source, file), error);
  }
  return absl::OkStatus();
}

// A host's share of a channel that is mounted beside it: links into the mount.
absl::Status LinkFiles(const std::string& folder, const std::vector<std::string>& files, const core::Channel& channel) {
  for (const std::string& file : files) {
    const stdfs::path at = stdfs::path(folder) / file;
    std::error_code error;
    stdfs::create_directories(at.parent_path(), error);
    if (!error) stdfs::create_symlink(absl::StrCat("/opt/ml/input/sharded/", channel.name, "/", file), at, error);
    if (error) return InputError(channel, at.string(), error);
  }
  return absl::OkStatus();
}

absl::Status MakePipe(const std::string& path) {
  // Any user of the container may open it: the way to it is the server's alone.
  if (mkfifo(path.c_str(), 0666) != 0 && errno != EEXIST) {
    return absl::UnavailableError(absl::StrCat("cannot make the pipe ", path, ": ", strerror(errno)));
  }
  chmod(path.c_str(), 0666);
  return absl::OkStatus();
}

absl::Status ProvideChannel(const ContainerPlan& plan, int host, const core::Channel& channel,
                            const std::function<bool()>& given_up) {
  const std::string source = ChannelSource(plan.spec, channel);
  const std::string folder = ChannelFolder(plan, host, channel);
  if (channel.input_mode == InputMode::kPipe) return MakePipe(folder + "_0");
  if (absl::Status removed = RemoveTree(folder); !removed.ok()) return removed;
  if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  absl::StatusOr<std::vector<std::string>> files = FilesOfChannel(source);
  if (!files.ok())
    return absl::InvalidArgumentError(absl::StrCat("input '", channel.name, "': ", files.status().message()));
  const std::vector<std::string> share = ShareOfHost(*std::move(files), channel, host, plan.hosts());
  if (channel.input_mode != InputMode::kFastFile) return CopyFiles(source, folder, share, channel, given_up);
  std::error_code error;
  if (!stdfs::is_directory(source, error)) return WriteFile(absl::StrCat(folder, source.substr(source.rfind('/'))), "");
  if (!channel.sharded || plan.hosts() == 1) return absl::OkStatus();
  if (absl::Status made = MakeFolders(absl::StrCat(plan.InputFolder(host), "/sharded/", channel.name)); !made.ok()) {
    return made;
  }
  return LinkFiles(folder, share, channel);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FilesOfChannel(const std::string& source) {
  std::error_code error;
  if (!stdfs::is_directory(source, error)) {
    if (!stdfs::is_regular_file(source, error)) {
      return absl::InvalidArgumentError(absl::StrCat(source, " is neither a folder nor a file"));
    }
    return std::vector<std::string>{stdfs::path(source).filename().string()};
  }
  std::vector<std::string> files;
  stdfs::recursive_directory_iterator it(source, stdfs::directory_options::follow_directory_symlink, error);
  for (; !error && it != stdfs::recursive_directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) files.push_back(it->path().lexically_relative(source).string());
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat(source, ": ", error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> ShareOfHost(std::vector<std::string> files, const core::Channel& channel, int host,
                                     int hosts) {
  if (!channel.sharded || hosts == 1) return files;
  std::vector<std::string> share;
  for (size_t i = static_cast<size_t>(host); i < files.size(); i += static_cast<size_t>(hosts)) {
    share.push_back(std::move(files[i]));
  }
  return share;
}

absl::Status ProvideInputs(const ContainerPlan& plan, const std::function<bool()>& given_up) {
  for (int host = 0; host < plan.hosts(); ++host) {
    for (const core::Channel& channel : plan.spec.inputs) {
      if (absl::Status provided = ProvideChannel(plan, host, channel, given_up); !provided.ok()) return provided;
    }
  }
  return absl::OkStatus();
}

void RemoveInputs(const ContainerPlan& plan) {
  if (plan.spec.inputs.empty()) return;
  for (int host = 0; host < plan.hosts(); ++host) {
    // Only disk space: what cannot be removed now goes with the job.
    RemoveTree(plan.InputFolder(host) + "/data").IgnoreError();
  }
}

bool HasPipes(const ContainerPlan& plan) {
  return std::any_of(plan.spec.inputs.begin(), plan.spec.inputs.end(),
                     [](const core::Channel& channel) { return channel.input_mode == InputMode::kPipe; });
}

PipeFeeder::PipeFeeder(const ContainerPlan& plan) {
  for (int host = 0; host < plan.hosts(); ++host) {
    for (const core::Channel& channel : plan.spec.inputs) {
      if (channel.input_mode != InputMode::kPipe) continue;
      const std::string source = ChannelSource(plan.spec, channel);
      absl::StatusOr<std::vector<std::string>> files = FilesOfChannel(source);
      if (!files.ok()) continue;  // it was there a moment ago; the trial reads nothing
      pipes_.push_back(
          {ChannelFolder(plan, host, channel), source, ShareOfHost(*std::move(files), channel, host, plan.hosts())});
    }
  }
  for (const Pipe& pipe : pipes_) threads_.emplace_back([this, &pipe] { Feed(pipe); });
}

PipeFeeder::~PipeFeeder() {
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool PipeFeeder::closing() const {
  absl::MutexLock lock(&mutex_);
  return closing_;
}

void PipeFeeder::Feed(const Pipe& pipe) {
  // A trial that closes a pipe early is no reason to end the server.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  for (int64_t epoch = 0; FeedEpoch(pipe, epoch); ++epoch) {
  }
}

bool PipeFeeder::FeedEpoch(const Pipe& pipe, int64_t epoch) {
  const std::string path = absl::StrCat(pipe.path, "_", epoch);
  // The kernel tells nobody when a pipe gets its reader: asked again, seldom enough to cost nothing.
  UniqueFd fd;
  {
    absl::MutexLock lock(&mutex_);
    while (!closing_) {
      fd.Reset(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
      if (fd || (errno != ENXIO && errno != EINTR)) break;
      mutex_.AwaitWithTimeout(absl::Condition(&closing_), absl::Milliseconds(kPipePollMs));
    }
    if (closing_ || !fd) return false;
  }
  // The next one is there before this one ends, as a trial opens it at once.
  if (!MakePipe(absl::StrCat(pipe.path, "_", epoch + 1)).ok()) return false;
  std::string buffer(kPipeBytes, '\0');
  for (const std::string& file : pipe.files) {
    const UniqueFd from(open(FileOfChannel(pipe.source, file).c_str(), O_RDONLY | O_CLOEXEC));
    for (ssize_t n; from && (n = read(from.get(), buffer.data(), buffer.size())) > 0;) {
      for (ssize_t done = 0; done < n;) {
        struct pollfd writable = {fd.get(), POLLOUT, 0};
        poll(&writable, 1, kPipePollMs);
        if (closing()) return false;
        const ssize_t written = write(fd.get(), buffer.data() + done, static_cast<size_t>(n - done));
        if (written > 0) done += written;
        // The trial has had enough of this epoch.
        if (written < 0 && errno != EAGAIN && errno != EINTR) return errno == EPIPE;
      }
    }
  }
  return true;
}

}  // namespace tuner::executors
