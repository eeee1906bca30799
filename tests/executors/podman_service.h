// A container engine of a test's own: Podman's service on a socket in a temporary folder (scripts/podman-service).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tuner::executors {

class PodmanService {
 public:
  // Why there can be none here; empty: there can.
  static std::string Missing();

  // Makes the folder, imports localhost/busybox:1 and starts the service. Aborts the test program if that fails.
  PodmanService();
  // Ends all containers and removes the folder.
  ~PodmanService();
  PodmanService(const PodmanService&) = delete;
  PodmanService& operator=(const PodmanService&) = delete;

  std::string socket() const { return folder_ + "/engine.sock"; }
  // Starts the service, and returns when it answers.
  void Start();
  // Kills the service; containers go on.
  void Kill();
  // Runs podman; what it printed.
  std::string Podman(const std::vector<std::string>& arguments);

 private:
  int Script(const std::vector<std::string>& arguments, std::string* output);

  std::string folder_;
  pid_t pid_ = -1;
};

// The one of this program; made by main (container_test_main.cc).
PodmanService& Engine();

}  // namespace tuner::executors
