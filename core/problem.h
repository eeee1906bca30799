// One finding about a specification: where, what is wrong, what to change. Plain value; any thread.
#pragma once

#include <string>
#include <vector>

namespace tuner::core {

struct Problem {
  std::string path;  // field path as in the proto, for example "parameters[2].double.min"; empty for the whole
  std::string text;  // a sentence: what is wrong and what to change
};

using Problems = std::vector<Problem>;

}  // namespace tuner::core
