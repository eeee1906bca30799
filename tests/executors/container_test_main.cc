// main of tests that need a container engine: where there can be none, all of them are skipped, and on CI they fail.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "gtest/gtest.h"
#include "tests/executors/podman_service.h"

namespace tuner::executors {
namespace {

std::unique_ptr<PodmanService> engine;
constexpr int kSkipped = 77;

}  // namespace

PodmanService& Engine() { return *engine; }

int Run() {
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  if (const std::string missing = PodmanService::Missing(); !missing.empty()) {
    fprintf(stderr, "SKIPPED: no container engine for the tests: %s\n", missing.c_str());
    const char* ci = getenv("CI");
    return ci != nullptr && strcmp(ci, "true") == 0 ? 1 : kSkipped;
  }
  engine = std::make_unique<PodmanService>();
  const int failed = RUN_ALL_TESTS();
  engine.reset();
  return failed;
}

}  // namespace tuner::executors

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return tuner::executors::Run();
}
