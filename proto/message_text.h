// Messages as text for people and programs, in the proto's JSON mapping with snake_case names: the one formatter of
// every listing and export.
//
// Pure functions; any thread. Never fails: bytes that are not UTF-8 become U+FFFD. Numbers without presence are written
// also when they are 0.
#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace tuner::job_file {

// Reads back to the same message by MergeYaml. Short messages and lists are written on one line.
std::string ToYaml(const google::protobuf::Message& message);

enum class JsonLayout {
  kIndented,  // two spaces, a line for each field
  kOneLine,
};
// One JSON document that ends with a newline (kIndented) or without (kOneLine). Booleans without presence are written
// also when false.
std::string ToJson(const google::protobuf::Message& message, JsonLayout layout = JsonLayout::kIndented);

}  // namespace tuner::job_file
