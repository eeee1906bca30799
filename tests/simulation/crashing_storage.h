// A storage that refuses a commit, loses its acknowledgement, or dies, when a test says so. Forwards all else.
//
// Threads: those of the inner storage, but `plan` is called under no lock: single-threaded tests only. Ownership:
// borrows the inner storage.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "storage/storage.h"

namespace tuner::simulation {

class CrashingStorage : public storage::Storage {
 public:
  enum class Fate {
    kStore,
    kRefuse,   // nothing is stored, the caller sees UNAVAILABLE
    kLoseAck,  // it is stored, and the caller sees UNAVAILABLE all the same
    kForget,   // nothing is stored, the caller is told that it was: no storage may do this
    kDieBefore,
    kDieAfter,  // it is stored, and the server dies before it knows
  };

  explicit CrashingStorage(storage::Storage* inner) : inner_(inner) {}

  // Asked before each commit.
  std::function<Fate()> plan;
  // From now on every call fails: the server is dead.
  void Die() { dead_ = true; }
  bool dead() const { return dead_; }

  absl::Status CreateJob(const core::JobHeader& header, const core::ParentJobs& parents) override {
    return dead_ ? Dead() : inner_->CreateJob(header, parents);
  }
  absl::StatusOr<core::ParentJobs> ReadParents(const std::string& job_id) const override {
    if (dead_) return Dead();
    return inner_->ReadParents(job_id);
  }
  absl::StatusOr<std::vector<std::string>> ListChildren(const std::string& parent_uid, int limit) const override {
    if (dead_) return Dead();
    return inner_->ListChildren(parent_uid, limit);
  }
  absl::StatusOr<storage::LoadedJob> LoadJob(const std::string& job_id) const override {
    if (dead_) return Dead();
    return inner_->LoadJob(job_id);
  }
  absl::StatusOr<std::vector<core::MeasurementPut>> ReadMetric(const std::string& job_id,
                                                               const std::string& metric) const override {
    if (dead_) return Dead();
    return inner_->ReadMetric(job_id, metric);
  }
  absl::StatusOr<storage::JobRecord> ReadJob(const std::string& job_id) const override {
    if (dead_) return Dead();
    return inner_->ReadJob(job_id);
  }
  std::vector<absl::Status> Commit(absl::Span<const storage::JobCommit> commits) override {
    const Fate fate = dead_ ? Fate::kDieBefore : plan ? plan() : Fate::kStore;
    if (fate == Fate::kDieBefore || fate == Fate::kDieAfter) dead_ = true;
    std::vector<absl::Status> statuses(commits.size(), Dead());
    if (fate == Fate::kForget) return std::vector<absl::Status>(commits.size());
    if (fate == Fate::kRefuse || fate == Fate::kDieBefore) return statuses;
    std::vector<absl::Status> stored = inner_->Commit(commits);
    return fate == Fate::kStore ? stored : statuses;
  }
  absl::StatusOr<storage::ChangePage> ReadChanges(const std::string& job_id, storage::Revision after,
                                                  int limit) const override {
    if (dead_) return Dead();
    return inner_->ReadChanges(job_id, after, limit);
  }
  absl::StatusOr<storage::Epoch> AcquireJob(const std::string& job_id, const std::string& server, absl::Time now,
                                            absl::Duration lease) override {
    if (dead_) return Dead();
    return inner_->AcquireJob(job_id, server, now, lease);
  }
  absl::Status ReleaseJob(const std::string& job_id, storage::Epoch epoch) override {
    return dead_ ? Dead() : inner_->ReleaseJob(job_id, epoch);
  }
  absl::StatusOr<storage::JobPage> ListJobs(const storage::JobQuery& query) const override {
    if (dead_) return Dead();
    return inner_->ListJobs(query);
  }
  absl::StatusOr<storage::TrialPage> ListTrials(const storage::TrialQuery& query) const override {
    if (dead_) return Dead();
    return inner_->ListTrials(query);
  }
  absl::StatusOr<storage::TrialPage::Entry> ReadTrial(const std::string& job_id, int32_t number) const override {
    if (dead_) return Dead();
    return inner_->ReadTrial(job_id, number);
  }
  absl::StatusOr<std::vector<core::Trial>> ReadTrials(const std::string& job_id,
                                                      absl::Span<const int32_t> numbers) const override {
    if (dead_) return Dead();
    return inner_->ReadTrials(job_id, numbers);
  }
  absl::Status DeleteJob(const std::string& job_id) override { return dead_ ? Dead() : inner_->DeleteJob(job_id); }

 private:
  static absl::Status Dead() { return absl::UnavailableError("the simulated storage refuses"); }

  storage::Storage* const inner_;
  bool dead_ = false;
};

}  // namespace tuner::simulation
