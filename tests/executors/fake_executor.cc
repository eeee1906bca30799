#include "tests/executors/fake_executor.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tuner::executors {

std::vector<RunSpec> FakeWorld::launched() const {
  absl::MutexLock lock(&mutex_);
  std::vector<RunSpec> specs;
  for (const RunId& id : order_) {
    if (auto it = runs_.find(id); it != runs_.end()) specs.push_back(it->second.spec);
  }
  return specs;
}

std::optional<FakeWorld::Run> FakeWorld::Find(const RunId& id) const {
  absl::MutexLock lock(&mutex_);
  auto it = runs_.find(id);
  if (it == runs_.end()) return std::nullopt;
  return it->second;
}

std::vector<RunId> FakeWorld::active() const {
  absl::MutexLock lock(&mutex_);
  std::vector<RunId> ids;
  for (const RunId& id : order_) {
    if (auto it = runs_.find(id); it != runs_.end() && !it->second.ended) ids.push_back(id);
  }
  return ids;
}

bool FakeWorld::AwaitLaunched(const RunId& id) const {
  absl::MutexLock lock(&mutex_);
  const auto launched = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return runs_.contains(id); };
  return mutex_.AwaitWithTimeout(absl::Condition(&launched), absl::Seconds(60));
}

FakeExecutor::FakeExecutor(std::shared_ptr<FakeWorld> world, RunListener* listener, Options options)
    : world_(std::move(world)), listener_(listener), options_(options) {}

FakeExecutor::FakeExecutor(std::shared_ptr<FakeWorld> world, RunListener* listener)
    : FakeExecutor(std::move(world), listener, Options()) {}

void FakeExecutor::SetFaults(std::function<Fault(Call, const RunId&)> faults) {
  absl::MutexLock lock(&world_->mutex_);
  faults_ = std::move(faults);
}

FakeExecutor::Fault FakeExecutor::NextFault(Call call, const RunId& id) {
  std::function<Fault(Call, const RunId&)> faults;
  {
    absl::MutexLock lock(&world_->mutex_);
    faults = faults_;
  }
  return faults ? faults(call, id) : Fault::kNone;
}

bool FakeExecutor::Knows(const RunId& id) const {
  auto it = known_.find(id);
  return it != known_.end() && it->second;
}

void FakeExecutor::Emit(const RunId& id, std::variant<RunStarted, RunMetrics, RunEnded> what) {
  if (!Knows(id)) return;
  const bool ended = std::holds_alternative<RunEnded>(what);
  events_[id].push_back({id, std::move(what)});
  if (ended) known_[id] = false;
}

absl::Status FakeExecutor::Launch(const RunSpec& spec) {
  const Fault fault = NextFault(Call::kLaunch, spec.id);
  if (fault == Fault::kRefuse) return absl::UnavailableError("the engine is down");
  {
    absl::MutexLock lock(&world_->mutex_);
    auto it = world_->runs_.find(spec.id);
    if (it == world_->runs_.end()) {
      int active = 0;
      for (const auto& [id, run] : world_->runs_) active += run.ended ? 0 : 1;
      if (options_.slots > 0 && active >= options_.slots) {
        return absl::ResourceExhaustedError(absl::StrCat("all ", options_.slots, " slots are taken"));
      }
      FakeWorld::Run run;
      run.spec = spec;
      run.starts = 1;
      run.end_cursor = spec.cursor;
      world_->runs_[spec.id] = std::move(run);
      world_->order_.push_back(spec.id);
    }
    // A run that an earlier server launched is taken charge of, as Adopt would; one whose end was told stays silent.
    if (!known_.contains(spec.id)) {
      known_[spec.id] = true;
      const FakeWorld::Run& run = world_->runs_[spec.id];
      if (run.started) Emit(spec.id, RunStarted{"fake", "", absl::InfinitePast()});
      if (!run.output.empty()) Emit(spec.id, RunMetrics{run.output, run.end_cursor});
      if (run.ended) Emit(spec.id, *run.ended);
    }
  }
  if (options_.start_on_launch) Start(spec.id);
  Flush();
  return fault == Fault::kLoseAck ? absl::UnavailableError("the answer was lost") : absl::OkStatus();
}

absl::Status FakeExecutor::Stop(const RunId& id, absl::Duration grace) {
  const Fault fault = NextFault(Call::kStop, id);
  if (fault == Fault::kRefuse) return absl::UnavailableError("the engine is down");
  {
    absl::MutexLock lock(&world_->mutex_);
    auto it = world_->runs_.find(id);
    if (it == world_->runs_.end() || it->second.ended) return absl::NotFoundError("no such run");
    it->second.stops.push_back(grace);
  }
  if (options_.end_on_stop) {
    RunEnded ended;
    ended.outcome = RunEnded::Outcome::kStopped;
    ended.reason = "stopped";
    ended.signal = 15;
    End(id, std::move(ended));
  }
  return fault == Fault::kLoseAck ? absl::UnavailableError("the answer was lost") : absl::OkStatus();
}

