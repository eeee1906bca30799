// StreamTrialLogs: one client's stream of an attempt's output file.
//
// At the end of the file a following stream looks at its size again every 200 ms, and at the trial only if the job
// changed meanwhile. It ends when the attempt has ended and the file is drained.
//
// Threads, ownership: see streams.h. Errors: NOT_FOUND: no such trial, attempt or file. OUT_OF_RANGE: the offset is
// behind the file's end.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "grpcpp/alarm.h"
#include "storage/storage.h"
#include "tuner/engine/engine.h"
#include "tuner/server/streams.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::server {

class LogStream final : public PumpedStream<v1::StreamTrialLogsResponse> {
 public:
  struct Source {
    const storage::Storage* storage = nullptr;
    engine::Engine* engine = nullptr;
  };
  struct Query {
    std::string job_id;
    int32_t trial = 0;
    int32_t attempt = 0;  // 0: the last one
    std::string file;     // "stdout.log"
    int64_t offset = 0;   // negative: from the end
    bool follow = false;
  };
  LogStream(WorkPool& pool, StreamRegistry& registry, Source source, Query query);
  ~LogStream() override;

 private:
  Produced Produce() override;
  void Ended() override { subscription_.reset(); }
  // Reads the trial again: whether the attempt has ended, and where its files are.
  absl::Status LookAtTrial();
  // Opens the file if it is there by now, and finds the place to start from.
  absl::Status OpenFile();
  void WakeLater();

  // Used by Produce only, but for job_changed_.
  const Source source_;
  Query query_;
  std::unique_ptr<engine::Engine::Subscription> subscription_;
  std::atomic<bool> job_changed_ = true;
  bool attempt_ended_ = false;
  std::string folder_;
  int fd_ = -1;
  int64_t offset_ = 0;
  std::unique_ptr<grpc::Alarm> alarm_;  // a new one each time: the one before may still be in its callback
};

}  // namespace tuner::server
