// replay.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

std::string Quoted(const std::string& fingerprint) {
  return fingerprint.empty() ? "none" : absl::StrCat("\"", Printable(fingerprint), "\"");
}

std::string ValueOf(bool present, const google::protobuf::Value& value) {
  return present ? Printable(ValueText(value)) : "inactive";
}

std::string DifferenceText(const v1::ReplayTuningJobResponse& replay) {
  const auto& first = replay.first_difference();
  if (first.parameter().empty()) return absl::StrCat("trial ", first.trial(), ": not proposed again in this way");
  return absl::StrCat("trial ", first.trial(), ", ", Printable(first.parameter()), ": stored ",
                      ValueOf(first.has_stored(), first.stored()), ", recomputed ",
                      ValueOf(first.has_recomputed(), first.recomputed()), "; ", Number(first.distance()),
                      " apart in unit coordinates");
}

std::string KindsText(const v1::ReplayTuningJobResponse& replay) {
  std::string text;
  for (const auto& count : replay.kind_counts()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", count.count(), " ", v1::Basis::Kind_Name(count.kind()));
  }
  return text;
}

void Print(Printer& printer, const std::string& job, const v1::ReplayTuningJobResponse& replay) {
  const auto count = [](int n) { return n == 0 ? std::string() : absl::StrCat(n); };
  std::string others;
  for (const std::string& fingerprint : replay.other_fingerprints()) {
    absl::StrAppend(&others, others.empty() ? "" : ", ", Quoted(fingerprint));
  }
  printer.PrintPairs(
      {{"Job", job},
       {"Suggestions", absl::StrCat(replay.suggestion_count())},
       {"Basis", KindsText(replay)},
       {"Identical", absl::StrCat(replay.identical_count())},
       {"Close",
        replay.close_count() == 0 ? "" : absl::StrCat(replay.close_count(), " (within 1e-6 in unit coordinates)")},
       {"Different", absl::StrCat(replay.different_count())},
       {"Not recorded", count(replay.unrecorded_count())},
       {"First difference", replay.has_first_difference() ? DifferenceText(replay) : ""},
       {"Fingerprint", replay.fingerprint().empty() && others.empty() ? "" : Quoted(replay.fingerprint())},
       {"Recorded under", others}});
}

}  // namespace

absl::StatusOr<int> ReplayJob(Context& context, const JobOptions& options) {
  const auto name = JobNameOf(options.job);
  if (!name.ok()) return name.status();
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  v1::ReplayTuningJobRequest request;
  request.set_name(*name);
  const auto replay = (*client)->Call(request);
  if (!replay.ok()) return replay.status();
  if (context.json()) {
    context.printer().PrintJson(*replay);
  } else {
    Print(context.printer(), IdOf(*name), *replay);
  }
  return replay->different_count() == 0 ? kDone : kJobFailed;
}

}  // namespace tuner::cli
