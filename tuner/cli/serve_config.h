// The server's configuration: flags over environment over a YAML file over defaults.
//
// Threads: any. Ownership: values. Errors: INVALID_ARGUMENT names the file and key; NOT_FOUND: no such file.
#pragma once

#include "absl/status/statusor.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {

// The unix socket of the data folder is always among the addresses, so that the verbs there find the server.
absl::StatusOr<server::ServerConfig> ServerConfigOf(const Environment& environment, const ConnectOptions& connect,
                                                    const ServeOptions& options);

}  // namespace tuner::cli
