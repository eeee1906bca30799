#include "tests/simulation/simulation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/objectives.h"
#include "core/rng.h"
#include "storage/memory_storage.h"
#include "tests/engine/scripted_strategy.h"
#include "tests/executors/fake_executor.h"
#include "tests/simulation/crashing_storage.h"
#include "tuner/engine/engine.h"
#include "tuner/engine/parents.h"
#include "tuner/engine/replay.h"
#include "tuner/v1/strategies.pb.h"

namespace tuner::simulation {
namespace {

using core::TrialState;
using executors::FakeExecutor;
using executors::FakeWorld;
using executors::RunId;

constexpr int kMostSteps = 600;
constexpr int kMostDrainSteps = 4'000;
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

// Those who want to hear of the jobs: outlive every process, as they are elsewhere.
struct Receivers {
  std::map<std::string, std::map<int64_t, int>> taken;  // by job and number: how often
};

// Tries that a process has under way; the history says when each ends, and how.
class SimulatedNotifier final : public engine::Notifier {
 public:
  struct Try {
    engine::Delivery delivery;
    std::function<void(absl::Status)> done;
  };
  void Deliver(engine::Delivery delivery, std::function<void(absl::Status)> done) override {
    began(delivery);
    tries.push_back({std::move(delivery), std::move(done)});
  }
  void Shutdown() override { tries.clear(); }

  std::function<void(const engine::Delivery&)> began;
  std::vector<Try> tries;
};

// One server process: everything that a crash takes away.
struct Process {
  std::unique_ptr<CrashingStorage> storage;
  std::unique_ptr<FakeExecutor> executor;
  SimulatedNotifier notifier;
  std::vector<std::function<void()>> fits;  // that were begun and are not done
  std::unique_ptr<engine::Engine> engine;   // last: goes first
};

struct Held {
  std::string job_id;
  int32_t trial = 0;
  int32_t attempt = 0;
  bool operator<(const Held& other) const {
    return std::tie(job_id, trial, attempt) < std::tie(other.job_id, other.trial, other.attempt);
  }
};

struct AckedValue {
  std::string job_id;
  int32_t trial;
  core::Measurement measurement;
};

class Simulation {
 public:
  Simulation(uint64_t seed, const Faults& faults)
      : rng_(seed, 0),
        faults_(faults),
        clock_(kStart),
        store_(storage::MakeMemoryStorage()),
        world_(std::make_shared<FakeWorld>()) {}

  Outcome Run() {
    Boot();
    const int jobs = 1 + static_cast<int>(Below(3));
    for (int i = 0; i < jobs; ++i) CreateJob(i);
    while (outcome_.steps < kMostSteps && out_ok() && !AllEnded()) Step(/*faulty=*/true);
    quiet_ = true;
    if (process_->storage->dead()) Reboot();
    const int limit = outcome_.steps + kMostDrainSteps;
    while (outcome_.steps < limit && out_ok() && !AllEnded()) Step(/*faulty=*/false);
    if (out_ok() && !AllEnded()) Violation("a job does not end:" + Unended());
    for (const auto& [job_id, spec] : specs_) CheckEnd(job_id);
    process_.reset();
    return std::move(outcome_);
  }

 private:
  uint64_t Below(uint64_t n) { return rng_.NextBelow(n); }
  bool Chance(double p) { return rng_.NextDouble() < p; }
  bool out_ok() const { return outcome_.violations.empty(); }

  void Log(const std::string& line) {
    absl::StrAppend(&outcome_.log, outcome_.steps, " ", absl::FormatDuration(clock_.Now() - kStart), " ", line, "\n");
  }
  void Violation(const std::string& text) {
    Log("VIOLATION " + text);
    outcome_.violations.push_back(text);
  }

  // ---- server processes
  // ------------------------------------------------------------------------------------------------------

  void Boot() {
    process_ = std::make_unique<Process>();
    Process* process = process_.get();
    process->storage = std::make_unique<CrashingStorage>(store_.get());
    process->storage->plan = [this] { return NextFate(); };
    engine::EngineOptions options;
    options.server_id = "simulated";
    options.own_threads = false;
    engine::EngineEnvironment environment;
    environment.storage = process->storage.get();
    environment.clock = &clock_;
    environment.parse_spec = [this](const core::JobHeader& header) -> absl::StatusOr<core::JobSpec> {
      return specs_.at(header.job_id);
    };
    environment.service_environment = [](const RunId&) { return absl::btree_map<std::string, std::string>(); };
    environment.make_strategy = make_strategy_;
    environment.notifier = &process->notifier;
    process->notifier.began = [this](const engine::Delivery& delivery) { CheckStored(delivery); };
    environment.run_fit = [process](std::function<void()> fit) { process->fits.push_back(std::move(fit)); };
    process->engine = engine::MakeEngine(options, environment);
    FakeExecutor::Options executor_options;
    executor_options.queue_events = true;
    process->executor = std::make_unique<FakeExecutor>(world_, process->engine->listener(), executor_options);
    process->executor->SetFaults(
        [this, process](FakeExecutor::Call call, const RunId& id) { return NextEngineFault(*process, call, id); });
    const absl::Status status = process->engine->Start({{"process", process->executor.get()}});
    if (!status.ok() && !process->storage->dead()) Violation(absl::StrCat("start: ", status.ToString()));
  }

