#include "tuner/embed/tuner.h"

#include <filesystem>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "core/clock.h"
#include "core/objectives.h"
#include "core/resource_names.h"
#include "executors/executor.h"
#include "proto/convert.h"
#include "storage/storage.h"
#include "tuner/embed/earlier_jobs.h"
#include "tuner/embed/folder_id.h"
#include "tuner/engine/engine.h"
#include "tuner/notify/notifier.h"
#include "tuner/requests/added_points.h"
#include "tuner/requests/ask_tell.h"
#include "tuner/requests/checks.h"
#include "tuner/requests/job_builder.h"

namespace tuner::embed {
namespace {

constexpr int kMaxChildren = 1'000;

// Beside this program, else as execvp finds it.
std::string DefaultSupervisor() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = self.parent_path() / "tuner-supervisor";
  return !error && std::filesystem::exists(beside, error) ? beside.string() : "tuner-supervisor";
}

// For which those who are to be told of a job are waited for at the end; what is left is for the next start.
constexpr absl::Duration kNotificationWait = absl::Seconds(5);

class TunerImpl : public Tuner {
 public:
  ~TunerImpl() override {
    if (engine_ != nullptr) {
      engine_->AwaitNotifications(kNotificationWait);
      engine_->Shutdown();
    }
    executors_.clear();  // before the engine, which hears from them
  }

  absl::Status Start(const Options& options) {
    if (options.data_dir.empty() || options.data_dir.front() != '/') {
      return absl::InvalidArgumentError(absl::StrCat("data_dir: \"", options.data_dir, "\" is no absolute folder"));
    }
    executor_kinds_ = options.executor_kinds;
    if (absl::Status status = executors::CheckSettings(options.executor_settings, executor_kinds_); !status.ok()) {
      return status;
    }
    std::error_code error;
    std::filesystem::create_directories(options.data_dir, error);
    if (error) return absl::UnavailableError(absl::StrCat(options.data_dir, ": ", error.message()));
    const std::string uri =
        options.storage_uri.empty() ? absl::StrCat("sqlite:", options.data_dir, "/tuner.db") : options.storage_uri;
    absl::StatusOr<std::unique_ptr<storage::Storage>> storage = storage::OpenStorage(uri);
    if (!storage.ok()) return storage.status();
    storage_ = *std::move(storage);
    absl::StatusOr<std::string> id = FolderId(options.data_dir);
    if (!id.ok()) return id.status();
    MakeTheEngine(options, *std::move(id));
    return engine_->Start(MakeExecutors(options));
  }

  absl::StatusOr<v1::CreateTuningJobResponse> CreateTuningJob(const v1::CreateTuningJobRequest& request) override {
    absl::StatusOr<requests::NewJob> built = requests::BuildJob(request, EarlierJobsIn(*storage_), executor_kinds_);
    if (!built.ok()) return built.status();
    core::JobHeader& header = built->header;
    v1::CreateTuningJobResponse response;
    for (const std::string& advice : header.advice) response.add_advice(advice);
    if (request.validate_only()) {
      header.status = core::JobStatus::kRunning;  // as it would be
      *response.mutable_job() = convert::ToProto(header, 0, std::nullopt);
      return response;
    }
    const std::string job_id = header.job_id;
    absl::StatusOr<engine::Reply> reply = Await([&](engine::ReplyCallback done) {
      engine_->CreateJob(std::move(header), std::move(built->parents), std::move(done));
    });
    if (absl::IsAlreadyExists(reply.status())) {
      absl::StatusOr<storage::JobRecord> existing = storage_->ReadJob(job_id);
      if (!existing.ok() || !requests::IsRetry(request, existing->header)) return reply.status();
    } else if (!reply.ok()) {
      return reply.status();
    }
    absl::StatusOr<v1::TuningJob> job = ReadJob(job_id);
    if (!job.ok()) return job.status();
    *response.mutable_job() = *std::move(job);
    return response;
  }

  absl::StatusOr<v1::TuningJob> GetTuningJob(const v1::GetTuningJobRequest& request) override {
    absl::StatusOr<std::string> job_id = requests::JobIdField("name", request.name());
    if (!job_id.ok()) return job_id.status();
    return ReadJob(*job_id);
  }

  absl::StatusOr<v1::TuningJob> StopTuningJob(const v1::StopTuningJobRequest& request) override {
    absl::StatusOr<std::string> job_id = requests::JobIdField("name", request.name());
    if (!job_id.ok()) return job_id.status();
    if (absl::Status status = requests::CheckReason(request.reason()); !status.ok()) return status;
    absl::StatusOr<engine::Reply> reply = Post(*job_id, core::JobStopAsked{request.reason()});
    if (!reply.ok()) return reply.status();
    return ReadJob(*job_id);
  }

