#include "tests/storage/faulty_storage.h"

#include <utility>

namespace tuner::storage {
namespace {

absl::Status Refused() { return absl::UnavailableError("injected: the store refused the write"); }
absl::Status Lost() { return absl::UnavailableError("injected: the acknowledgement was lost"); }

class FaultyStorage : public Storage {
 public:
  FaultyStorage(std::unique_ptr<Storage> inner, FaultPlan plan) : inner_(std::move(inner)), plan_(std::move(plan)) {}

  absl::Status CreateJob(const core::JobHeader& header, const core::ParentJobs& parents) override {
    return Write(WriteKind::kCreateJob, [&] { return inner_->CreateJob(header, parents); });
  }
  absl::StatusOr<LoadedJob> LoadJob(const std::string& job_id) const override { return inner_->LoadJob(job_id); }
  absl::StatusOr<std::vector<core::MeasurementPut>> ReadMetric(const std::string& job_id,
                                                               const std::string& metric) const override {
    return inner_->ReadMetric(job_id, metric);
  }
  absl::StatusOr<JobRecord> ReadJob(const std::string& job_id) const override { return inner_->ReadJob(job_id); }
  absl::StatusOr<core::ParentJobs> ReadParents(const std::string& job_id) const override {
    return inner_->ReadParents(job_id);
  }
  absl::StatusOr<std::vector<std::string>> ListChildren(const std::string& parent_uid, int limit) const override {
    return inner_->ListChildren(parent_uid, limit);
  }
  std::vector<absl::Status> Commit(absl::Span<const JobCommit> commits) override {
    const Fault fault = plan_(WriteKind::kCommit);
    if (fault == Fault::kBefore) return {commits.size(), Refused()};
    std::vector<absl::Status> statuses = inner_->Commit(commits);
    if (fault == Fault::kAfter) return {commits.size(), Lost()};
    return statuses;
  }
  absl::StatusOr<ChangePage> ReadChanges(const std::string& job_id, Revision after, int limit) const override {
    return inner_->ReadChanges(job_id, after, limit);
  }
  absl::StatusOr<Epoch> AcquireJob(const std::string& job_id, const std::string& server, absl::Time now,
                                   absl::Duration lease) override {
    const Fault fault = plan_(WriteKind::kAcquireJob);
    if (fault == Fault::kBefore) return Refused();
    absl::StatusOr<Epoch> epoch = inner_->AcquireJob(job_id, server, now, lease);
    if (fault == Fault::kAfter) return Lost();
    return epoch;
  }
  absl::Status ReleaseJob(const std::string& job_id, Epoch epoch) override {
    return Write(WriteKind::kReleaseJob, [&] { return inner_->ReleaseJob(job_id, epoch); });
  }
  absl::StatusOr<JobPage> ListJobs(const JobQuery& query) const override { return inner_->ListJobs(query); }
  absl::StatusOr<TrialPage> ListTrials(const TrialQuery& query) const override { return inner_->ListTrials(query); }
  absl::StatusOr<TrialPage::Entry> ReadTrial(const std::string& job_id, int32_t number) const override {
    return inner_->ReadTrial(job_id, number);
  }
  absl::StatusOr<std::vector<core::Trial>> ReadTrials(const std::string& job_id,
                                                      absl::Span<const int32_t> numbers) const override {
    return inner_->ReadTrials(job_id, numbers);
  }
  absl::Status DeleteJob(const std::string& job_id) override {
    return Write(WriteKind::kDeleteJob, [&] { return inner_->DeleteJob(job_id); });
  }

 private:
  template <typename Function>
  absl::Status Write(WriteKind kind, const Function& write) {
    const Fault fault = plan_(kind);
    if (fault == Fault::kBefore) return Refused();
    absl::Status status = write();
    return fault == Fault::kAfter ? Lost() : status;
  }

  const std::unique_ptr<Storage> inner_;
  const FaultPlan plan_;
};

}  // namespace

std::unique_ptr<Storage> MakeFaultyStorage(std::unique_ptr<Storage> inner, FaultPlan plan) {
  return std::make_unique<FaultyStorage>(std::move(inner), std::move(plan));
}

}  // namespace tuner::storage
