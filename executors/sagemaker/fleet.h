// The runs on one site, from their acceptance to their end.
//
// A run is created by one of the launch threads, watched by the poll thread, and its log is read by the log thread,
// which also tells its end: so a slow upload holds up no other launch, and a slow log no poll. All that fails for a
// reason that passes (throttled, no answer, a limit of the account) is tried again later, with jitter.
//
// Polling costs at most one call of ListTrainingJobs, Search or DescribeTrainingJob for each 100 runs in each interval:
// a list of what changed; then, where something did, all of that at once by Search, or one by one where Search is not
// allowed.
//
// Threads: any; its own as above. Ownership: owns site and runs; borrows clock and listener. Errors: as each method.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/synchronization/mutex.h"
#include "core/rng.h"
#include "executors/executor.h"
#include "executors/sagemaker/record.h"
#include "executors/sagemaker/run_log.h"
#include "executors/sagemaker/site.h"

namespace tuner::executors::sagemaker {

// How fast things are done; tests are in more of a hurry.
struct Pace {
  absl::Duration poll_interval = absl::Seconds(5);    // unless a job's options say otherwise
  absl::Duration sweep_interval = absl::Minutes(10);  // all live ones are looked for, not only those that changed
  absl::Duration log_gap = absl::Milliseconds(100);   // between calls of CloudWatch Logs
  absl::Duration first_retry = absl::Seconds(1);      // doubles each time
  absl::Duration last_retry = absl::Minutes(1);
  absl::Duration limit_retry = absl::Seconds(30);  // of a launch beyond a limit of the account
  int log_rounds = 4;                              // for the last lines, which come late
  int launch_threads = 3;
};

class Fleet {
 public:
  Fleet(std::unique_ptr<Site> site, const Pace& pace, core::Clock* clock, RunListener* listener,
        std::function<void(const RunId&)> ended);
  // Ends all calls and joins; runs go on.
  ~Fleet();

  // Takes charge of a run whose record is on disk. `metrics` may be null; `started`: its start was told.
  void Add(const RunSpec& spec, const v1::SageMakerExecutor& options, const RunPaths& paths, RunRecord record,
           std::shared_ptr<const CompiledMetrics> metrics, bool started);
  bool Has(const RunId& id) const;
  // NOT_FOUND: no such run, or it has ended.
  absl::Status Stop(const RunId& id);

  const Site& site() const { return *site_; }

 private:
  enum class Phase {
    kCreating,  // belongs to the launch threads
    kLive,      // there is a training job; belongs to the poll thread, and its log to the log thread
    kEnding,    // it has ended; belongs to the log thread
  };
  struct Run {
    Run(const RunSpec& s, const v1::SageMakerExecutor& o, const RunPaths& p, RunRecord r, RunLog l)
        : spec(s), options(o), paths(p), record(std::move(r)), log(std::move(l)) {}
    const RunSpec spec;
    const v1::SageMakerExecutor options;
    const RunPaths paths;

    // Guarded by mutex_.
    Phase phase = Phase::kCreating;
    bool stop_wanted = false;
    bool told_start = false;
    bool needs_detail = false;
    bool listed_end = false;  // a list said that it has ended
    int searches = 0;         // that did not tell its detail
    int failures = 0;         // in a row, of what is tried again
    absl::Time log_due;

    // Used by whom the phase belongs to, and in the phase kLive by nobody else but with mutex_ held.
    RunRecord record;
    std::optional<TrainingJob> final;  // as it ended; or
    std::optional<RunEnded> end;       // why there is nothing to describe

    // The log thread's.
    RunLog log;
    int log_rounds = 0;
    int log_failures = 0;
    std::string log_trouble;
  };
  using RunPtr = std::shared_ptr<Run>;

  // Returns when closing, or when `first`, the time at which the first of the caller's duties is due, has come.
  template <typename First>
  void AwaitDue(const First& first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (absl::Time due = first(); !closing_ && due > clock_->Now(); due = first()) {
      const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closing_ || first() < due; };
      clock_->AwaitUntil(mutex_, absl::Condition(&changed), due);
    }
  }
  std::string Name(const Run& run) const;
  void Tell(const RunId& id, std::variant<RunStarted, RunMetrics, RunEnded> what);
  void TellStart(Run& run);
  absl::Duration RetryIn(int failures, absl::Duration first, absl::Duration last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration PollInterval() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Hands a run that has ended to the log thread.
  void BeginEnd(Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Launching: fleet_launch.cc.
  void LaunchLoop();
  void LaunchOne(const RunPtr& run);
  absl::StatusOr<std::string> CreateOrFind(Run& run);
  absl::StatusOr<std::string> FindOwn(Run& run);
  absl::StatusOr<std::string> UploadOf(const std::string& job_uid, const std::string& path,
                                       const v1::SageMakerExecutor& options);
  absl::StatusOr<std::string> UploadCode(const Run& run);
  bool TryNextInstanceType(Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Polling: fleet_poll.cc.
  void PollLoop();
  void StopOne(const RunPtr& run);
  absl::Status Poll();
  absl::Status PollList(const std::vector<RunPtr>& live);
  absl::Status PollDetails(const std::vector<RunPtr>& unknown);
  absl::Status DescribeOne(const RunPtr& run);
  void TakeSummary(const RunPtr& run, const TrainingJob& job);
  void TakeDetail(const RunPtr& run, const TrainingJob& job);

  // Logs and ends: fleet_end.cc.
  void LogLoop();
  absl::Duration ReadLog(const RunPtr& run);
  void TellMetrics(Run& run, std::vector<core::Measurement> found);
  std::vector<core::Measurement> FinalValues(Run& run) const;
  void End(const RunPtr& run);

  // Constant after construction.
  const std::unique_ptr<Site> site_;
  const Pace pace_;
  core::Clock* const clock_;
  RunListener* const listener_;
  const std::function<void(const RunId&)> ended_;

  mutable absl::Mutex mutex_;
  absl::btree_map<RunId, RunPtr> runs_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<absl::Time, RunId>> launches_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<absl::Time, RunId>> stops_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<std::string, RunPtr> live_ ABSL_GUARDED_BY(mutex_);  // of phase kLive, by training job
  absl::Time next_poll_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time next_log_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  core::Rng jitter_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;

  // Uploads that are done, by job and path: what a job's trials read does not change under them.
  absl::Mutex uploads_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  absl::btree_map<std::string, std::string> uploads_ ABSL_GUARDED_BY(uploads_mutex_);

  // The poll thread's.
  Service::Filter listing_;  // with a token: the listing goes on
  bool listing_is_sweep_ = false;
  absl::btree_set<std::string> swept_;  // names that the sweep under way has found
  std::vector<RunPtr> sweep_expects_;
  absl::Time sweep_due_ = absl::InfinitePast();
  absl::Time seen_until_ = absl::InfinitePast();  // the last change that a listing's first page told
  bool detail_next_ = true;                       // lists and details take turns
  bool may_search_ = true;
  int poll_failures_ = 0;

  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace tuner::executors::sagemaker
