#include "tests/storage/sample_data.h"

#include <limits>
#include <optional>
#include <variant>

#include "absl/strings/str_cat.h"
#include "proto/stored.h"

namespace tuner::storage {
namespace {

bool Coin(Random& random) { return Below(random, 2) == 1; }

double RandomValue(Random& random) {
  constexpr double kValues[] = {0, -0.0, 1, -1, 0.1, 2.5, 1e-300, -1e300, std::numeric_limits<double>::infinity()};
  return Coin(random) ? kValues[Below(random, std::size(kValues))] : std::normal_distribution<double>()(random);
}

std::optional<double> MaybeValue(Random& random) {
  if (Coin(random)) return std::nullopt;
  return RandomValue(random);
}

absl::Time RandomTime(Random& random) {
  return At(Below(random, 1000)) + absl::Nanoseconds(Below(random, 1'000'000'000));
}

std::optional<absl::Time> MaybeTime(Random& random) {
  if (Coin(random)) return std::nullopt;
  return RandomTime(random);
}

std::string RandomText(Random& random) {
  constexpr const char* kTexts[] = {"",         "a", "two words", "line\nbreak", "\"quoted\" 'text'; DROP TABLE jobs",
                                    "größer %s"};
  return kTexts[Below(random, std::size(kTexts))];
}

}  // namespace

absl::Time At(int64_t seconds) { return absl::FromUnixSeconds(1'700'000'000 + seconds); }

core::JobHeader SampleHeader(const std::string& job_id) {
  core::JobHeader header;
  header.job_id = job_id;
  header.uid = "uid-" + job_id;
  header.spec_bytes = std::string("specification\0of ", 17) + job_id;
  header.base_dir = "/home/somebody";
  header.provenance_bytes = "provenance";
  header.request_id = "request-" + job_id;
  header.spec_hash = 0xfedcba9876543210;
  header.status = core::JobStatus::kRunning;
  header.limits.max_trials = 10;
  header.create_time = At(0);
  header.update_time = At(0);
  return header;
}

core::Trial SampleTrial(int32_t number, core::TrialState state) {
  core::Trial trial;
  trial.number = number;
  trial.state = state;
  trial.origin = core::TrialOrigin::kStrategy;
  trial.parameters = {{"eta", 0.1}, {"max_depth", int64_t{6}}, {"booster", std::string("dart")}, {"silent", true}};
  trial.create_time = At(number);
  trial.ordinal = number - 1;
  trial.attempts.emplace_back();
  trial.attempts.back().number = 1;
  trial.attempts.back().executor = "process";
  if (core::IsTerminal(state)) {
    trial.objective = 1.0 / number;
    trial.end_time = At(100 + number);
    trial.finish_seq = number;
  }
  return trial;
}

core::NotificationPut SampleNotification(int64_t number, core::NotificationState state) {
  core::Notification notification;
  notification.number = number;
  notification.event = core::NotificationEvent::kTrialFailed;
  notification.trial = 3;
  notification.text = "exit code 1";
  notification.job_status = core::JobStatus::kRunning;
  notification.time = At(number);
  notification.next_try = At(number);
  notification.state = state;
  return {notification};
}

core::MeasurementPut SampleMeasurement(int32_t trial, int64_t step, double value) {
  return {trial, {"loss", value, step, At(step), 1, core::MeasurementSource::kScanned}};
}

core::JobHeader RandomHeader(Random& random, const std::string& job_id) {
  core::JobHeader header = SampleHeader(job_id);
  if (Coin(random)) header.spec_bytes = std::string(Below(random, 20'000), static_cast<char>(Below(random, 256)));
  if (Coin(random)) header.tags["team"] = Coin(random) ? "vision" : "text";
  if (Coin(random)) header.tags["owner"] = RandomText(random);
  header.advice.assign(Below(random, 3), RandomText(random));
  header.status = static_cast<core::JobStatus>(1 + Below(random, 5));
  header.reason = RandomText(random);
  header.create_time = RandomTime(random);
  header.update_time = RandomTime(random);
  header.end_time = MaybeTime(random);
  header.definitions.resize(1 + Below(random, 3));
  for (core::DefinitionProgress& progress : header.definitions) {
    progress.next_ordinal = Below(random, 1000);
    progress.exhausted = Coin(random);
    progress.best_objective = header.definitions.size() > 1 ? MaybeValue(random) : std::nullopt;
  }
  header.counts[core::TrialState::kRunning] = static_cast<int32_t>(Below(random, 100));
  header.best_objective = MaybeValue(random);
  if (Coin(random))
    header.notifications = {Below(random, 9), 1, Below(random, 9), RandomText(random), 2, MaybeTime(random)};
  header.import_only = Coin(random);
  return header;
}

core::Trial RandomTrial(Random& random, int32_t number) {
  core::Trial trial = SampleTrial(number, static_cast<core::TrialState>(1 + Below(random, 10)));
  trial.parameters["eta"] = RandomValue(random);
  trial.reason = RandomText(random);
  if (Coin(random)) trial.definition = "xgb";
  trial.objective = MaybeValue(random);
  trial.best_objective = MaybeValue(random);
  if (Coin(random)) trial.final_metrics["loss"] = RandomValue(random);
  trial.create_time = RandomTime(random);
  trial.start_time = MaybeTime(random);
  trial.end_time = MaybeTime(random);
  trial.attempts.front().cursor.stdout_offset = Below(random, 1'000'000);
  trial.attempts.front().reason = std::string(Below(random, 3000), 'x');
  trial.attempts.front().lease_expire_time = MaybeTime(random);
  trial.measurement_count = Below(random, 1000);
  trial.failures = static_cast<int32_t>(Below(random, 3));
  while (Coin(random)) {
    trial.rungs.push_back({.resource = Below(random, 100),
                           .objective = RandomValue(random),
                           .time = RandomTime(random),
                           .finished_before = Below(random, 50),
                           .seq = Below(random, 50)});
  }
  if (Coin(random))
    trial.warnings.push_back({.rule = static_cast<int32_t>(Below(random, 20)), .text = RandomText(random)});
  trial.steps_run = Below(random, 1000);
  trial.steps_repeated = Below(random, 10);
  return trial;
}

core::MeasurementPut RandomMeasurement(Random& random, int32_t trial) {
  core::Measurement measurement;
  measurement.metric = Coin(random) ? "validation:logloss" : RandomText(random);
  measurement.value = RandomValue(random);
  measurement.step = Below(random, 4) - 1;
  measurement.time = RandomTime(random);
  measurement.attempt = static_cast<int32_t>(Below(random, 2));
  measurement.source = Coin(random) ? core::MeasurementSource::kReported : core::MeasurementSource::kScanned;
  return {trial, measurement};
}

core::NotificationPut RandomNotification(Random& random, int64_t number) {
  core::NotificationPut put = SampleNotification(number, static_cast<core::NotificationState>(1 + Below(random, 3)));
  put.notification.rule = static_cast<int32_t>(Below(random, 10));
  put.notification.event = static_cast<core::NotificationEvent>(1 + Below(random, 3));
  if (Coin(random)) put.notification.trial.reset();
  put.notification.text = RandomText(random);
  put.notification.time = RandomTime(random);
  put.notification.next_try = RandomTime(random);
  put.notification.tries = static_cast<int32_t>(Below(random, 40));
  put.notification.failure = RandomText(random);
  return put;
}

std::string Text(const core::JobHeader& header) { return convert::ToStored(header).ShortDebugString(); }
std::string Text(const core::Trial& trial) { return convert::ToStored(trial).ShortDebugString(); }
// Without the sign of a zero, which SQLite does not keep.
std::string Text(const core::Measurement& measurement) {
  return absl::StrCat("attempt ", measurement.attempt, " ", measurement.metric, "[", measurement.step,
                      "] = ", measurement.value + 0.0, " at ", absl::ToUnixNanos(measurement.time), " from ",
                      static_cast<int>(measurement.source));
}
std::string Text(const core::MeasurementPut& put) {
  return absl::StrCat("trial ", put.trial, " ", Text(put.measurement));
}

std::string Text(const core::NotificationPut& put) {
  return "notification " + convert::ToStored(put.notification).ShortDebugString();
}

std::string Text(const core::Changes& changes) {
  std::string text;
  for (const core::Change& change : changes) {
    if (const auto* job = std::get_if<core::JobPut>(&change)) absl::StrAppend(&text, "job ", Text(job->header), "\n");
    if (const auto* trial = std::get_if<core::TrialPut>(&change)) {
      absl::StrAppend(&text, "trial ", Text(trial->trial), "\n");
    }
    if (const auto* put = std::get_if<core::MeasurementPut>(&change)) absl::StrAppend(&text, Text(*put), "\n");
    if (const auto* put = std::get_if<core::NotificationPut>(&change)) absl::StrAppend(&text, Text(*put), "\n");
  }
  return text;
}

std::string Text(const JobRecord& record) {
  return absl::StrCat("revision ", record.revision, " ", Text(record.header), "\n");
}

std::string Text(const LoadedJob& job) {
  std::string text = Text(job.record);
  for (const core::Trial& trial : job.trials) absl::StrAppend(&text, Text(trial), "\n");
  for (const core::MeasurementPut& put : job.measurements) absl::StrAppend(&text, Text(put), "\n");
  for (const core::Notification& due : job.notifications) {
    absl::StrAppend(&text, Text(core::NotificationPut{due}), "\n");
  }
  return text;
}

std::string Text(const ChangePage& page) {
  std::string text = absl::StrCat("last ", page.last, "\n");
  for (const ChangePage::Entry& entry : page.entries) {
    absl::StrAppend(&text, "revision ", entry.revision, "\n", Text(entry.changes));
  }
  return text;
}

std::string Text(const JobPage& page) {
  std::string text = page.next.empty() ? "last page\n" : "";
  for (const JobRecord& job : page.jobs) absl::StrAppend(&text, Text(job));
  return text;
}

std::string Text(const TrialPage::Entry& entry) {
  std::string text = absl::StrCat(entry.job_id, " ", Text(entry.trial), "\n");
  for (const core::Measurement& measurement : entry.measurements) absl::StrAppend(&text, Text(measurement), "\n");
  return text;
}

std::string Text(const TrialPage& page) {
  std::string text = page.next.empty() ? "last page\n" : "";
  for (const TrialPage::Entry& entry : page.entries) absl::StrAppend(&text, Text(entry));
  return text;
}

absl::StatusOr<std::string> Dump(const Storage& storage) {
  constexpr int kAll = 1'000'000;
  const absl::StatusOr<JobPage> jobs = storage.ListJobs({.limit = kAll});
  if (!jobs.ok()) return jobs.status();
  std::string text = Text(*jobs);
  for (const JobRecord& job : jobs->jobs) {
    const absl::StatusOr<LoadedJob> loaded = storage.LoadJob(job.header.job_id);
    if (!loaded.ok()) return loaded.status();
    const absl::StatusOr<ChangePage> changes = storage.ReadChanges(job.header.job_id, 0, kAll);
    if (!changes.ok()) return changes.status();
    absl::StrAppend(&text, Text(*loaded), Text(*changes));
  }
  const absl::StatusOr<TrialPage> trials = storage.ListTrials({.limit = kAll, .include_measurements = true});
  if (!trials.ok()) return trials.status();
  return absl::StrCat(text, Text(*trials));
}

}  // namespace tuner::storage
