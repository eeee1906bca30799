// The peers' servers, and their ask, report and complete in their own protocols.
//
// Threads: values for one thread. Errors: NOT_FOUND if the peer's virtual environment is missing.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bench/bench.h"
#include "bench/rpc_load.h"

namespace tuner::bench {

struct Peer {
  const char* name;         // as the tables show it
  const char* environment;  // of bench/peers
  const char* script;       // takes a port and a storage
  // Makes a study of five doubles; from then on one dialogue for each connection.
  absl::StatusOr<std::function<std::unique_ptr<Dialogue>(int)>> (*make_study)(const std::string& endpoint);
};

extern const Peer kVizier;
// As Optuna's client asks: a trial, and a call for each of its parameters.
extern const Peer kOptuna;
// The least that its protocol allows: the parameters come with the trial. Its client does not do so.
extern const Peer kOptunaTemplate;

// Python of a peer's environment. NOT_FOUND.
absl::StatusOr<std::string> PeerPython(const Context& context, const std::string& environment);

}  // namespace tuner::bench
