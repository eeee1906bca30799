// What is kept on disk of a container run, beside the claims of process runs in <job>/claims:
//
//   <trial>-<attempt>.container   this run was accepted; it is never begun twice
//   <trial>-<attempt>.started     its containers exist and may have been started: from here on nothing is started anew
//   <trial>-<attempt>.ended       how it ended
//
// Each is written whole, and synced with its folder, before the next step is taken.
//
// Threads: any; two calls for one run must not overlap. Ownership: values. Errors: UNAVAILABLE: the disk, ask again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executors/executor.h"
#include "executors/run_folder.h"

namespace tuner::executors {

struct ContainerClaim {
  std::string socket;
  std::string name;
  bool fresh_start = true;
  std::vector<int> gpus;
};

struct ContainerStart {
  // Of each host's container; empty: it is to be made, as the one that was there never ran.
  std::vector<std::string> ids;
  std::string boot_id;
};

struct ContainerEnd {
  RunEnded ended;
  std::optional<RunStarted> started;  // absent: it never ran
  bool kept = false;                  // its containers are kept for inspection
};

// Nothing: there is none.
absl::StatusOr<std::optional<ContainerClaim>> ReadContainerClaim(const RunPaths& paths);
absl::StatusOr<std::optional<ContainerStart>> ReadContainerStart(const RunPaths& paths);
absl::StatusOr<std::optional<ContainerEnd>> ReadContainerEnd(const RunPaths& paths);

absl::Status WriteContainerClaim(const RunPaths& paths, const ContainerClaim& claim);
absl::Status WriteContainerStart(const RunPaths& paths, const ContainerStart& start);
absl::Status WriteContainerEnd(const RunPaths& paths, const ContainerEnd& end);

}  // namespace tuner::executors
