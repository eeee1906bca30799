// Plays tests/dialogues/core/*.txt against the job machine: each file is a story of events, with everything that was
// decided below each. TUNER_REWRITE_DIALOGUES=1 writes the files anew; review the difference.
//
//   job [max_trials=N] [parallel=N] [retries=N] [executor=process|external|both] [target=X] [not_improving=N]
//   [run_time=5m] [failed=N] [resources=R] [rule=median|halving|threshold:MAX] [health=CHECK:NUMBER,...] resume [1/1
//   ...] | propose x=0.1 x=0.2 ... [exhausted] | begin 1/1 | metrics 1/1 loss@1=0.5 ... | refuse 1/1 REASON finish 1/1
//   ok|failed|stopped|timeout|lost | ask WORKER N [REQUEST] [within=200ms] | report 1/1 WORKER loss@1=0.5 ... |
//   complete 1/1 WORKER loss=0.5 (WORKER -: the trial itself) complete 1/1 WORKER failed|infeasible REASON | add x=0.5
//   [done=0.3|failed] [REQUEST] | limits [max_trials=N] [parallel=N] stop | stop-trial N | preempt | timer | after 30s
//   | trials
//   job ... def=NAME[:METRIC][:process|external|both][:SLOTS] ...: training definitions, of which `propose of=NAME` is
//   the answer of one's strategy, and `add of=NAME` a trial; SLOTS are its first executor's
//   job ... [notify=ended,failed notify=ended] [import_only]; add ... [import_done]; notified N ok|REASON | reload
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/job_machine.h"
#include "core/trial_filter.h"
#include "gtest/gtest.h"
#include "tests/dialogue.h"

namespace tuner::core {
namespace {

using Words = std::vector<std::string>;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

std::string Show(RunRef run) { return absl::StrCat(run.trial, "/", run.attempt); }

RunRef ReadRun(const std::string& word) {
  const std::vector<std::string> parts = absl::StrSplit(word, '/');
  return {std::stoi(parts.at(0)), std::stoi(parts.at(1))};
}

// "key=value" among the words, or `otherwise`.
std::string Option(const Words& words, const std::string& key, const std::string& otherwise) {
  for (const std::string& word : words) {
    if (absl::StartsWith(word, key + "=")) return word.substr(key.size() + 1);
  }
  return otherwise;
}

class Dialogue {
 public:
  std::string Tell(const std::string& line) {
    const Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    const std::string& verb = words.at(0);
    if (verb == "job") return NewJob(words);
    if (verb == "after") {
      absl::Duration step;
      EXPECT_TRUE(absl::ParseDuration(words.at(1), &step)) << line;
      now_ += step;
      return "";
    }
    if (verb == "trials") return Trials();
    if (verb == "reload") return Reload();
    return Play(Read(verb, words));
  }

