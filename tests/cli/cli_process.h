// Runs the `tuner` program of this build as a process, in a folder and environment of its own.
//
// Threads: one per object. Ownership: a RunningTuner that is destroyed early is killed and reaped. Errors: as test
// failures or in the result.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace tuner::testing {

struct Outcome {
  int exit_code = -1;  // 128 + signal, as a shell says it
  std::string out, err;
};

// A new folder that is removed at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string Write(const std::string& name, const std::string& text) const;
  std::string Read(const std::string& name) const;

 private:
  std::string path_;
};

// TUNER_* of the outer environment are not passed on; HOME is the folder.
using Variables = std::map<std::string, std::string>;

class RunningTuner {
 public:
  RunningTuner(const std::vector<std::string>& arguments, const std::string& folder, const Variables& variables = {});
  // Another program, in the same environment; `tuner` is on its PATH.
  RunningTuner(const std::string& program, const std::vector<std::string>& arguments, const std::string& folder,
               const Variables& variables);
  ~RunningTuner();
  RunningTuner(const RunningTuner&) = delete;
  RunningTuner& operator=(const RunningTuner&) = delete;
  void Signal(int signal) const;
  // Reads until the text came on either stream; false: the program ended before.
  bool AwaitText(const std::string& text);
  // Reads to the end and reaps.
  Outcome Wait();

 private:
  // One more piece of either stream; false: both have ended.
  bool ReadSome();
  pid_t pid_ = -1;
  int out_fd_ = -1, err_fd_ = -1;
  Outcome outcome_;
};

Outcome RunTuner(const std::vector<std::string>& arguments, const std::string& folder, const Variables& variables = {});

}  // namespace tuner::testing
