// WatchTuningJob: one client's stream of a job's changes.
//
// The stream reads pages of changes from storage when its client has taken what it was sent, so a slow client holds up
// nobody and costs no memory; changes that have piled up by then come in one message, of a trial only the newest state.
// A snapshot gives the job and its trials as they are, without the measurements that came before (GetTrial and
// ListTrials have them); its messages but the last have revision 0, so that a client which loses the connection in
// between begins again.
//
// Threads, ownership: see streams.h. Errors: NOT_FOUND, OUT_OF_RANGE: the revision is in the future.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/storage.h"
#include "tuner/engine/engine.h"
#include "tuner/server/streams.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::server {

class WatchStream final : public PumpedStream<v1::WatchTuningJobResponse> {
 public:
  struct Source {
    const storage::Storage* storage = nullptr;
    engine::Engine* engine = nullptr;
  };
  WatchStream(WorkPool& pool, StreamRegistry& registry, Source source, std::string job_id, storage::Revision after)
      : PumpedStream(pool, registry), source_(source), job_id_(std::move(job_id)), sent_(after) {}

 private:
  enum class Phase { kFirst, kSnapshot, kChanges };

  Produced Produce() override;
  void Ended() override { subscription_.reset(); }
  Produced ProduceFirst();
  Produced ProduceSnapshot();
  Produced ProduceChanges();
  absl::Status StartSnapshot();
  v1::TuningJob JobToProto(const core::JobHeader& header, storage::Revision revision);

  // Used by Produce only.
  const Source source_;
  const std::string job_id_;
  Phase phase_ = Phase::kFirst;
  storage::Revision sent_;  // the client has, or is being sent, everything up to here
  std::optional<storage::JobRecord> snapshot_;
  bool ended_ = false;               // the job, as the header last read says
  std::string snapshot_after_;       // page token
  std::optional<core::Trial> best_;  // of the header last converted; a finished trial does not change
  std::unique_ptr<engine::Engine::Subscription> subscription_;
};

// Changes as messages of bounded size. A change of a commit whose rest is in a later message comes with the revision
// before that commit.
std::vector<v1::WatchTuningJobResponse> ChangeMessages(
    const std::string& job_id, storage::Revision after, absl::Span<const storage::ChangePage::Entry> entries,
    const std::function<v1::TuningJob(const core::JobHeader&, storage::Revision)>& job_to_proto);

}  // namespace tuner::server