absl::StatusOr<std::vector<bool>> FakeExecutor::Adopt(absl::Span<const RunCursor> runs) {
  const Fault fault = NextFault(Call::kAdopt, runs.empty() ? RunId() : runs[0].spec.id);
  if (fault == Fault::kRefuse) return absl::UnavailableError("the engine is down");
  std::vector<bool> known;
  {
    absl::MutexLock lock(&world_->mutex_);
    for (const RunCursor& cursor : runs) {
      const RunId& id = cursor.spec.id;
      auto it = world_->runs_.find(id);
      known.push_back(it != world_->runs_.end());
      if (it == world_->runs_.end() || known_.contains(id)) continue;
      known_[id] = true;
      const FakeWorld::Run& run = it->second;
      if (run.started && !cursor.started) Emit(id, RunStarted{"fake", "", absl::InfinitePast()});
      const int64_t read = cursor.spec.cursor.stdout_offset;
      if (read < static_cast<int64_t>(run.output.size())) {
        Emit(id, RunMetrics{{run.output.begin() + read, run.output.end()}, run.end_cursor});
      }
      if (run.ended) Emit(id, *run.ended);
    }
  }
  Flush();
  if (fault == Fault::kLoseAck) return absl::UnavailableError("the answer was lost");
  return known;
}

void FakeExecutor::Acknowledge(const RunId& id) {
  if (NextFault(Call::kAcknowledge, id) == Fault::kRefuse) return;
  absl::MutexLock lock(&world_->mutex_);
  auto it = world_->runs_.find(id);
  if (it != world_->runs_.end() && it->second.ended) it->second.acknowledged = true;
}

absl::Status FakeExecutor::RemoveArtifacts(const RunSpec& spec, bool with_logs) {
  const Fault fault = NextFault(Call::kRemoveArtifacts, spec.id);
  if (fault == Fault::kRefuse) return absl::UnavailableError("the engine is down");
  {
    absl::MutexLock lock(&world_->mutex_);
    auto it = world_->runs_.find(spec.id);
    if (it != world_->runs_.end()) {
      if (!it->second.ended) return absl::UnavailableError("the run has not ended");
      it->second.removed = true;
      it->second.logs_removed |= with_logs;
    }
  }
  return fault == Fault::kLoseAck ? absl::UnavailableError("the answer was lost") : absl::OkStatus();
}

absl::Status FakeExecutor::Remove(const std::string& job_id, const std::string& job_uid) {
  absl::MutexLock lock(&world_->mutex_);
  auto ours = [&](const auto& entry) { return entry.first.job_id == job_id && entry.first.job_uid == job_uid; };
  absl::erase_if(world_->runs_, ours);
  absl::erase_if(known_, ours);
  absl::erase_if(events_, ours);
  return absl::OkStatus();
}

bool FakeExecutor::Start(const RunId& id) {
  {
    absl::MutexLock lock(&world_->mutex_);
    auto it = world_->runs_.find(id);
    if (it == world_->runs_.end() || it->second.started || it->second.ended) return false;
    it->second.started = true;
    Emit(id, RunStarted{"fake", "", absl::InfinitePast()});
  }
  Flush();
  return true;
}

bool FakeExecutor::Metric(const RunId& id, const std::string& metric, double value, int64_t step) {
  {
    absl::MutexLock lock(&world_->mutex_);
    auto it = world_->runs_.find(id);
    if (it == world_->runs_.end() || it->second.ended) return false;
    FakeWorld::Run& run = it->second;
    core::Measurement measurement;
    measurement.metric = metric;
    measurement.value = value;
    measurement.step = step >= 0 ? step : run.end_cursor.last_step[metric] + 1;
    measurement.attempt = id.attempt;
    measurement.source = core::MeasurementSource::kScanned;
    run.end_cursor.last_step[metric] = measurement.step;
    run.output.push_back(measurement);
    run.end_cursor.stdout_offset = static_cast<int64_t>(run.output.size());
    Emit(id, RunMetrics{{std::move(measurement)}, run.end_cursor});
  }
  Flush();
  return true;
}

bool FakeExecutor::End(const RunId& id, RunEnded ended) {
  {
    absl::MutexLock lock(&world_->mutex_);
    auto it = world_->runs_.find(id);
    if (it == world_->runs_.end() || it->second.ended) return false;
    it->second.ended = ended;
    Emit(id, std::move(ended));
  }
  Flush();
  return true;
}

bool FakeExecutor::Succeed(const RunId& id) {
  RunEnded ended;
  ended.outcome = RunEnded::Outcome::kSucceeded;
  ended.reason = "exit code 0";
  ended.exit_code = 0;
  return End(id, std::move(ended));
}

bool FakeExecutor::Fail(const RunId& id, const std::string& reason) {
  RunEnded ended;
  ended.outcome = RunEnded::Outcome::kFailed;
  ended.reason = reason;
  ended.exit_code = 1;
  return End(id, std::move(ended));
}

size_t FakeExecutor::waiting() const {
  absl::MutexLock lock(&world_->mutex_);
  size_t count = 0;
  for (const auto& [id, events] : events_) count += events.size();
  return count;
}

bool FakeExecutor::Pop(uint64_t choice, bool keep, RunEvent& event) {
  absl::MutexLock lock(&world_->mutex_);
  if (events_.empty()) return false;
  auto it = std::next(events_.begin(), static_cast<ptrdiff_t>(choice % events_.size()));
  event = it->second.front();
  if (keep) return true;
  it->second.pop_front();
  if (it->second.empty()) events_.erase(it);
  return true;
}

bool FakeExecutor::Deliver(uint64_t choice, bool keep) {
  RunEvent event;
  if (!Pop(choice, keep, event)) return false;
  listener_->OnRunEvent(std::move(event));
  return true;
}

void FakeExecutor::DeliverAll() {
  while (Deliver()) {
  }
}

void FakeExecutor::Flush() {
  if (!options_.queue_events) DeliverAll();
}

}  // namespace tuner::executors
