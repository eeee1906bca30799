// Page sizes and page tokens of the list methods. Pure functions; any thread. Errors: INVALID_ARGUMENT.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace tuner::server {

struct Page {
  int limit = 100;
  std::string after;        // where the page before ended, as given to NextToken; empty on the first page
  std::string fingerprint;  // of the request's other arguments; a token is good for the same ones only
};

// Reads a request's page_size (0: 100; else 1 to 1,000) and page_token.
absl::StatusOr<Page> ReadPage(const google::protobuf::Message& request);

// The next_page_token that goes on at `after`; empty for an empty `after`.
std::string NextToken(const Page& page, const std::string& after);

}  // namespace tuner::server
