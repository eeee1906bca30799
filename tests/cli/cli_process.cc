#include "tests/cli/cli_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "gtest/gtest.h"

extern char** environ;

namespace tuner::testing {

namespace fs = std::filesystem;

TestFolder::TestFolder() {
  std::string name = (fs::temp_directory_path() / "tuner-cli-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) path_ = name;
  EXPECT_FALSE(path_.empty()) << "cannot make a folder in " << fs::temp_directory_path();
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

std::string TestFolder::Write(const std::string& name, const std::string& text) const {
  const fs::path file = fs::path(path_) / name;
  std::ofstream(file, std::ios::binary) << text;
  return file.string();
}

std::string TestFolder::Read(const std::string& name) const {
  std::ifstream file(fs::path(path_) / name, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

RunningTuner::RunningTuner(const std::vector<std::string>& arguments, const std::string& folder,
                           const Variables& variables)
    : RunningTuner(TUNER_PROGRAM, arguments, folder, variables) {}

RunningTuner::RunningTuner(const std::string& program, const std::vector<std::string>& arguments,
                           const std::string& folder, const Variables& variables) {
  const char* const outer_path = getenv("PATH");
  const std::string path =
      fs::path(TUNER_PROGRAM).parent_path().string() + ":" + (outer_path != nullptr ? outer_path : "/usr/bin:/bin");
  std::map<std::string, std::string> all = {
      {"HOME", folder}, {"LC_ALL", "C.UTF-8"}, {"TZ", "UTC"}, {"USER", "tester"}, {"PATH", path}};
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string text = *each;
    const size_t equals = text.find('=');
    if (text.rfind("TUNER_", 0) == 0 || text.rfind("XDG_", 0) == 0) continue;
    all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const auto& [name, value] : variables) all[name] = value;
  std::vector<std::string> environment, words = {program};
  for (const auto& [name, value] : all) environment.push_back(name + "=" + value);
  words.insert(words.end(), arguments.begin(), arguments.end());
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  };
  std::vector<char*> argv = pointers(words), envp = pointers(environment);
  int out[2] = {-1, -1}, err[2] = {-1, -1};
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  const int error = posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  out_fd_ = out[0];
  err_fd_ = err[0];
  if (error != 0) pid_ = -1;
  EXPECT_EQ(error, 0) << program << ": " << std::strerror(error);
}

RunningTuner::~RunningTuner() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(out_fd_);
  close(err_fd_);
}

void RunningTuner::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

bool RunningTuner::ReadSome() {
  pollfd files[] = {{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}};
  if (poll(files, 2, -1) < 0) return false;
  bool open = false;
  for (int i = 0; i < 2; ++i) {
    if (files[i].revents == 0) {
      open = open || files[i].fd >= 0;
      continue;
    }
    char buffer[4096];
    const ssize_t size = read(files[i].fd, buffer, sizeof buffer);
    if (size > 0) {
      (i == 0 ? outcome_.out : outcome_.err).append(buffer, static_cast<size_t>(size));
      open = true;
    } else {
      close(files[i].fd);
      (i == 0 ? out_fd_ : err_fd_) = -1;
    }
  }
  return open || out_fd_ >= 0 || err_fd_ >= 0;
}

bool RunningTuner::AwaitText(const std::string& text) {
  while (outcome_.out.find(text) == std::string::npos && outcome_.err.find(text) == std::string::npos) {
    if (!ReadSome()) return false;
  }
  return true;
}

Outcome RunningTuner::Wait() {
  while (ReadSome()) {
  }
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, 0) == pid_) {
    outcome_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  pid_ = -1;
  return outcome_;
}

Outcome RunTuner(const std::vector<std::string>& arguments, const std::string& folder, const Variables& variables) {
  RunningTuner running(arguments, folder, variables);
  return running.Wait();
}

}  // namespace tuner::testing
