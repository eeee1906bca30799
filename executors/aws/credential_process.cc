// credential_process: a program that prints credentials.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>
#include <boost/process/search_path.hpp>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "executors/aws/credential_sources.h"
#include "executors/unique_fd.h"

namespace tuner::executors::aws {
namespace {

namespace process = boost::process;

constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr size_t kMostOutput = 64 << 10;

absl::Status ProcessFailed(absl::string_view what) {
  // What it printed may hold secrets, also on stderr.
  return absl::UnauthenticatedError(absl::StrCat("credential_process ", what, ": run it by hand to see more"));
}

// Words as a POSIX shell splits them, without expansions. nullopt: a quote without its partner.
std::optional<std::vector<std::string>> SplitWords(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\\' && quote != '\'' && i + 1 < command.size()) {
      const char next = command[++i];
      if (quote == '"' && next != '"' && next != '\\') word += c;
      word += next;
      in_word = true;
    } else if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
      if (in_word) words.push_back(std::exchange(word, ""));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return std::nullopt;
  if (in_word) words.push_back(word);
  return words;
}

// Takes what is there. False: nothing more will come.
bool ReadSome(int fd, std::string& output) {
  char buffer[4096];
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    output.append(buffer, static_cast<size_t>(count));
    if (output.size() > kMostOutput) return false;
  }
}

// Until the program has ended (OK), or is not waited for any more.
absl::Status AwaitProgram(int output_fd, int pidfd, int stop_fd, std::string& output) {
  const absl::Time deadline = absl::Now() + kPatience;
  for (bool more = true;;) {
    const int64_t left = absl::ToInt64Milliseconds(absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1)));
    if (left <= 0) return ProcessFailed(absl::StrCat("did not end within ", absl::FormatDuration(kPatience)));
    pollfd fds[] = {{pidfd, POLLIN, 0}, {stop_fd, POLLIN, 0}, {more ? output_fd : -1, POLLIN, 0}};
    if (poll(fds, 3, static_cast<int>(left)) < 0 && errno != EINTR) return ProcessFailed("cannot be waited for");
    if (fds[2].revents != 0) more = ReadSome(output_fd, output);
    if (output.size() > kMostOutput) return ProcessFailed("prints more than 64 kB");
    if (fds[1].revents != 0)
      return absl::CancelledError("AWS credentials: the wait for credential_process was given up");
    if (fds[0].revents != 0) {
      ReadSome(output_fd, output);
      return absl::OkStatus();
    }
  }
}

// What the program printed.
absl::StatusOr<std::string> Run(const std::vector<std::string>& words, int stop_fd) {
  try {
    const boost::filesystem::path program =
        words[0].find('/') == std::string::npos ? process::search_path(words[0]) : boost::filesystem::path(words[0]);
    if (program.empty()) return ProcessFailed(absl::StrCat(words[0], " is not on PATH"));
    process::pipe pipe;
    const std::vector<std::string> arguments(words.begin() + 1, words.end());
    std::error_code error;
    process::child child(process::exe = program.string(), process::args = arguments,
                         process::std_in<process::null, process::std_out> pipe, process::std_err > process::null,
                         error);
    if (error) return ProcessFailed(absl::StrCat(words[0], " cannot be started: ", error.message()));
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child.id(), 0)));
    fcntl(pipe.native_source(), F_SETFL, O_NONBLOCK);
    std::string output;
    const absl::Status ended = pidfd ? AwaitProgram(pipe.native_source(), pidfd.get(), stop_fd, output)
                                     : ProcessFailed("cannot be waited for");
    if (!ended.ok()) child.terminate(error);
    child.wait(error);
    if (!ended.ok()) return ended;
    if (child.exit_code() != 0) return ProcessFailed(absl::StrCat(words[0], " ended with ", child.exit_code()));
    return output;
  } catch (const std::exception& exception) {
    return ProcessFailed(absl::StrCat("cannot be started: ", exception.what()));
  }
}

}  // namespace

absl::StatusOr<Credentials> FromProcess(const std::string& command, StopSignal* stop) {
  const std::optional<std::vector<std::string>> words = SplitWords(command);
  if (!words.has_value() || words->empty()) return ProcessFailed("has a quote without its partner, or no program");
  const UniqueFd stop_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const uint64_t wake = stop == nullptr ? 0 : stop->Add([&] { eventfd_write(stop_event.get(), 1); });
  const absl::StatusOr<std::string> output = Run(*words, stop_event.get());
  if (stop != nullptr) stop->Remove(wake);
  if (!output.ok()) return output.status();
  const nlohmann::json json = nlohmann::json::parse(*output, nullptr, false);
  if (!json.is_object() || !json.contains("Version") || json["Version"] != 1) {
    return ProcessFailed("printed no JSON object with Version 1");
  }
  return ParseCredentials(*output, "SessionToken", "credential_process");
}

}  // namespace tuner::executors::aws
