// Trials as containers, by the Docker Engine API on a unix socket: Docker, or Podman's service.
//
// Launch notes durably that a run was accepted and returns; a ContainerRun then takes it to its end, for as long as the
// engine needs. What happened is in the engine and in the records beside the job's claims (container_records.h), so a
// restarted server goes on where the last one was. A container is removed once its end is recorded; what a crash leaves
// behind is found by its labels at the next start.
//
// Threads: any. Ownership: borrows what the context names. The destructor detaches: containers go on. Errors: as
// Executor says; an engine that is down is no error, its runs wait for it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "executors/executor.h"

namespace tuner::executors {

// UNAVAILABLE: the data folder.
absl::StatusOr<std::unique_ptr<Executor>> MakeContainerExecutor(const ExecutorContext& context);

// What this machine lacks to run containers, or "": an engine that answers on its socket.
std::string MissingForContainers();

}  // namespace tuner::executors
