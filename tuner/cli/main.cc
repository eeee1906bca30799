// The `tuner` program, with the executors that are built in.
#include "executors/executor.h"
#include "tuner/cli/program.h"

int main(int argc, char** argv) { return tuner::cli::RunProgram(argc, argv, tuner::executors::ExecutorRegistry()); }
