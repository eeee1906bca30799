#include "executors/external.h"

#include "tuner/v1/executors.pb.h"

namespace tuner::executors {
namespace {

class ExternalExecutor : public Executor {
 public:
  absl::Status Launch(const RunSpec&) override {
    return absl::FailedPreconditionError(
        "trials of the external executor are handed out by SuggestTrials, not launched");
  }
  absl::Status Stop(const RunId&, absl::Duration) override {
    return absl::FailedPreconditionError("a worker is told to stop by the answer to its next report");
  }
  absl::StatusOr<std::vector<bool>> Adopt(absl::Span<const RunCursor> runs) override {
    return std::vector<bool>(runs.size(), false);
  }
  void Acknowledge(const RunId&) override {}
  absl::Status Remove(const std::string&, const std::string&) override { return absl::OkStatus(); }
  Capabilities capabilities() const override { return {.survives_server = true, .is_external = true}; }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> MakeExternalExecutor(const ExecutorContext&) {
  return std::make_unique<ExternalExecutor>();
}

core::Problems ValidateExternalOptions(const std::string& bytes, const core::JobSpec&) {
  v1::ExternalExecutor options;
  if (!options.ParseFromString(bytes)) return {{"", "is not a valid ExternalExecutor message"}};
  if (!options.has_lease()) return {};
  const google::protobuf::Duration& lease = options.lease();
  const bool normal = lease.nanos() >= 0 && lease.nanos() < 1'000'000'000;
  constexpr int64_t kMost = int64_t{7} * 24 * 3600;
  if (!normal || lease.seconds() < 1 || lease.seconds() > kMost || (lease.seconds() == kMost && lease.nanos() > 0)) {
    return {{"lease", "must be between 1 s and 7 days"}};
  }
  return {};
}

}  // namespace tuner::executors
