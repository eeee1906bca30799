// The tuner program, server and all verbs, with one executor more.
//
//   custom_server serve        custom_server run job.yaml        custom_server doctor
#include <cstdio>
#include <string>
#include <utility>

#include "function_executor.h"
#include "rosenbrock.h"
#include "tuner/cli/program.h"

int main(int argc, char** argv) {
  tuner::executors::ExecutorRegistry executor_kinds;
  if (const absl::Status added = executor_kinds.Add(FunctionExecutorKind(&Rosenbrock)); !added.ok()) {
    std::fprintf(stderr, "custom_server: %s\n", std::string(added.message()).c_str());
    return 1;
  }
  return tuner::cli::RunProgram(argc, argv, std::move(executor_kinds));
}