  void Reboot() {
    Log("reboot");
    ++outcome_.crashes;
    process_->storage->Die();
    process_.reset();
    if (Chance(0.3)) clock_.Advance(absl::Seconds(Below(400)));
    Boot();
  }

  CrashingStorage::Fate NextFate() {
    if (quiet_) return CrashingStorage::Fate::kStore;
    if (faults_.forget_commits && Chance(0.1)) return CrashingStorage::Fate::kForget;
    if (faults_.crashes && Chance(0.01)) {
      return Chance(0.5) ? CrashingStorage::Fate::kDieBefore : CrashingStorage::Fate::kDieAfter;
    }
    if (faults_.storage && Chance(0.03)) {
      ++outcome_.refused_commits;
      return Chance(0.5) ? CrashingStorage::Fate::kRefuse : CrashingStorage::Fate::kLoseAck;
    }
    return CrashingStorage::Fate::kStore;
  }

  FakeExecutor::Fault NextEngineFault(Process& process, FakeExecutor::Call call, const RunId& id) {
    if (process.storage->dead()) return FakeExecutor::Fault::kRefuse;  // a dead server does nothing
    if (quiet_) return FakeExecutor::Fault::kNone;
    if (faults_.crashes && call == FakeExecutor::Call::kLaunch && Chance(0.02)) {
      Log(absl::StrCat("dies at the launch of ", id.trial, "/", id.attempt));
      process.storage->Die();
      return Chance(0.5) ? FakeExecutor::Fault::kRefuse : FakeExecutor::Fault::kLoseAck;
    }
    if (faults_.storage && Chance(0.02)) {
      return Chance(0.5) ? FakeExecutor::Fault::kRefuse : FakeExecutor::Fault::kLoseAck;
    }
    return FakeExecutor::Fault::kNone;
  }

  // ---- jobs
  // ------------------------------------------------------------------------------------------------------------------