 private:
  std::string NewJob(const Words& words) {
    JobSpec spec;
    spec.objective = {"loss", Goal::kMinimize, std::nullopt};
    if (const std::string target = Option(words, "target", ""); !target.empty())
      spec.objective.target = std::stod(target);
    // also=size,time: minimised beside loss; bounds=size<5,time<1: at most
    for (absl::string_view name : absl::StrSplit(Option(words, "also", ""), ',', absl::SkipEmpty())) {
      spec.additional_objectives.push_back({std::string(name), Goal::kMinimize, std::nullopt});
    }
    for (absl::string_view bound : absl::StrSplit(Option(words, "bounds", ""), ',', absl::SkipEmpty())) {
      const Words sides = absl::StrSplit(bound, "<");
      spec.outcome_constraints.push_back({sides.at(0), std::nullopt, std::stod(sides.at(1))});
    }
    Parameter x;
    x.name = "x";
    x.domain = DoubleDomain{0, 1, Scale::kLinear, std::nullopt, std::nullopt};
    spec.space = SearchSpace::Make({x});
    const std::string executor = Option(words, "executor", "process");
    if (executor != "external") spec.trial.executors.push_back({{"process", ""}, std::nullopt, std::nullopt});
    if (executor != "process") spec.trial.executors.push_back({{"external", ""}, std::nullopt, absl::Seconds(60)});
    spec.trial.retries.max_retries = std::stoi(Option(words, "retries", "0"));
    spec.completion.convergence = Option(words, "convergence", "") == "yes";
    spec.strategy.name = Option(words, "strategy", "random");
    if (const std::string n = Option(words, "not_improving", ""); !n.empty())
      spec.completion.max_trials_not_improving = std::stoi(n);
    if (const std::string most = Option(words, "resources", ""); !most.empty()) {
      spec.resources = Resources{std::stoll(most), ""};
    }
    ReadRules(words, spec);
    for (const std::string& word : words) {  // notify=ended,failed: one receiver of these events
      if (!absl::StartsWith(word, "notify=")) continue;
      NotificationRule& rule = spec.notifications.emplace_back();
      rule.target = Webhook{"http://127.0.0.1:1/", ""};
      if (absl::StrContains(word, "ended")) rule.events.push_back(NotificationEvent::kJobEnded);
      if (absl::StrContains(word, "failed")) rule.events.push_back(NotificationEvent::kTrialFailed);
      if (absl::StrContains(word, "health")) rule.events.push_back(NotificationEvent::kHealthRule);
    }
    AddDefinitions(words, spec);
    JobHeader header;
    header.job_id = "j";
    header.import_only = words.back() == "import_only";
    header.limits.max_trials = std::stoi(Option(words, "max_trials", "10"));
    header.limits.max_parallel_trials = std::stoi(Option(words, "parallel", "2"));
    if (const std::string n = Option(words, "failed", ""); !n.empty()) header.limits.max_failed_trials = std::stoi(n);
    absl::Duration run_time;
    if (absl::ParseDuration(Option(words, "run_time", ""), &run_time)) header.limits.max_run_time = run_time;
    state_ = std::make_unique<JobState>(std::move(spec));
    for (const Change& change : FirstChanges(std::move(header), now_)) Apply(change, *state_);
    return Play(Resumed{});
  }

  static void AddDefinitions(const Words& words, JobSpec& spec) {
    std::vector<JobSpec> definitions;
    for (const std::string& word : words) {
      if (!absl::StartsWith(word, "def=")) continue;
      JobSpec definition = spec;
      const Words parts = absl::StrSplit(word.substr(4), ':');
      definition.definition = parts[0];
      if (parts.size() > 1) definition.objective.metric = parts[1];
      if (parts.size() > 2) definition.trial.executors.clear();
      if (parts.size() > 2 && parts[2] != "external") definition.trial.executors.push_back({{"process", ""}, {}, {}});
      if (parts.size() > 2 && parts[2] != "process") {
        definition.trial.executors.push_back({{"external", ""}, {}, absl::Seconds(60)});
      }
      if (parts.size() > 3) definition.trial.executors.front().slots = std::stoi(parts[3]);
      definitions.push_back(std::move(definition));
    }
    if (definitions.empty()) return;
    spec.definitions = std::move(definitions);
    spec.objective = {};
    spec.space = {};
    spec.trial = {};
  }

