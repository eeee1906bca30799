// The table of specifications that must be refused, for tests of validation, of the service and of the command line
// alike.
#pragma once

#include <string>
#include <vector>

namespace tuner::testing {

struct MalformedSpec {
  std::string name;                // for the test's name: letters, digits and _
  std::string yaml;                // a job file that can be read, but not be run
  std::vector<std::string> paths;  // of all its bad fields, and no others
};

// The entries of malformed_specs.yaml, at least 100. Ends the program if the file cannot be read.
std::vector<MalformedSpec> LoadMalformedSpecs();

// The specification that all of them are variations of; it is accepted.
std::string WellFormedSpecYaml();

}  // namespace tuner::testing