  core::JobSpec RandomSpec(int index) {
    core::JobSpec spec;
    spec.name = absl::StrCat("job", index);
    spec.objective.metric = "loss";
    spec.objective.goal = Chance(0.5) ? core::Goal::kMinimize : core::Goal::kMaximize;
    if (Chance(0.3)) {
      spec.additional_objectives.push_back(
          {"size", Chance(0.5) ? core::Goal::kMinimize : core::Goal::kMaximize, std::nullopt});
    } else if (Chance(0.2)) {
      spec.objective.target = Chance(0.5) ? 0.02 : 0.98;
    }
    if (Chance(0.2)) spec.outcome_constraints.push_back({Chance(0.5) ? "size" : "loss", 0.2, std::nullopt});
    std::vector<core::Parameter> parameters(2);
    parameters[0].name = "x";
    parameters[1].name = "n";
    const bool grid = Chance(0.3);
    if (grid) {
      parameters[0].domain = core::CategoricalDomain{{"a", "b", "c"}};
      parameters[1].domain =
          core::IntegerDomain{1, 1 + static_cast<int64_t>(Below(4)), core::Scale::kLinear, std::nullopt};
    } else {
      parameters[0].domain = core::DoubleDomain{0, 1, core::Scale::kLinear, std::nullopt, std::nullopt};
      parameters[1].domain = core::IntegerDomain{1, 10, core::Scale::kLinear, std::nullopt};
      if (Chance(0.2)) parameters[0].domain = core::BooleanDomain{};  // 20 points: may be exhausted
    }
    spec.space = core::SearchSpace::Make(std::move(parameters));
    spec.strategy.name = grid ? "grid" : Chance(0.5) ? "random" : "scripted";
    if (!grid && spec.additional_objectives.empty() && Chance(0.35)) MakeHyperband(spec);
    AddRules(spec);
    spec.random_seed = Below(1'000);
    spec.limits.max_trials =
        grid ? static_cast<int32_t>(*spec.space.PointCount(true)) : 1 + static_cast<int32_t>(Below(25));
    spec.limits.max_parallel_trials = 1 + static_cast<int32_t>(Below(4));
    if (Chance(0.15)) spec.limits.max_run_time = absl::Seconds(60 + Below(600));
    if (Chance(0.3)) spec.limits.max_failed_trials = static_cast<int32_t>(Below(6));
    if (Chance(0.2)) spec.completion.max_trials_not_improving = 3 + static_cast<int32_t>(Below(4));
    spec.trial.retries.max_retries = static_cast<int32_t>(Below(3));
    spec.trial.metrics = {{"loss", "loss=(.*)"}};
    for (uint64_t i = Below(3); i > 0; --i) {
      core::NotificationRule& rule = spec.notifications.emplace_back();
      rule.target = core::Webhook{absl::StrCat("http://receiver", i), ""};
      rule.events = {core::NotificationEvent::kJobEnded};
      if (Chance(0.7)) rule.events.push_back(core::NotificationEvent::kTrialFailed);
    }
    const uint64_t kind = Below(10);
    if (kind < 6 || kind == 9) spec.trial.executors.push_back({{"process", ""}, std::nullopt, std::nullopt});
    if (kind >= 6) spec.trial.executors.push_back({{"external", ""}, std::nullopt, absl::Seconds(30)});
    if (kind == 9) spec.trial.executors[0].slots = 1;
    return spec;
  }

  void MakeHyperband(core::JobSpec& spec) {
    v1::HyperbandStrategy options;
    options.set_max_resource(1 + static_cast<int32_t>(Below(6)));
    options.set_eta(2 + static_cast<int32_t>(Below(2)));
    options.set_synchronous(Chance(0.4));
    if (Chance(0.5)) options.set_brackets(1);
    options.set_sampler(Chance(0.5) ? v1::HyperbandStrategy::RANDOM : v1::HyperbandStrategy::MODEL);
    spec.strategy = {"hyperband", options.SerializeAsString()};
    spec.resources = core::Resources{options.max_resource(), ""};
  }

  void AddRules(core::JobSpec& spec) {
    if (!spec.resources && spec.additional_objectives.empty() && Chance(0.4)) {
      const core::EarlyStoppingRule rules[] = {
          core::MedianRule{.min_curves = 2}, core::PercentileRule{.percentile = 40},
          core::ThresholdRule{.min = 0.05, .max = 0.95}, core::HalvingRule{.min_resource = 1, .eta = 2},
          core::CurveRule{.final_step = 6, .min_steps = 3}};
      spec.early_stopping = rules[Below(5)];
    }
    if (Chance(0.2)) spec.health_rules.push_back({"loss", core::NotFiniteCheck{}, Chance(0.5)});
    if (Chance(0.2)) spec.health_rules.push_back({"loss", core::NotDecreasingCheck{2}, Chance(0.5)});
  }

  // Points of the space as trials that ended, were stopped at rungs, or failed.
  core::ParentJobs RandomParents(const core::JobSpec& spec) {
    core::ParentJobs parents(1 + Below(2));
    for (size_t p = 0; p < parents.size(); ++p) {
      parents[p].job_id = absl::StrCat("parent-", p);
      parents[p].uid = absl::StrCat("uid-parent-", p);
      const auto trials = static_cast<int32_t>(Below(12));
      for (int32_t number = 1; number <= trials; ++number) {
        core::Trial& trial = parents[p].trials.emplace_back();
        trial.number = number;
        trial.finish_seq = number;
        for (int i = 0; i < static_cast<int>(spec.space.parameters().size()); ++i) {
          trial.parameters[spec.space.parameters()[static_cast<size_t>(i)].name] =
              spec.space.FromUnit(i, rng_.NextDouble());
        }
        trial.state = Chance(0.1) ? TrialState::kFailed : TrialState::kCompleted;
        if (trial.state == TrialState::kCompleted) {
          trial.objective = rng_.NextDouble();
          trial.final_metrics["loss"] = *trial.objective;
        }
        if (!spec.resources || Chance(0.4)) continue;
        trial.rungs.push_back({.resource = 1, .objective = rng_.NextDouble()});
        if (Chance(0.5)) continue;
        trial.state = TrialState::kEarlyStopped;
        trial.objective.reset();
      }
    }
    return parents;
  }

  void CreateJob(int index) {
    core::JobSpec spec = RandomSpec(index);
    core::ParentJobs parents;
    if (spec.strategy.name != "grid" && spec.strategy.name != "scripted" && Chance(0.3)) {
      parents = RandomParents(spec);
      spec.warm_start = core::WarmStart{
          Chance(0.5) ? core::WarmStart::Type::kIdentical : core::WarmStart::Type::kTransfer, {}, nullptr};
      for (const core::ParentJob& parent : parents) spec.warm_start->parents.push_back(parent.job_id);
      ++outcome_.with_parents;
    }
    const std::string job_id = spec.name;
    core::JobHeader header;
    header.job_id = job_id;
    header.uid = "uid-" + job_id;
    header.limits = spec.limits;
    limits_[job_id] = spec.limits;
    specs_[job_id] = std::move(spec);
    process_->engine->CreateJob(header, std::move(parents), [](absl::StatusOr<engine::Reply>) {});
    Drain();
    if (!store_->ReadJob(job_id).ok()) {  // died before it was stored: nothing was acknowledged
      specs_.erase(job_id);
      limits_.erase(job_id);
      return;
    }
    seen_[job_id].limits = limits_[job_id];  // whatever is told before the first look
    seen_[job_id].checked = true;
  }

  // ---- what happens
  // ----------------------------------------------------------------------------------------------------------

  void Drain() {
    for (int i = 0; i < 50; ++i) {
      if (process_->storage->dead()) return Reboot();
      if (!process_->engine->RunRound()) break;
    }
    for (const auto& [job_id, spec] : specs_) Check(job_id);
  }

  void Step(bool faulty) {
    ++outcome_.steps;
    if (specs_.empty()) return CreateJob(0);
    const uint64_t what = Below(100);
    if (what < 35) {
      MoveRun(faulty);
    } else if (what < 60) {
      if (process_->executor->waiting() > 0) {
        process_->executor->Deliver(Below(1'000), /*keep=*/faulty && faults_.duplicates && Chance(0.1));
      }
    } else if (what < 85) {
      MoveWorker(faulty);
    } else if (what < 89) {
      RunFit();
    } else if (what < 92) {
      EndDelivery(faulty);
    } else if (what < 97 || !faulty) {
      AdvanceClock();
    } else {
      Command();
    }
    if (faulty && faults_.crashes && Chance(0.005)) process_->storage->Die();
    Drain();
  }

  // The metrics of which a trial needs a value in the end.
  std::vector<std::string> Metrics(const std::string& job_id) {
    std::vector<std::string> metrics = {"loss"};
    const core::JobSpec& spec = specs_[job_id];
    const bool size = !spec.additional_objectives.empty() ||
                      (!spec.outcome_constraints.empty() && spec.outcome_constraints[0].metric == "size");
    if (size) metrics.push_back("size");
    return metrics;
  }
  std::string RandomMetric(const std::string& job_id) {
    const std::vector<std::string> metrics = Metrics(job_id);
    return metrics[Below(metrics.size())];
  }
  // Ties are common.
  double RandomValue() { return Chance(0.5) ? rng_.NextDouble() : 0.1 * static_cast<double>(Below(10)); }

  void AdvanceClock() {
    const absl::Duration step = Chance(0.1)   ? absl::Seconds(Below(60))
                                : Chance(0.3) ? absl::Milliseconds(50)
                                              : absl::Milliseconds(Below(2'000));
    const absl::Time due = process_->engine->NextWake();
    const bool stop_there = due > clock_.Now() && (!faults_.late || Chance(0.5));
    if (!faults_.late) Log(absl::StrCat("due in ", absl::FormatDuration(due - clock_.Now())));
    clock_.Set(stop_there ? std::min(due, clock_.Now() + step) : clock_.Now() + step);
  }

  // Any fit that is under way comes to its end.
  void RunFit() {
    std::vector<std::function<void()>>& fits = process_->fits;
    if (fits.empty()) return;
    const size_t index = Below(fits.size());
    const std::function<void()> fit = std::move(fits[index]);
    Log("a fit ends");
    fits.erase(fits.begin() + static_cast<std::ptrdiff_t>(index));
    fit();
  }

  // A receiver takes what it is told, or does not, or takes it and its answer is lost.
  void EndDelivery(bool faulty) {
    std::vector<SimulatedNotifier::Try>& tries = process_->notifier.tries;
    if (tries.empty()) return;
    const size_t index = Below(tries.size());
    const SimulatedNotifier::Try one = std::move(tries[index]);
    tries.erase(tries.begin() + static_cast<std::ptrdiff_t>(index));
    const bool refuses = faulty && Chance(0.4);
    const bool answers = !faulty || Chance(0.9);
    const int64_t number = one.delivery.notification.number;
    Log(absl::StrCat("notification ", number, " of ", one.delivery.job_id, refuses ? " is refused" : " is taken"));
    if (!refuses) ++receivers_.taken[one.delivery.job_id][number];
    one.done(refuses || !answers ? absl::UnavailableError("the receiver is away") : absl::OkStatus());
  }

  // Nobody is told of what a power cut could take back.
  void CheckStored(const engine::Delivery& delivery) {
    const absl::StatusOr<storage::LoadedJob> loaded = store_->LoadJob(delivery.job_id);
    if (!loaded.ok()) return Violation("a job is told of that is not stored");
    const core::Notification& sent = delivery.notification;
    const bool is_due = std::ranges::any_of(loaded->notifications, [&](const core::Notification& due) {
      return due.number == sent.number && due.text == sent.text;
    });
    if (!is_due) Violation("a notification is sent that is not stored as due");
    const bool ended = core::IsTerminal(loaded->record.header.status);
    if (sent.event == core::NotificationEvent::kTrialFailed &&
        loaded->trials[*sent.trial - 1].state != TrialState::kFailed) {
      Violation("a failure is told of that is not stored");
    }
    if (sent.event == core::NotificationEvent::kJobEnded && !ended && limits_updated_.count(delivery.job_id) == 0) {
      Violation("a job's end is told of that is not stored");
    }
  }

  // At the end: each receiver was told of the job's last end and of each trial that failed.
  void CheckNotifications(const std::string& job_id, const storage::LoadedJob& loaded) {
    const core::NotificationCounts& counts = loaded.record.header.notifications;
    const std::map<int64_t, int>& taken = receivers_.taken[job_id];
    int64_t wanted = 0;
    for (const core::NotificationRule& rule : specs_[job_id].notifications) {
      const bool failures = rule.events.size() > 1;
      ++wanted;
      if (failures) wanted += loaded.record.header.counts[TrialState::kFailed] - imported_failures(loaded);
    }
    const bool again = limits_updated_.count(job_id) > 0;  // it may have ended more than once
    if (counts.made() < wanted || (!again && counts.made() > wanted)) {
      Violation(absl::StrCat(job_id, " has ", counts.made(), " notifications, ", wanted, " are due"));
    }
    if (counts.due > 0 || !loaded.notifications.empty()) Violation(job_id + " still has notifications to deliver");
    for (const auto& [number, times] : taken) {
      ++outcome_.notifications;
      outcome_.repeats += times - 1;
    }
    if (std::ssize(taken) < counts.delivered) Violation(job_id + " counts notifications that nobody took");
    if (std::ssize(taken) + counts.given_up < counts.made()) Violation(job_id + " lost a notification");
  }
  static int32_t imported_failures(const storage::LoadedJob& loaded) {
    return static_cast<int32_t>(std::ranges::count_if(loaded.trials, [](const core::Trial& trial) {
      return trial.state == TrialState::kFailed && trial.origin == core::TrialOrigin::kImported;
    }));
  }

  void MoveRun(bool faulty) {
    const std::vector<RunId> active = world_->active();
    if (active.empty()) return;
    const RunId& id = active[Below(active.size())];
    const FakeWorld::Run run = *world_->Find(id);
    if (!run.started) {
      process_->executor->Start(id);
    } else if (Chance(0.5)) {
      process_->executor->Metric(id, RandomMetric(id.job_id), Chance(0.05) ? std::nan("") : RandomValue());
    } else {
      End(id, faulty);
    }
  }

  void End(const RunId& id, bool faulty) {
    const uint64_t how = Below(10);
    if (how < 7) {
      process_->executor->Succeed(id);
    } else if (how < 9 || !faulty) {
      process_->executor->Fail(id, "exit code 1");
    } else {
      executors::RunEnded ended;
      ended.outcome = Chance(0.5) ? executors::RunEnded::Outcome::kLost : executors::RunEnded::Outcome::kTimedOut;
      ended.reason = "the machine restarted";
      process_->executor->End(id, ended);
    }
  }

  std::string RandomJob() {
    auto it = specs_.begin();
    std::advance(it, Below(specs_.size()));
    return it->first;
  }

  void Command() {
    const std::string job_id = RandomJob();
    const uint64_t what = Below(10);
    const auto ignore = [](absl::StatusOr<engine::Reply>) {};
    if (what == 0) {
      Log("stop " + job_id);
      process_->engine->Post(job_id, core::JobStopAsked{"simulated"}, ignore);
    } else if (what < 4) {
      process_->engine->Post(job_id, core::TrialStopAsked{1 + static_cast<int32_t>(Below(10)), ""}, ignore);
    } else if (what < 7) {
      core::Limits limits = limits_[job_id];
      limits.max_parallel_trials = 1 + static_cast<int32_t>(Below(4));
      limits.max_trials = 1 + static_cast<int32_t>(Below(25));
      limits_updated_.insert(job_id);
      process_->engine->Post(job_id, core::LimitsUpdated{limits},
                             [this, job_id, limits](absl::StatusOr<engine::Reply> reply) {
                               if (reply.ok()) limits_[job_id] = limits;
                             });
    } else {
      AddTrials(job_id);
    }
  }

  void AddTrials(const std::string& job_id) {
    core::TrialsAdded event;
    event.request_id = absl::StrCat("add", Below(5));  // a small number: requests repeat
    const int points = 1 + static_cast<int>(Below(2));
    for (int i = 0; i < points; ++i) {
      core::TrialsAdded::Point point;
      point.parameters = specs_[job_id].space.PointFromUnits({rng_.NextDouble(), rng_.NextDouble()});
      if (Chance(0.3)) {
        point.state = TrialState::kCompleted;
        for (const std::string& metric : Metrics(job_id)) point.final_metrics[metric] = RandomValue();
      }
      event.points.push_back(std::move(point));
    }
    const std::string key = absl::StrCat(job_id, "/", event.request_id);
    process_->engine->Post(job_id, std::move(event), [this, key](absl::StatusOr<engine::Reply> reply) {
      if (!reply.ok()) return;
      std::vector<int32_t> numbers;
      for (const core::Trial& trial : reply->trials) numbers.push_back(trial.number);
      auto [it, inserted] = added_.try_emplace(key, numbers);
      if (!inserted && it->second != numbers) Violation(absl::StrCat("AddTrials ", key, " answered twice differently"));
    });
  }

  // ---- workers that ask and tell
  // ---------------------------------------------------------------------------------------------

  void MoveWorker(bool faulty) {
    const std::string job_id = RandomJob();
    const std::string worker = absl::StrCat("worker", Below(3));
    std::set<Held>& held = held_[worker];
    if (held.empty() || Chance(0.3)) return Ask(job_id, worker);
    auto it = held.begin();
    std::advance(it, Below(held.size()));
    if (faulty && Chance(0.1)) {
      held.erase(it);  // the worker died with it
      return;
    }
    if (Chance(0.6)) {
      Report(*it, worker);
    } else {
      Complete(*it, worker, faulty);
    }
  }

  void Ask(const std::string& job_id, const std::string& worker) {
    core::SuggestAsked ask{worker, 1 + static_cast<int32_t>(Below(2)),
                           Chance(0.3) ? absl::StrCat("ask", worker, Below(20)) : "", absl::Milliseconds(200)};
    const int count = ask.count;
    Log(absl::StrCat(worker, " asks ", job_id));
    process_->engine->Post(job_id, std::move(ask), [this, job_id, worker, count](absl::StatusOr<engine::Reply> reply) {
      if (!reply.ok()) return;
      if (!faults_.late && absl::StrContains(reply->reason, "did not answer within the deadline"))
        Violation(absl::StrCat(worker, " was not answered by ", job_id, " within its deadline"));
      if (static_cast<int>(reply->trials.size()) > std::max(count, 2))
        Violation("a worker got more trials than it asked for");
      for (const core::Trial& trial : reply->trials) {
        if (!core::IsTerminal(trial.state)) held_[worker].insert({job_id, trial.number, trial.attempts.back().number});
      }
    });
  }

  void Report(const Held& held, const std::string& worker) {
    core::Reported event;
    event.run = {held.trial, held.attempt};
    event.worker_id = worker;
    core::Measurement measurement;
    measurement.metric = RandomMetric(held.job_id);
    measurement.step = static_cast<int64_t>(Below(6));
    measurement.value = RandomValue();
    event.measurements = {measurement};
    measurement.attempt = held.attempt;
    const AckedValue acked{held.job_id, held.trial, measurement};
    const int times = faults_.duplicates && Chance(0.2) ? 2 : 1;
    for (int i = 0; i < times; ++i) {
      process_->engine->Post(held.job_id, event, [this, acked, held, worker](absl::StatusOr<engine::Reply> reply) {
        if (reply.ok()) acked_.push_back(acked);
        if (absl::IsFailedPrecondition(reply.status())) held_[worker].erase(held);
      });
    }
  }

  void Complete(const Held& held, const std::string& worker, bool faulty) {
    core::CompletionTold event;
    event.run = {held.trial, held.attempt};
    event.worker_id = worker;
    const uint64_t how = Below(10);
    if (how < 7 || !faulty) {
      for (const std::string& metric : Metrics(held.job_id)) event.final_metrics[metric] = RandomValue();
      if (faulty && Chance(0.1)) event.final_metrics.erase(event.final_metrics.begin());
    }
    if (how == 7 && faulty) event.failure_reason = "diverged";
    if (how == 8 && faulty) event.infeasible_reason = "does not fit";
    const int times = faults_.duplicates && Chance(0.3) ? 2 : 1;
    const auto oks = std::make_shared<int>(0);
    for (int i = 0; i < times; ++i) {
      process_->engine->Post(held.job_id, event, [this, held, worker, oks, i](absl::StatusOr<engine::Reply> reply) {
        if (i == 1 && *oks == 1 && absl::IsFailedPrecondition(reply.status())) {
          Violation("the same completion told again was refused");
        }
        if (reply.ok()) {
          ++*oks;
          completed_.insert(held);
        }
        if (reply.ok() || absl::IsFailedPrecondition(reply.status())) held_[worker].erase(held);
      });
    }
  }

  // ---- what must always hold
  // -------------------------------------------------------------------------------------------------

  struct Seen {
    int started = 0;
    int active = 0;
    bool checked = false;
    core::Limits limits;  // in force at the last look: a start may have come just before they were lowered
    std::map<int32_t, core::Trial> ended;
  };

  void Check(const std::string& job_id) {
    if (!out_ok()) return;
    absl::StatusOr<storage::LoadedJob> loaded = store_->LoadJob(job_id);
    if (!loaded.ok()) return Violation(absl::StrCat(job_id, " is gone: ", loaded.status().ToString()));
    const core::JobHeader& header = loaded->record.header;
    Seen& seen = seen_[job_id];
    Seen now;
    std::set<int64_t> ordinals;
    for (const core::Trial& trial : loaded->trials) {
      CheckTrial(job_id, trial);
      if (!trial.attempts.empty()) ++now.started;
      if (core::IsActive(trial.state)) ++now.active;
      if (trial.ordinal && !ordinals.insert(*trial.ordinal).second) Violation("an ordinal was used twice");
      if (core::IsTerminal(trial.state)) now.ended[trial.number] = trial;
    }
    now.limits = header.limits;
    const core::Limits& before_limits = seen.checked ? seen.limits : now.limits;
    now.checked = true;
    const int most = std::max(header.limits.max_trials.value_or(0), before_limits.max_trials.value_or(0));
    if (header.limits.max_trials && now.started > std::max(seen.started, most)) {
      Violation(absl::StrCat(job_id, " started ", now.started, " trials, max_trials is ", *header.limits.max_trials));
    }
    if (now.active > std::max({seen.active, header.limits.max_parallel_trials, before_limits.max_parallel_trials})) {
      Violation(absl::StrCat(job_id, " has ", now.active, " trials in parallel, the limit is ",
                             header.limits.max_parallel_trials));
    }
    for (const auto& [number, before] : seen.ended) {
      auto it = now.ended.find(number);
      if (it == now.ended.end() || it->second.state != before.state || it->second.reason != before.reason ||
          it->second.objective != before.objective) {
        Violation(absl::StrCat("trial ", number, " of ", job_id, " changed after its end"));
      }
    }
    if (core::IsTerminal(header.status) && (now.active > 0 || header.reason.empty())) Violation("a job ended untidily");
    CheckResult(job_id, *loaded);
    CheckRungs(job_id, *loaded);
    CheckWorld(job_id, *loaded);
    seen = std::move(now);
  }

  // The best trial or the Pareto front that is stored is what the stored trials say by the definition.
  void CheckResult(const std::string& job_id, const storage::LoadedJob& loaded) {
    const core::JobSpec& spec = specs_[job_id];
    struct Candidate {
      const core::Trial* trial;
      std::vector<double> values;
    };
    std::vector<Candidate> candidates;
    for (const core::Trial& trial : loaded.trials) {
      if (trial.state != TrialState::kCompleted || !core::KeepsConstraints(spec, trial)) continue;
      candidates.push_back({&trial, core::ObjectiveValues(spec, trial).value_or(std::vector<double>())});
    }
    std::set<int32_t> front;
    for (const Candidate& one : candidates) {
      const bool beaten = std::ranges::any_of(candidates, [&](const Candidate& other) {
        return core::Dominates(spec, other.values, one.values) ||
               (other.values == one.values && other.trial->finish_seq < one.trial->finish_seq);
      });
      if (!beaten) front.insert(one.trial->number);
    }
    const core::JobHeader& header = loaded.record.header;
    std::set<int32_t> stored(header.pareto_front.begin(), header.pareto_front.end());
    if (header.best_trial) stored.insert(*header.best_trial);
    if (stored != front) Violation(job_id + " stores another best trial or front than its trials have");
    if (header.best_trial.has_value() && !spec.additional_objectives.empty()) {
      Violation(job_id + " has a best trial though it has several objectives");
    }
  }

  void CheckTrial(const std::string& job_id, const core::Trial& trial) {
    const std::string name = absl::StrCat("trial ", trial.number, " of ", job_id);
    if (trial.reason.empty()) Violation(name + " has no reason for its state");
    if (!specs_[job_id].space.Contains(trial.parameters)) Violation(name + " is outside of the space");
    for (size_t i = 0; i < trial.attempts.size(); ++i) {
      const core::Attempt& attempt = trial.attempts[i];
      if (attempt.number != static_cast<int32_t>(i) + 1) Violation(name + " misses an attempt");
      if ((attempt.start_reason == core::StartReason::kFirst) != (i == 0))
        Violation(name + " has an attempt without a reason");
      if (i + 1 < trial.attempts.size() && !attempt.end_time) Violation(name + " has two attempts at once");
    }
    if (core::IsTerminal(trial.state) && !trial.attempts.empty() && !trial.attempts.back().end_time) {
      Violation(name + " ended, its attempt did not");
    }
    if (trial.state == TrialState::kCompleted && core::MissingMetric(specs_[job_id], trial) != nullptr) {
      Violation(name + " completed without a value that it needs");
    }
  }

  // Resources rise rung by rung and are never passed; each promotion is from a rung that was reached, once; of a rung
  // no more go on than its best share.
  void CheckRungs(const std::string& job_id, const storage::LoadedJob& loaded) {
    const std::optional<core::Resources>& resources = specs_[job_id].resources;
    if (!resources) return;
    for (const core::Trial& trial : loaded.trials) {
      const std::string name = absl::StrCat("trial ", trial.number, " of ", job_id);
      int64_t before = 0;
      for (const core::RungResult& rung : trial.rungs) {
        if (rung.resource <= before) Violation(name + " reached a rung twice");
        before = rung.resource;
      }
      if (before >= resources->max || trial.resource > resources->max) Violation(name + " passed its largest resource");
      if (trial.resource < before) Violation(name + " fell back to a smaller resource");
      const auto promotions =
          std::ranges::count(trial.attempts, core::StartReason::kPromotion, &core::Attempt::start_reason);
      if (promotions > static_cast<int64_t>(trial.rungs.size())) Violation(name + " was promoted twice from a rung");
      if (trial.state == TrialState::kPaused && trial.resource != before) Violation(name + " is paused at no rung");
      if (trial.state == TrialState::kCompleted && trial.origin == core::TrialOrigin::kStrategy &&
          trial.resource != resources->max) {
        Violation(name + " completed below the largest resource");
      }
    }
  }

  void CheckWorld(const std::string& job_id, const storage::LoadedJob& loaded) {
    for (const executors::RunSpec& spec : world_->launched()) {
      if (spec.id.job_id != job_id) continue;
      const FakeWorld::Run run = *world_->Find(spec.id);
      if (run.starts > 1)
        Violation(absl::StrCat("run ", spec.id.trial, "/", spec.id.attempt, " was started ", run.starts, " times"));
      if (spec.id.trial > static_cast<int32_t>(loaded.trials.size())) {
        Violation("a trial runs that storage does not know");
        return;
      }
      const core::Trial& trial = loaded.trials[spec.id.trial - 1];
      if (spec.id.attempt > static_cast<int32_t>(trial.attempts.size())) {
        Violation("an attempt runs that storage does not know");
      } else if (run.acknowledged && !trial.attempts[spec.id.attempt - 1].end_time) {
        Violation(absl::StrCat("the end of run ", spec.id.trial, "/", spec.id.attempt,
                               " was acknowledged, and is not stored"));
      } else if (!run.ended && trial.attempts[spec.id.attempt - 1].end_time) {
        Violation(absl::StrCat("run ", spec.id.trial, "/", spec.id.attempt, " goes on after its attempt was ended"));
      }
    }
  }

  // At the end: every acknowledged value is there, and every value of a run that ended by itself is there once.
  void CheckEnd(const std::string& job_id) {
    if (!out_ok()) return;
    absl::StatusOr<storage::LoadedJob> loaded = store_->LoadJob(job_id);
    absl::btree_map<int32_t, std::map<std::tuple<int32_t, std::string, int64_t>, double>> values;
    CheckReplay(job_id, loaded->trials);
    CheckNotifications(job_id, *loaded);
    for (const core::Trial& trial : loaded->trials) {
      ++outcome_.trials;
      outcome_.attempts += static_cast<int>(trial.attempts.size());
      outcome_.promotions += static_cast<int>(
          std::ranges::count(trial.attempts, core::StartReason::kPromotion, &core::Attempt::start_reason));
      outcome_.early_stopped += trial.state == TrialState::kEarlyStopped;
      auto entry = store_->ReadTrial(job_id, trial.number);
      for (const core::Measurement& m : entry->measurements) {
        ++outcome_.measurements;
        if (!values[trial.number].emplace(std::tuple(m.attempt, m.metric, m.step), m.value).second)
          Violation("a measurement is there twice");
      }
      if (trial.measurement_count != static_cast<int64_t>(entry->measurements.size())) {
        Violation(absl::StrCat("trial ", trial.number, " counts ", trial.measurement_count, " measurements and has ",
                               entry->measurements.size()));
      }
    }
    for (const AckedValue& acked : acked_) {
      if (acked.job_id != job_id) continue;
      if (!values[acked.trial].contains(
              {acked.measurement.attempt, acked.measurement.metric, acked.measurement.step})) {
        Violation("an acknowledged measurement is lost");
      }
    }
    for (const Held& held : completed_) {
      if (held.job_id != job_id) continue;
      if (loaded->trials[held.trial - 1].attempts[held.attempt - 1].completion.empty())
        Violation("an acknowledged completion is lost");
    }
    for (const executors::RunSpec& spec : world_->launched()) {
      if (spec.id.job_id != job_id) continue;
      const FakeWorld::Run run = *world_->Find(spec.id);
      if (!run.ended) Violation("a run is left behind");
      for (const core::Measurement& m : run.output) {
        if (!values[spec.id.trial].contains({spec.id.attempt, m.metric, m.step})) {
          Violation(absl::StrCat("measurement ", m.step, " of run ", spec.id.trial, "/", spec.id.attempt, " is lost"));
        }
      }
    }
  }

  void CheckReplay(const std::string& job_id, const std::vector<core::Trial>& trials) {
    core::JobSpec spec = specs_.at(job_id);
    if (const absl::Status attached = engine::AttachParents(*store_, job_id, spec); !attached.ok()) {
      return Violation(absl::StrCat(job_id, " lost its parents: ", attached.ToString()));
    }
    const auto report = engine::Replay(spec, trials, make_strategy_, nullptr);
    if (!report.ok()) return Violation(absl::StrCat(job_id, " cannot be replayed: ", report.status().ToString()));
    if (report->different > 0) {
      Violation(
          absl::StrCat(job_id, ": the suggestion of trial ", report->first_difference->trial, " is not recomputed"));
    }
    for (const auto& [kind, count] : report->by_kind) {
      (kind == core::Basis::Kind::kFresh     ? outcome_.fresh
       : kind == core::Basis::Kind::kLastFit ? outcome_.last_fit
                                             : outcome_.fallback) += count;
    }
  }

  std::string Unended() {
    std::string text;
    for (const auto& [job_id, spec] : specs_) {
      absl::StatusOr<storage::LoadedJob> loaded = store_->LoadJob(job_id);
      if (core::IsTerminal(loaded->record.header.status)) {
        if (loaded->record.header.notifications.due > 0) absl::StrAppend(&text, " ", job_id, " has notifications due");
        continue;
      }
      const core::JobHeader& header = loaded->record.header;
      absl::StrAppend(&text, " ", job_id, " [", header.reason, "; ", process_->engine->PausedReason(job_id), "; ",
                      loaded->trials.size(), " trials of ", header.limits.max_trials.value_or(-1), ", next ordinal ",
                      header.next_ordinal, header.exhausted ? ", exhausted" : "", ", on ",
                      spec.trial.executors[0].options.name, ", ", spec.strategy.name, "]");
      for (const core::Trial& trial : loaded->trials) {
        if (core::IsTerminal(trial.state)) continue;
        absl::StrAppend(&text, " trial ", trial.number, " ", std::string(core::TrialStateName(trial.state)), " (",
                        trial.reason, ")");
      }
    }
    return text;
  }

  bool AllEnded() {
    for (const auto& [job_id, spec] : specs_) {
      const core::JobHeader header = store_->ReadJob(job_id)->header;
      if (!core::IsTerminal(header.status) || header.notifications.due > 0) return false;
    }
    return !specs_.empty();
  }

  core::Rng rng_;
  const Faults faults_;
  core::ManualClock clock_;
  std::unique_ptr<storage::Storage> store_;  // the disk: outlives every process
  std::shared_ptr<FakeWorld> world_;
  std::map<std::string, core::JobSpec> specs_;
  std::map<std::string, core::Limits> limits_;
  tuner::testing::Script script_{.reuses = true};
  const engine::MakeStrategy make_strategy_ =
      [this](const core::JobSpec& spec) -> absl::StatusOr<std::unique_ptr<strategies::Strategy>> {
    if (spec.strategy.name != "scripted") return engine::MakeRegisteredStrategy(spec);
    return tuner::testing::MakeScriptedStrategy(&script_, spec);
  };
  std::unique_ptr<Process> process_;
  bool quiet_ = false;

  Receivers receivers_;
  std::set<std::string> limits_updated_;
  std::map<std::string, std::set<Held>> held_;
  std::map<std::string, std::vector<int32_t>> added_;
  std::vector<AckedValue> acked_;
  std::set<Held> completed_;
  std::map<std::string, Seen> seen_;
  Outcome outcome_;
};

}  // namespace

Outcome Simulate(uint64_t seed, const Faults& faults) { return Simulation(seed, faults).Run(); }

}  // namespace tuner::simulation