  // rule=median, halving or threshold:MAX; health=nan,exploding:10,flat:3,gap:0.5,slow:10, with ! behind it: only warn
  static void ReadRules(const Words& words, JobSpec& spec) {
    const Words rule = absl::StrSplit(Option(words, "rule", ""), ':');
    if (rule[0] == "median") spec.early_stopping = MedianRule{.min_curves = 2};
    if (rule[0] == "halving") spec.early_stopping = HalvingRule{.min_resource = 1, .eta = 2};
    if (rule[0] == "threshold") spec.early_stopping = ThresholdRule{.min = {}, .max = std::stod(rule.at(1))};
    for (absl::string_view part : absl::StrSplit(Option(words, "health", ""), ',', absl::SkipEmpty())) {
      std::string text(part);
      HealthRule health{.metric = "loss", .check = NotFiniteCheck{}, .stop = text.back() != '!'};
      if (!health.stop) text.pop_back();
      const Words parts = absl::StrSplit(text, ':');
      if (parts[0] == "exploding") health.check = ExplodingCheck{std::stod(parts.at(1))};
      if (parts[0] == "flat") health.check = NotDecreasingCheck{std::stoi(parts.at(1))};
      if (parts[0] == "gap") health.check = OverfittingCheck{"train", std::stod(parts.at(1))};
      if (parts[0] == "slow") health.check = TooSlowCheck{std::stoi(parts.at(1)), absl::Seconds(60)};
      spec.health_rules.push_back(health);
    }
  }

  // What a server does that loads the job: the stored header, the trials, and of the notifications those that are due.
  std::string Reload() {
    auto loaded = std::make_unique<JobState>(state_->spec());
    Apply(JobPut{state_->header()}, *loaded);
    for (const Trial& trial : state_->trials()) Apply(TrialPut{trial}, *loaded);
    for (const auto& [number, due] : state_->due_notifications()) Apply(NotificationPut{due}, *loaded);
    state_ = std::move(loaded);
    return Play(Resumed{});
  }

  static std::vector<Measurement> ReadMeasurements(const Words& words) {
    std::vector<Measurement> measurements;
    for (const std::string& word : words) {
      const std::vector<std::string> sides = absl::StrSplit(word, '=');
      const std::vector<std::string> name = absl::StrSplit(sides[0], '@');
      if (sides.size() != 2) continue;
      Measurement m;
      m.metric = name[0];
      m.step = name.size() == 2 ? std::stoll(name[1]) : -1;
      m.value = std::stod(sides[1]);
      measurements.push_back(m);
    }
    return measurements;
  }

  EventKind Read(const std::string& verb, const Words& words) {
    if (verb == "resume") {
      Resumed event;
      for (size_t i = 1; i < words.size(); ++i) event.known.push_back(ReadRun(words[i]));
      return event;
    }
    if (verb == "propose") return ReadProposals(words);
    if (verb == "begin") return RunBegan{ReadRun(words.at(1)), "here", "/data"};
    if (verb == "metrics") return MetricsSeen{ReadRun(words.at(1)), ReadMeasurements(words), {}};
    if (verb == "refuse") return LaunchRefused{ReadRun(words.at(1)), words.at(2)};
    if (verb == "finish") return ReadFinish(words);
    if (verb == "ask") return ReadAsk(words);
    if (verb == "report") return Reported{ReadRun(words.at(1)), words.at(2), ReadMeasurements(words)};
    if (verb == "complete") return ReadCompletion(words);
    if (verb == "add") return ReadAdded(words);
    if (verb == "limits") {
      Limits limits = state_->header().limits;
      limits.max_trials = std::stoi(Option(words, "max_trials", absl::StrCat(limits.max_trials.value_or(0))));
      limits.max_parallel_trials = std::stoi(Option(words, "parallel", absl::StrCat(limits.max_parallel_trials)));
      return LimitsUpdated{limits};
    }
    if (verb == "stop") return JobStopAsked{"enough"};
    if (verb == "stop-trial") return TrialStopAsked{std::stoi(words.at(1)), "poor"};
    if (verb == "preempt") return Preempted{"preempted: interrupted"};
    if (verb == "notified") {
      const std::string how = absl::StrJoin(words.begin() + 2, words.end(), " ");
      return Notified{std::stoi(words.at(1)), how == "ok", how == "ok" ? "" : how};
    }
    EXPECT_EQ(verb, "timer");
    return TimerFired{};
  }

