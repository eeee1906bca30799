#include "tuner/server/watch.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "proto/convert.h"

namespace tuner::server {
namespace {

constexpr int kCommitsPerRead = 100;
constexpr int kTrialsPerMessage = 100;
constexpr size_t kMaxMessageBytes = 1 << 20;  // of changes; far below the 4 MiB that clients take by default

class MessageBuilder {
 public:
  MessageBuilder(const std::string& job_id, storage::Revision after) : job_id_(job_id) { Begin(after); }

  // Shown with the job, whose header changes with it.
  void Add(const core::NotificationPut&) {}
  void Add(const core::MeasurementPut& put) {
    auto& out = *messages_.back().add_measurements();
    out.set_trial(put.trial);
    *out.mutable_measurement() = convert::ToProto(put.measurement);
    Grow(out.ByteSizeLong());
  }
  void Add(const core::TrialPut& put) {
    v1::WatchTuningJobResponse& message = messages_.back();
    const auto [place, is_new] = trials_.try_emplace(put.trial.number, message.trials_size());
    v1::Trial& out = is_new ? *message.add_trials() : *message.mutable_trials(place->second);
    out = convert::ToProto(job_id_, put.trial, {});
    Grow(out.ByteSizeLong());
  }
  void Add(const core::JobPut& put) { header_ = &put.header; }

  // The commit is in the messages as a whole.
  void Commit(storage::Revision revision) { messages_.back().set_revision(revision); }

  std::vector<v1::WatchTuningJobResponse> Take(
      const std::function<v1::TuningJob(const core::JobHeader&, storage::Revision)>& job_to_proto) {
    v1::WatchTuningJobResponse& last = messages_.back();
    if (header_ != nullptr) *last.mutable_job() = job_to_proto(*header_, last.revision());
    return std::move(messages_);
  }

 private:
  void Begin(storage::Revision revision) {
    messages_.emplace_back().set_revision(revision);
    trials_.clear();
    bytes_ = 0;
  }
  void Grow(size_t bytes) {
    bytes_ += bytes;
    if (bytes_ > kMaxMessageBytes) Begin(messages_.back().revision());
  }

  const std::string& job_id_;
  std::vector<v1::WatchTuningJobResponse> messages_;
  absl::flat_hash_map<int32_t, int> trials_;  // place in the last message
  size_t bytes_ = 0;                          // of the last message
  const core::JobHeader* header_ = nullptr;   // the newest
};

}  // namespace

std::vector<v1::WatchTuningJobResponse> ChangeMessages(
    const std::string& job_id, storage::Revision after, absl::Span<const storage::ChangePage::Entry> entries,
    const std::function<v1::TuningJob(const core::JobHeader&, storage::Revision)>& job_to_proto) {
  if (entries.empty()) return {};
  MessageBuilder builder(job_id, after);
  for (const storage::ChangePage::Entry& entry : entries) {
    for (const core::Change& change : entry.changes) {
      std::visit([&builder](const auto& put) { builder.Add(put); }, change);
    }
    builder.Commit(entry.revision);
  }
  return builder.Take(job_to_proto);
}

WatchStream::Produced WatchStream::Produce() {
  switch (phase_) {
    case Phase::kFirst:
      return ProduceFirst();
    case Phase::kSnapshot:
      return ProduceSnapshot();
    case Phase::kChanges:
      return ProduceChanges();
  }
  return {};
}

WatchStream::Produced WatchStream::ProduceFirst() {
  absl::StatusOr<storage::JobRecord> record = source_.storage->ReadJob(job_id_);
  if (!record.ok()) return {{}, true, record.status()};
  if (sent_ > record->revision) {
    return {{},
            true,
            absl::OutOfRangeError(absl::StrCat("after_revision: is ", sent_, ", and the job is at ", record->revision,
                                               "; use the revision that was seen last, or 0 for a snapshot"))};
  }
  ended_ = core::IsTerminal(record->header.status);
  if (ended_ && sent_ == record->revision) return {{}, true, absl::OkStatus()};
  subscription_ = source_.engine->Subscribe(job_id_, [this](storage::Revision) { Wake(); });
  phase_ = Phase::kChanges;
  if (sent_ == 0) {
    if (absl::Status status = StartSnapshot(); !status.ok()) return {{}, true, status};
  }
  return Produce();
}

absl::Status WatchStream::StartSnapshot() {
  absl::StatusOr<storage::JobRecord> record = source_.storage->ReadJob(job_id_);
  if (!record.ok()) return record.status();
  phase_ = Phase::kSnapshot;
  snapshot_ = *std::move(record);
  snapshot_after_.clear();
  return absl::OkStatus();
}

WatchStream::Produced WatchStream::ProduceSnapshot() {
  storage::TrialQuery query;
  query.job_id = job_id_;
  query.limit = kTrialsPerMessage;
  query.after = snapshot_after_;
  absl::StatusOr<storage::TrialPage> page = source_.storage->ListTrials(query);
  if (!page.ok()) return {{}, true, page.status()};
  Produced out;
  v1::WatchTuningJobResponse& message = out.messages.emplace_back();
  for (const storage::TrialPage::Entry& entry : page->entries) {
    *message.add_trials() = convert::ToProto(job_id_, entry.trial, {});
  }
  snapshot_after_ = page->next;
  if (!snapshot_after_.empty()) return out;
  *message.mutable_job() = JobToProto(snapshot_->header, snapshot_->revision);
  message.set_revision(snapshot_->revision);
  sent_ = snapshot_->revision;
  phase_ = Phase::kChanges;
  snapshot_.reset();
  out.done = ended_;
  return out;
}

WatchStream::Produced WatchStream::ProduceChanges() {
  absl::StatusOr<storage::ChangePage> page = source_.storage->ReadChanges(job_id_, sent_, kCommitsPerRead);
  if (absl::IsOutOfRange(page.status())) {
    if (absl::Status status = StartSnapshot(); !status.ok()) return {{}, true, status};
    return ProduceSnapshot();
  }
  if (!page.ok()) return {{}, true, page.status()};
  Produced out;
  out.messages =
      ChangeMessages(job_id_, sent_, page->entries,
                     [this](const core::JobHeader& header, storage::Revision at) { return JobToProto(header, at); });
  if (!page->entries.empty()) sent_ = page->entries.back().revision;
  // Old changes come with the newest values, so the job's end may be seen before all that led to it.
  out.done = ended_ && sent_ == page->last;
  return out;
}

v1::TuningJob WatchStream::JobToProto(const core::JobHeader& header, storage::Revision revision) {
  ended_ = core::IsTerminal(header.status);
  if (header.best_trial && (!best_ || best_->number != *header.best_trial)) {
    absl::StatusOr<storage::TrialPage::Entry> entry = source_.storage->ReadTrial(job_id_, *header.best_trial);
    if (entry.ok()) best_ = std::move(entry->trial);
  }
  v1::TuningJob job = convert::ToProto(header, revision, header.best_trial ? best_ : std::optional<core::Trial>());
  job.set_paused_reason(source_.engine->PausedReason(job_id_));
  return job;
}

}  // namespace tuner::server
