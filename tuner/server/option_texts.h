// What ListStrategies, ListExecutors and ListEarlyStoppingRules say of each option; the API's descriptors carry names
// and types only. Constant data; any thread. A test holds the table complete.
#pragma once

#include <string>
#include <string_view>

namespace tuner::server {

struct OptionText {
  std::string_view field;          // full name, "tuner.v1.GridStrategy.allow_partial"
  std::string_view default_value;  // as JSON; empty if there is none
  std::string_view description;    // meaning, unit and bounds
  bool required = false;
};

const OptionText* FindOptionText(std::string_view full_name);

}  // namespace tuner::server
