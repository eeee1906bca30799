// Tokens and secrets in the data folder.
//
//   <data>/token    the token of whoever may read the folder; the command line there reads it by itself
//   <data>/tokens   tokens with a name, one line each: name, SHA-256 of the token, time of creation
//   <data>/secret   the key under which trials' tokens are made
//
// All have mode 0600. Threads: any; processes: changes of <data>/tokens are made under a lock. Errors: UNAVAILABLE and
// PERMISSION_DENIED where the folder cannot be read or written; the message names the file.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace tuner::server {

// 256 random bits as text. UNAVAILABLE: OpenSSL has none.
absl::StatusOr<std::string> RandomToken();

// The token of the folder. NOT_FOUND: no server was started on it yet.
absl::StatusOr<std::string> ReadServerToken(const std::string& data_dir);
// The same, made when there is none.
absl::StatusOr<std::string> ReadOrMakeServerToken(const std::string& data_dir);
absl::StatusOr<std::string> ReadOrMakeSecret(const std::string& data_dir);

struct NamedToken {
  std::string name;
  std::string sha256;  // 32 bytes
  absl::Time create_time;
};

// Makes a token and returns it; only its hash is kept. INVALID_ARGUMENT: the name is not
// [A-Za-z0-9][A-Za-z0-9._-]{0,62}. ALREADY_EXISTS.
absl::StatusOr<std::string> CreateToken(const std::string& data_dir, const std::string& name, absl::Time now);
// In order of creation. DATA_LOSS: a line cannot be read.
absl::StatusOr<std::vector<NamedToken>> ListTokens(const std::string& data_dir);
// Takes effect at once, also on a server that runs. NOT_FOUND.
absl::Status RevokeToken(const std::string& data_dir, const std::string& name);

}  // namespace tuner::server