  static EventKind ReadAsk(const Words& words) {
    SuggestAsked event{words.at(1), std::stoi(words.at(2)), "", absl::Seconds(1)};
    absl::ParseDuration(Option(words, "within", ""), &event.deadline);
    if (words.size() > 3 && !absl::StartsWith(words[3], "within=")) event.request_id = words[3];
    return event;
  }

  EventKind ReadProposals(const Words& words) const {
    Proposed event;
    event.definition = *FindDefinition(state_->spec(), Option(words, "of", ""));
    event.first_ordinal = state_->header().definitions[event.definition].next_ordinal;
    for (const std::string& word : words) {
      if (absl::StartsWith(word, "x=")) {  // x=VALUE or x=VALUE@RESOURCE
        const Words parts = absl::StrSplit(word.substr(2), '@');
        event.proposals.push_back({{{"x", std::stod(parts[0])}}, parts.size() == 2 ? std::stoll(parts[1]) : 0, 0});
      }
      if (absl::StartsWith(word, "promote=")) {  // promote=TRIAL@RESOURCE
        const Words parts = absl::StrSplit(word.substr(8), '@');
        event.promotions.push_back({std::stoi(parts[0]), std::stoll(parts.at(1)), "as told"});
      }
      if (absl::StartsWith(word, "gain=")) {  // gain=GAIN~NOISE
        const Words parts = absl::StrSplit(word.substr(5), '~');
        event.forecast = Forecast{std::stod(parts[0]), std::stod(parts.at(1))};
      }
      if (word == "waiting") {
        event.waiting = true;
        event.waiting_reason = "no paused trial is good enough";
        event.basis.known_prefix = state_->tally(event.definition).observed;
      }
      if (absl::StartsWith(word, "reused=")) event.proposals.back().reused_trial = std::stoi(word.substr(7));
      if (word == "exhausted") {
        event.exhausted = true;
        event.exhausted_reason = "the space has no other point";
      }
    }
    return event;
  }

  static EventKind ReadFinish(const Words& words) {
    using Outcome = RunFinished::Outcome;
    RunFinished event;
    event.run = ReadRun(words.at(1));
    const std::string& how = words.at(2);
    event.outcome = how == "ok"        ? Outcome::kSucceeded
                    : how == "failed"  ? Outcome::kFailed
                    : how == "stopped" ? Outcome::kStopped
                    : how == "timeout" ? Outcome::kTimedOut
                                       : Outcome::kLost;
    event.reason = absl::StrCat("run ", how);
    return event;
  }

  static EventKind ReadCompletion(const Words& words) {
    CompletionTold event;
    event.run = ReadRun(words.at(1));
    if (words.at(2) != "-") event.worker_id = words[2];
    if (words.at(3) == "failed") {
      event.failure_reason = words.at(4);
    } else if (words.at(3) == "infeasible") {
      event.infeasible_reason = words.at(4);
    } else {
      for (const Measurement& m : ReadMeasurements(words)) event.final_metrics[m.metric] = m.value;
    }
    return event;
  }

  static EventKind ReadAdded(const Words& words) {
    TrialsAdded event;
    TrialsAdded::Point point;
    for (size_t i = 1; i < words.size(); ++i) {
      if (absl::StartsWith(words[i], "x=")) {
        point.parameters["x"] = std::stod(words[i].substr(2));
      } else if (absl::StartsWith(words[i], "of=")) {
        point.definition = words[i].substr(3);
      } else if (absl::StartsWith(words[i], "done=")) {
        point.state = TrialState::kCompleted;
        point.final_metrics["loss"] = std::stod(words[i].substr(5));
      } else if (absl::StrContains(words[i], '=')) {
        const Words sides = absl::StrSplit(words[i], '=');
        point.final_metrics[sides.at(0)] = std::stod(sides.at(1));
      } else if (words[i] == "failed") {
        point.state = TrialState::kFailed;
      } else if (words[i] == "import_done") {
        event.import_done = true;
      } else {
        event.request_id = words[i];
      }
    }
    event.points.push_back(point);
    return event;
  }