  absl::StatusOr<v1::Trial> GetTrial(const v1::GetTrialRequest& request) override {
    absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request.name());
    if (!id.ok()) return id.status();
    absl::StatusOr<storage::TrialPage::Entry> entry = storage_->ReadTrial(id->job_id, id->number);
    if (!entry.ok()) return entry.status();
    return convert::ToProto(id->job_id, entry->trial, entry->measurements);
  }

  absl::StatusOr<v1::AddTrialsResponse> AddTrials(const v1::AddTrialsRequest& request) override {
    absl::StatusOr<std::string> job_id = requests::JobIdField("parent", request.parent());
    if (!job_id.ok()) return job_id.status();
    absl::StatusOr<storage::JobRecord> record = storage_->ReadJob(*job_id);
    if (!record.ok()) return record.status();
    absl::StatusOr<core::JobSpec> spec = requests::SpecOfHeader(record->header);
    if (!spec.ok()) return spec.status();
    if (absl::Status status = requests::CheckRequestId(request.request_id()); !status.ok()) return status;
    absl::StatusOr<core::TrialsAdded> added = requests::ReadAddedPoints(request, *spec);
    if (!added.ok()) return added.status();
    absl::StatusOr<engine::Reply> reply = Post(*job_id, *std::move(added));
    if (!reply.ok()) return reply.status();
    v1::AddTrialsResponse response;
    for (const core::Trial& trial : reply->trials) *response.add_trials() = convert::ToProto(*job_id, trial, {});
    return response;
  }

  absl::StatusOr<v1::SuggestTrialsResponse> SuggestTrials(const v1::SuggestTrialsRequest& request) override {
    absl::StatusOr<std::string> job_id = requests::JobIdField("parent", request.parent());
    if (!job_id.ok()) return job_id.status();
    absl::StatusOr<core::SuggestAsked> asked = requests::ReadSuggest(request);
    if (!asked.ok()) return asked.status();
    absl::StatusOr<engine::Reply> reply = Post(*job_id, *std::move(asked));
    if (!reply.ok()) return reply.status();
    v1::SuggestTrialsResponse response;
    for (const core::Trial& trial : reply->trials) *response.add_trials() = convert::ToProto(*job_id, trial, {});
    response.set_reason(reply->reason);
    response.set_job_done(reply->job_done);
    return response;
  }

