#include "tests/executors/podman_service.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "executors/docker_api.h"
#include "executors/unique_fd.h"

namespace tuner::executors {
namespace {

constexpr int kStartTries = 3000;
constexpr int kStartPollMs = 10;

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

bool InPath(const char* program) {
  return system((std::string("command -v ") + program + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

std::string PodmanService::Missing() {
  if (geteuid() != 0) return "the tests' Podman runs as root";
  for (const char* program : {"podman", "runc", "busybox"}) {
    if (!InPath(program)) return std::string("no ") + program + ": run scripts/install-dependencies engines";
  }
  return "";
}

PodmanService::PodmanService() {
  char folder[] = "/tmp/tuner-engine-XXXXXX";
  if (mkdtemp(folder) == nullptr) abort();
  folder_ = folder;
  std::string output;
  if (Script({"prepare"}, &output) != 0) {
    fprintf(stderr, "%s\n", output.c_str());
    abort();
  }
  Start();
}

PodmanService::~PodmanService() {
  Kill();
  std::string output;
  Script({"remove"}, &output);
}

void PodmanService::Start() {
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::vector<std::string> words = {TUNER_PODMAN_SERVICE, folder_, "serve"};
    if (freopen((folder_ + "/service.log").c_str(), "a", stderr) == nullptr) _exit(1);
    execv(words[0].c_str(), Pointers(words).data());
    _exit(1);
  }
  HttpClient http;
  const DockerApi api(&http, socket());
  for (int i = 0; i < kStartTries; ++i) {
    if (api.Version(nullptr).ok()) return;
    poll(nullptr, 0, kStartPollMs);
  }
  fprintf(stderr, "podman's service does not answer; see %s/service.log\n", folder_.c_str());
  abort();
}

void PodmanService::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string PodmanService::Podman(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"podman"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::string output;
  Script(words, &output);
  return output;
}

int PodmanService::Script(const std::vector<std::string>& arguments, std::string* output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    std::vector<std::string> words = {TUNER_PODMAN_SERVICE, folder_};
    words.insert(words.end(), arguments.begin(), arguments.end());
    execv(words[0].c_str(), Pointers(words).data());
    _exit(127);
  }
  writer.Reset();
  char buffer[4096];
  for (ssize_t n; (n = read(reader.get(), buffer, sizeof(buffer))) > 0;) output->append(buffer, static_cast<size_t>(n));
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace tuner::executors