  std::string Play(EventKind kind) {
    const Decision decision = Step(*state_, Event{now_, std::move(kind), ++call_});
    std::string text;
    for (const Change& change : decision.changes) absl::StrAppend(&text, Show(change), "\n");
    for (const Effect& effect : decision.effects) absl::StrAppend(&text, "-> ", Show(effect), "\n");
    return text;
  }

  static std::string Show(RunRef run) { return tuner::core::Show(run); }

  std::string Show(const Change& change) const {
    if (const auto* job = std::get_if<JobPut>(&change)) {
      static constexpr const char* kNames[] = {"?", "RUNNING", "STOPPING", "COMPLETED", "STOPPED", "FAILED"};
      const JobHeader& header = job->header;
      std::string best = header.best_trial ? absl::StrCat(", best ", *header.best_trial) : "";
      for (size_t i = 0; header.definitions.size() > 1 && i < header.definitions.size(); ++i) {
        const DefinitionProgress& progress = header.definitions[i];
        if (!progress.best_trial) continue;
        absl::StrAppend(&best, ", best of ", DefinitionAt(state_->spec(), static_cast<int>(i)).definition, " ",
                        *progress.best_trial);
      }
      if (!header.pareto_front.empty()) best = absl::StrCat(", front ", absl::StrJoin(header.pareto_front, " "));
      const NotificationCounts& told = header.notifications;
      std::string notified;
      if (told.made() > 0) {
        notified = absl::StrCat("; ", told.due, " notifications due, ", told.delivered, " delivered, ", told.given_up,
                                " given up", told.last_failure.empty() ? "" : ", last failure: ", told.last_failure);
      }
      return absl::StrCat("job ", kNames[static_cast<int>(header.status)], best, ": ", header.reason, notified);
    }
    if (const auto* put = std::get_if<TrialPut>(&change)) return Show(put->trial);
    if (const auto* put = std::get_if<NotificationPut>(&change)) return Show(put->notification);
    const auto& put = std::get<MeasurementPut>(change);
    return absl::StrCat("measurement ", put.trial, "/", put.measurement.attempt, " ", put.measurement.metric, "@",
                        put.measurement.step, "=", put.measurement.value);
  }

  std::string Show(const Notification& notification) const {
    static constexpr const char* kEvents[] = {"?", "JOB_ENDED", "TRIAL_FAILED", "HEALTH_RULE"};
    static constexpr const char* kStates[] = {"?", "due", "delivered", "given up"};
    std::string text = absl::StrCat("notification ", notification.number, " for receiver ", notification.rule, " ",
                                    kEvents[static_cast<int>(notification.event)]);
    if (notification.trial) absl::StrAppend(&text, " of trial ", *notification.trial);
    absl::StrAppend(&text, ", ", kStates[static_cast<int>(notification.state)]);
    if (notification.state == NotificationState::kDue && notification.next_try > now_) {
      absl::StrAppend(&text, " in ", absl::FormatDuration(notification.next_try - now_));
    }
    absl::StrAppend(&text, ", ", notification.tries, " tries: ", notification.text);
    if (!notification.failure.empty()) absl::StrAppend(&text, " (", notification.failure, ")");
    return text;
  }