  absl::StatusOr<v1::ReportMeasurementsResponse> ReportMeasurements(
      const v1::ReportMeasurementsRequest& request) override {
    absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request.name());
    if (!id.ok()) return id.status();
    absl::StatusOr<core::Reported> reported = requests::ReadReport(request, id->number);
    if (!reported.ok()) return reported.status();
    absl::StatusOr<engine::Reply> reply = Post(id->job_id, *std::move(reported));
    if (!reply.ok()) return reply.status();
    v1::ReportMeasurementsResponse response;
    response.set_should_stop(reply->should_stop);
    response.set_reason(reply->reason);
    if (reply->lease_expire_time) *response.mutable_lease_expire_time() = convert::ToProto(*reply->lease_expire_time);
    return response;
  }

  absl::StatusOr<v1::Trial> CompleteTrial(const v1::CompleteTrialRequest& request) override {
    absl::StatusOr<core::TrialId> id = requests::TrialIdField("name", request.name());
    if (!id.ok()) return id.status();
    absl::StatusOr<core::CompletionTold> told = requests::ReadCompletion(request, id->number);
    if (!told.ok()) return told.status();
    absl::StatusOr<engine::Reply> reply = Post(id->job_id, *std::move(told));
    if (!reply.ok()) return reply.status();
    return convert::ToProto(id->job_id, reply->trials.front(), {});
  }

  absl::StatusOr<v1::TuningJob> AwaitTuningJob(const std::string& name, absl::Duration timeout) override {
    absl::StatusOr<std::string> job_id = requests::JobIdField("name", name);
    if (!job_id.ok()) return job_id.status();
    absl::Mutex mutex;
    bool changed = true;
    const auto subscription = engine_->Subscribe(*job_id, [&](storage::Revision) {
      absl::MutexLock lock(&mutex);
      changed = true;
    });
    const absl::Time deadline = clock_->Now() + timeout;
    while (true) {
      {
        absl::MutexLock lock(&mutex);
        if (!clock_->AwaitUntil(mutex, absl::Condition(&changed), deadline)) {
          return absl::DeadlineExceededError(absl::StrCat(name, " still runs after ", absl::FormatDuration(timeout)));
        }
        changed = false;
      }
      absl::StatusOr<storage::JobRecord> record = storage_->ReadJob(*job_id);
      if (!record.ok()) return record.status();
      if (core::IsTerminal(record->header.status)) return ReadJob(*job_id);
    }
  }

 private:
  void MakeTheEngine(const Options& options, std::string folder_id) {
    engine::EngineOptions engine_options;
    engine_options.server_id = std::move(folder_id);
    engine_options.strategy_threads = options.strategy_threads;
    engine_options.executor_slots = executors::SlotsOf(options.executor_settings);
    engine::EngineEnvironment environment;
    environment.storage = storage_.get();
    environment.clock = clock_.get();
    environment.notifier = notifier_.get();
    environment.parse_spec = [this](const core::JobHeader& header) {
      return requests::SpecOfHeader(header, &executor_kinds_);
    };
    // A trial of an embedded job has nobody to call: what it says is what it prints.
    environment.service_environment = [](const executors::RunId& run) {
      return absl::btree_map<std::string, std::string>{{"TUNER_TRIAL", core::TrialName(run.job_id, run.trial)},
                                                       {"TUNER_ATTEMPT", absl::StrCat(run.attempt)}};
    };
    engine_ = engine::MakeEngine(std::move(engine_options), std::move(environment));
  }

  // One that cannot be made refuses the trials of jobs that want it, by name.
  absl::flat_hash_map<std::string, executors::Executor*> MakeExecutors(const Options& options) {
    executors::ExecutorContext context;
    context.data_dir = options.data_dir;
    context.clock = clock_.get();
    context.listener = engine_->listener();
    context.gpus.assign(options.gpus.begin(), options.gpus.end());
    context.supervisor_path = options.supervisor_path.empty() ? DefaultSupervisor() : options.supervisor_path;
    absl::flat_hash_map<std::string, executors::Executor*> by_name;
    for (const executors::ExecutorKind& kind : executor_kinds_.kinds()) {
      absl::StatusOr<std::unique_ptr<executors::Executor>> executor =
          executors::MakeDecorated(kind, context, options.executor_settings);
      if (!executor.ok()) continue;
      by_name.emplace(kind.name, executor->get());
      executors_.push_back(*std::move(executor));
    }
    return by_name;
  }

  // Starts a call and waits for its answer.
  template <typename Call>
  absl::StatusOr<engine::Reply> Await(Call call) {
    absl::Notification answered;
    absl::StatusOr<engine::Reply> answer = absl::InternalError("no answer");
    call([&](absl::StatusOr<engine::Reply> reply) {
      answer = std::move(reply);
      answered.Notify();
    });
    answered.WaitForNotification();
    return answer;
  }

  absl::StatusOr<engine::Reply> Post(const std::string& job_id, core::EventKind event) {
    return Await([&](engine::ReplyCallback done) { engine_->Post(job_id, std::move(event), std::move(done)); });
  }

  absl::StatusOr<v1::TuningJob> ReadJob(const std::string& job_id) const {
    absl::StatusOr<storage::JobRecord> record = storage_->ReadJob(job_id);
    if (!record.ok()) return record.status();
    std::optional<core::Trial> best;
    if (record->header.best_trial) {
      absl::StatusOr<storage::TrialPage::Entry> entry = storage_->ReadTrial(job_id, *record->header.best_trial);
      if (!entry.ok()) return entry.status();
      best = std::move(entry->trial);
    }
    v1::TuningJob job = convert::ToProto(record->header, record->revision, best);
    job.set_paused_reason(engine_->PausedReason(job_id));
    absl::StatusOr<std::vector<std::string>> children = storage_->ListChildren(record->header.uid, kMaxChildren);
    if (!children.ok()) return children.status();
    for (const std::string& child : *children) job.add_child_jobs(core::JobName(child));
    absl::StatusOr<std::vector<core::Trial>> bests = storage_->ReadTrials(job_id, convert::BestOfDefinitions(job));
    if (!bests.ok()) return bests.status();
    convert::AddBestOfDefinitions(job_id, *bests, job);
    if (record->header.pareto_front.empty()) return job;
    absl::StatusOr<std::vector<core::Trial>> front =
        storage_->ReadTrials(job_id, core::Thinned(record->header.pareto_front, convert::kMaxFrontTrials));
    if (!front.ok()) return front.status();
    convert::AddParetoFront(job_id, *front, job);
    return job;
  }

  executors::ExecutorRegistry executor_kinds_;  // constant after Start
  const std::unique_ptr<core::Clock> clock_ = core::MakeSystemClock();
  std::unique_ptr<storage::Storage> storage_;
  const std::unique_ptr<engine::Notifier> notifier_ = notify::MakeNotifier();
  std::unique_ptr<engine::Engine> engine_;
  std::vector<std::unique_ptr<executors::Executor>> executors_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tuner>> Tuner::Open(const Options& options) {
  auto tuner = std::make_unique<TunerImpl>();
  if (absl::Status status = tuner->Start(options); !status.ok()) return status;
  return tuner;
}

}  // namespace tuner::embed
