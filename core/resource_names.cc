#include "core/resource_names.h"

#include <charconv>
#include <optional>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace tuner::core {
namespace {

constexpr std::string_view kJobs = "tuningJobs/";
constexpr std::string_view kTrials = "/trials/";
constexpr size_t kMaxJobIdLength = 63;

// One text for each number: no sign, no leading zeros.
std::optional<int32_t> ParseTrialNumber(std::string_view text) {
  int32_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  if (!whole || number < 1 || text[0] == '0') return std::nullopt;
  return number;
}

}  // namespace

bool IsJobId(std::string_view job_id) {
  if (job_id.empty() || job_id.size() > kMaxJobIdLength || !absl::ascii_isalnum(job_id[0])) return false;
  for (const char c : job_id) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

std::string JobName(std::string_view job_id) { return std::string(kJobs).append(job_id); }

std::string TrialName(std::string_view job_id, int32_t trial_number) {
  return absl::StrCat(JobName(job_id), std::string(kTrials), trial_number);
}

absl::StatusOr<std::string> ParseJobName(std::string_view job_name) {
  const bool prefixed = job_name.substr(0, kJobs.size()) == kJobs;
  if (!prefixed || !IsJobId(job_name.substr(kJobs.size()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", std::string(job_name), "\" is not a job's name; give tuningJobs/{job}, where {job} is 1 to ",
                     kMaxJobIdLength, " letters, digits, '.', '_' or '-', beginning with a letter or digit"));
  }
  return std::string(job_name.substr(kJobs.size()));
}

absl::StatusOr<TrialId> ParseTrialName(std::string_view trial_name) {
  const size_t split = trial_name.find(kTrials);
  if (split != std::string_view::npos) {
    const absl::StatusOr<std::string> job_id = ParseJobName(trial_name.substr(0, split));
    const std::optional<int32_t> number = ParseTrialNumber(trial_name.substr(split + kTrials.size()));
    if (job_id.ok() && number.has_value()) return TrialId{.job_id = *job_id, .number = *number};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", std::string(trial_name),
                   "\" is not a trial's name; give tuningJobs/{job}/trials/{number}, {number} from 1"));
}

}  // namespace tuner::core
