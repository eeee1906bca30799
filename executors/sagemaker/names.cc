#include "executors/sagemaker/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "executors/aws/sigv4.h"

namespace tuner::executors::sagemaker {
namespace {

// So that all else fits beside it, up to trial and attempt of seven and six digits.
constexpr size_t kMaxJobPart = 30;

// "<job>-<hash>"
std::string JobPart(const RunId& id) {
  std::string part;
  for (const char c : id.job_id.substr(0, kMaxJobPart)) {
    part += absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '-';
  }
  return absl::StrCat(part, "-", aws::HexSha256(id.job_uid).substr(0, 8));
}

}  // namespace

std::string TrainingJobName(const RunId& id, int instance_type) {
  std::string name = absl::StrCat(kNamePrefix, JobPart(id), "-", id.trial, "-", id.attempt);
  if (instance_type > 0) absl::StrAppend(&name, "-", instance_type + 1);
  return name;
}

std::string RunTag(const RunId& id) { return absl::StrCat(id.job_uid, "/", id.trial, "/", id.attempt); }

std::string TrialUri(const std::string& base, const RunId& id) {
  return absl::StrCat(std::string(absl::StripSuffix(base, "/")), "/", JobPart(id), "/", id.trial);
}

std::string CommonPrefix(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const auto [least, most] = std::minmax_element(names.begin(), names.end());
  const auto end = std::mismatch(least->begin(), least->end(), most->begin(), most->end()).first;
  return std::string(least->begin(), end);
}

}  // namespace tuner::executors::sagemaker