  std::string Show(const Trial& trial) const {
    static constexpr const char* kReasons[] = {"?", "FIRST", "RETRY", "EXPIRED_LEASE", "PREEMPTION", "PROMOTION"};
    const std::string_view state = TrialStateName(trial.state);
    const std::string of = trial.definition.empty() ? "" : absl::StrCat("of ", trial.definition, " ");
    std::string text = absl::StrCat("trial ", trial.number, " ", of, std::string(state));
    if (!trial.attempts.empty()) {
      const Attempt& last = trial.attempts.back();
      absl::StrAppend(&text, ", attempt ", last.number, " ", kReasons[static_cast<int>(last.start_reason)], " on ",
                      last.executor);
    }
    if (trial.resource > 0) absl::StrAppend(&text, ", resource ", trial.resource);
    if (trial.steps_repeated > 0) absl::StrAppend(&text, ", repeated ", trial.steps_repeated, " of ", trial.steps_run);
    const std::string& metric = state_->spec_of(trial).objective.metric;
    if (trial.objective) absl::StrAppend(&text, ", ", metric, " ", *trial.objective);
    for (const HealthWarning& warning : trial.warnings) absl::StrAppend(&text, ", warned: ", warning.text);
    for (const Objective& objective : state_->spec().additional_objectives) {
      const auto value = trial.final_metrics.find(objective.metric);
      if (value != trial.final_metrics.end()) absl::StrAppend(&text, ", ", objective.metric, " ", value->second);
    }
    return absl::StrCat(text, ": ", trial.reason);
  }

  std::string Show(const Effect& effect) const {
    if (const auto* ask = std::get_if<AskStrategy>(&effect)) {
      const std::string fresh = ask->new_trials ? absl::StrCat(" (", *ask->new_trials, " new)") : "";
      const std::string& name = DefinitionAt(state_->spec(), ask->definition).definition;
      return absl::StrCat("ask the strategy ", name.empty() ? "" : absl::StrCat("of ", name, " "), "for ", ask->count,
                          fresh, " from ordinal ", ask->first_ordinal, " within ",
                          absl::FormatDuration(ask->deadline - now_));
    }
    if (const auto* tell = std::get_if<TellStrategy>(&effect)) {
      return absl::StrCat("tell the strategy of trial ", tell->trial,
                          tell->rung ? absl::StrCat(" at rung ", *tell->rung + 1) : "");
    }
    if (const auto* launch = std::get_if<Launch>(&effect)) return "launch " + Show(launch->run);
    if (const auto* stop = std::get_if<StopRun>(&effect)) {
      return absl::StrCat("stop ", Show(stop->run), " within ", absl::FormatDuration(stop->grace));
    }
    if (const auto* ended = std::get_if<AcknowledgeEnd>(&effect)) return "acknowledge the end of " + Show(ended->run);
    if (const auto* wake = std::get_if<WakeAt>(&effect)) return "wake in " + absl::FormatDuration(wake->time - now_);
    if (const auto* send = std::get_if<SendNotification>(&effect)) {
      return absl::StrCat("send notification ", send->number);
    }
    const auto& answer = std::get<Answer>(effect);
    std::string text = "answer ";
    if (!answer.status.ok()) return absl::StrCat(text, answer.status.ToString());
    absl::StrAppend(&text, "trials [", absl::StrJoin(answer.trials, " "), "]");
    if (answer.should_stop) absl::StrAppend(&text, ", should stop");
    if (answer.job_done) absl::StrAppend(&text, ", job done");
    if (!answer.reason.empty()) absl::StrAppend(&text, ": ", answer.reason);
    return text;
  }

  std::string Trials() const {
    std::string text;
    for (const Trial& trial : state_->trials()) absl::StrAppend(&text, Show(trial), "\n");
    return text;
  }

  std::unique_ptr<JobState> state_;
  absl::Time now_ = kStart;
  CallId call_ = 0;
};

class DialogueTest : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(DialogueTest, GoesAsWritten) {
  Dialogue dialogue;
  testing::PlayDialogue(GetParam(), [&](const std::string& line) { return dialogue.Tell(line); });
}

INSTANTIATE_TEST_SUITE_P(Core, DialogueTest, ::testing::ValuesIn(testing::DialogueFiles(TUNER_DIALOGUES "/core")),
                         [](const auto& test) { return test.param.stem().string(); });

}  // namespace
}  // namespace tuner::core
