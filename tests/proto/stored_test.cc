// What is stored comes back as it was: storage keeps nothing else of a trial or job.
#include "proto/stored.h"

#include <bit>
#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/proto/random_values.h"

namespace tuner {
namespace {

using convert::FromStored;
using convert::ToStored;
using ::testing::HasSubstr;
using testing::RandomValues;

// Equality to the bit, so that NaN equals itself and 0 is not -0. The structured bindings name every member on purpose:
// a member that is added to core and not here does not compile.
bool Same(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }
template <typename T>
bool Same(const std::optional<T>& a, const std::optional<T>& b);
template <typename T>
requires std::equality_comparable<T>
bool Same(const T& a, const T& b) { return a == b; }

bool Same(const core::ParameterValue& a, const core::ParameterValue& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  return x != nullptr && y != nullptr ? Same(*x, *y) : a == b;
}

template <typename T>
bool Same(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a || Same(*a, *b));
}

template <typename T>
bool SameMap(const absl::btree_map<std::string, T>& a, const absl::btree_map<std::string, T>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.first == y.first && Same(x.second, y.second);
         });
}

void ExpectSame(const core::Attempt& a, const core::Attempt& b) {
  const auto& [number, start_reason, executor_index, executor, location, launch_time, start_time, end_time, exit_code,
               signal, reason, use, artifact_path, artifacts_remove_time, model_uri, cursor, worker_id,
               lease_expire_time, ending, completion] = a;
  EXPECT_EQ(number, b.number);
  EXPECT_EQ(start_reason, b.start_reason);
  EXPECT_EQ(executor_index, b.executor_index);
  EXPECT_EQ(executor, b.executor);
  EXPECT_EQ(location, b.location);
  EXPECT_EQ(launch_time, b.launch_time);
  EXPECT_EQ(start_time, b.start_time);
  EXPECT_EQ(end_time, b.end_time);
  EXPECT_EQ(exit_code, b.exit_code);
  EXPECT_EQ(signal, b.signal);
  EXPECT_EQ(reason, b.reason);
  const auto& [cpu_time, peak_memory_bytes, read_bytes, written_bytes, training_time, billable_time, interruptions] =
      use;
  EXPECT_EQ(cpu_time, b.use.cpu_time);
  EXPECT_EQ(peak_memory_bytes, b.use.peak_memory_bytes);
  EXPECT_EQ(read_bytes, b.use.read_bytes);
  EXPECT_EQ(written_bytes, b.use.written_bytes);
  EXPECT_EQ(training_time, b.use.training_time);
  EXPECT_EQ(billable_time, b.use.billable_time);
  EXPECT_EQ(interruptions, b.use.interruptions);
  EXPECT_EQ(artifact_path, b.artifact_path);
  EXPECT_EQ(artifacts_remove_time, b.artifacts_remove_time);
  EXPECT_EQ(model_uri, b.model_uri);
  const auto& [stdout_offset, stderr_offset, last_step] = cursor;
  EXPECT_EQ(stdout_offset, b.cursor.stdout_offset);
  EXPECT_EQ(stderr_offset, b.cursor.stderr_offset);
  EXPECT_EQ(last_step, b.cursor.last_step);
  EXPECT_EQ(worker_id, b.worker_id);
  EXPECT_EQ(lease_expire_time, b.lease_expire_time);
  EXPECT_EQ(ending, b.ending);
  EXPECT_EQ(completion, b.completion);
}

void ExpectSame(const core::Trial& a, const core::Trial& b) {
  const auto& [number, definition, parameters, state, reason, origin, objective, best_objective, final_metrics,
               attempts, basis, create_time, start_time, end_time, resource, ordinal, measurement_count, rungs,
               warnings, steps_run, steps_repeated, finish_seq, retry_time, stop_as, request_id, failures] = a;
  EXPECT_EQ(number, b.number);
  EXPECT_EQ(definition, b.definition);
  EXPECT_TRUE(SameMap(parameters, b.parameters));
  EXPECT_EQ(state, b.state);
  EXPECT_EQ(reason, b.reason);
  EXPECT_EQ(origin, b.origin);
  EXPECT_TRUE(Same(objective, b.objective));
  EXPECT_TRUE(Same(best_objective, b.best_objective));
  EXPECT_TRUE(SameMap(final_metrics, b.final_metrics));
  ASSERT_EQ(attempts.size(), b.attempts.size());
  for (size_t i = 0; i < attempts.size(); ++i) ExpectSame(attempts[i], b.attempts[i]);
  const auto& [kind, history_prefix, fingerprint, warm_start_prefix, pending_trials, known_prefix, first_ordinal,
               asked_count] = basis;
  EXPECT_EQ(kind, b.basis.kind);
  EXPECT_EQ(history_prefix, b.basis.history_prefix);
  EXPECT_EQ(fingerprint, b.basis.fingerprint);
  EXPECT_EQ(warm_start_prefix, b.basis.warm_start_prefix);
  EXPECT_EQ(known_prefix, b.basis.known_prefix);
  EXPECT_EQ(first_ordinal, b.basis.first_ordinal);
  EXPECT_EQ(asked_count, b.basis.asked_count);
  EXPECT_EQ(pending_trials, b.basis.pending_trials);
  EXPECT_EQ(create_time, b.create_time);
  EXPECT_EQ(start_time, b.start_time);
  EXPECT_EQ(end_time, b.end_time);
  EXPECT_EQ(resource, b.resource);
  EXPECT_EQ(ordinal, b.ordinal);
  EXPECT_EQ(measurement_count, b.measurement_count);
  ASSERT_EQ(rungs.size(), b.rungs.size());
  for (size_t i = 0; i < rungs.size(); ++i) {
    const auto& [rung_resource, rung_objective, time, finished_before, seq] = rungs[i];
    EXPECT_EQ(rung_resource, b.rungs[i].resource);
    EXPECT_EQ(rung_objective, b.rungs[i].objective);
    EXPECT_EQ(time, b.rungs[i].time);
    EXPECT_EQ(finished_before, b.rungs[i].finished_before);
    EXPECT_EQ(seq, b.rungs[i].seq);
  }
  ASSERT_EQ(warnings.size(), b.warnings.size());
  for (size_t i = 0; i < warnings.size(); ++i) {
    EXPECT_EQ(warnings[i].rule, b.warnings[i].rule);
    EXPECT_EQ(warnings[i].text, b.warnings[i].text);
  }
  EXPECT_EQ(steps_run, b.steps_run);
  EXPECT_EQ(steps_repeated, b.steps_repeated);
  EXPECT_EQ(finish_seq, b.finish_seq);
  EXPECT_EQ(retry_time, b.retry_time);
  EXPECT_EQ(stop_as, b.stop_as);
  EXPECT_EQ(request_id, b.request_id);
  EXPECT_EQ(failures, b.failures);
}

void ExpectSame(const core::TrialCounts& a, const core::TrialCounts& b) {
  const auto& [by_state, imported, attempts] = a;
  EXPECT_THAT(by_state, ::testing::ElementsAreArray(b.by_state));
  EXPECT_EQ(imported, b.imported);
  EXPECT_EQ(attempts, b.attempts);
}

void ExpectSame(const core::DefinitionProgress& a, const core::DefinitionProgress& b) {
  const auto& [next_ordinal, exhausted, exhausted_reason, calm_forecasts, converged, counts, best_trial,
               best_objective] = a;
  EXPECT_EQ(next_ordinal, b.next_ordinal);
  EXPECT_EQ(exhausted, b.exhausted);
  EXPECT_EQ(exhausted_reason, b.exhausted_reason);
  EXPECT_EQ(calm_forecasts, b.calm_forecasts);
  EXPECT_EQ(converged, b.converged);
  ExpectSame(counts, b.counts);
  EXPECT_EQ(best_trial, b.best_trial);
  EXPECT_TRUE(Same(best_objective, b.best_objective));
}

void ExpectSame(const core::JobHeader& a, const core::JobHeader& b) {
  const auto& [job_id, uid, spec_bytes, base_dir, provenance_bytes, advice, request_id, spec_hash, tags, status,
               stop_as, reason, limits, create_time, update_time, end_time, grid_size, import_only, definitions,
               finished, rungs_reached, steps_run, steps_repeated, counts, best_trial, best_objective, best_finish_seq,
               notifications, next_artifact_removal, best_of_parents, pareto_front] = a;
  EXPECT_EQ(job_id, b.job_id);
  EXPECT_EQ(uid, b.uid);
  EXPECT_EQ(spec_bytes, b.spec_bytes);
  EXPECT_EQ(base_dir, b.base_dir);
  EXPECT_EQ(provenance_bytes, b.provenance_bytes);
  EXPECT_EQ(advice, b.advice);
  EXPECT_EQ(request_id, b.request_id);
  EXPECT_EQ(spec_hash, b.spec_hash);
  EXPECT_EQ(tags, b.tags);
  EXPECT_EQ(status, b.status);
  EXPECT_EQ(stop_as, b.stop_as);
  EXPECT_EQ(reason, b.reason);
  const auto& [max_trials, max_parallel_trials, max_run_time, max_failed_trials] = limits;
  EXPECT_EQ(max_trials, b.limits.max_trials);
  EXPECT_EQ(max_parallel_trials, b.limits.max_parallel_trials);
  EXPECT_EQ(max_run_time, b.limits.max_run_time);
  EXPECT_EQ(max_failed_trials, b.limits.max_failed_trials);
  EXPECT_EQ(create_time, b.create_time);
  EXPECT_EQ(update_time, b.update_time);
  EXPECT_EQ(end_time, b.end_time);
  EXPECT_EQ(grid_size, b.grid_size);
  ASSERT_EQ(definitions.size(), b.definitions.size());
  for (size_t i = 0; i < definitions.size(); ++i) ExpectSame(definitions[i], b.definitions[i]);
  EXPECT_EQ(import_only, b.import_only);
  EXPECT_EQ(next_artifact_removal, b.next_artifact_removal);
  EXPECT_EQ(notifications.due, b.notifications.due);
  EXPECT_EQ(notifications.delivered, b.notifications.delivered);
  EXPECT_EQ(notifications.given_up, b.notifications.given_up);
  EXPECT_EQ(notifications.last_failure, b.notifications.last_failure);
  EXPECT_EQ(notifications.last_failure_rule, b.notifications.last_failure_rule);
  EXPECT_EQ(notifications.last_failure_time, b.notifications.last_failure_time);
  EXPECT_EQ(rungs_reached, b.rungs_reached);
  EXPECT_EQ(steps_run, b.steps_run);
  EXPECT_EQ(steps_repeated, b.steps_repeated);
  EXPECT_EQ(finished, b.finished);
  ExpectSame(counts, b.counts);
  EXPECT_EQ(best_trial, b.best_trial);
  EXPECT_TRUE(Same(best_objective, b.best_objective));
  EXPECT_EQ(best_finish_seq, b.best_finish_seq);
  EXPECT_EQ(pareto_front, b.pareto_front);
  ASSERT_EQ(best_of_parents.has_value(), b.best_of_parents.has_value());
  if (!best_of_parents.has_value()) return;
  EXPECT_EQ(best_of_parents->job_id, b.best_of_parents->job_id);
  ExpectSame(best_of_parents->trial, b.best_of_parents->trial);
}

template <typename T>
std::optional<T> Maybe(RandomValues& random, T value) {
  return random.Chance(0.5) ? std::optional<T>(std::move(value)) : std::nullopt;
}

core::ParameterValue RandomParameter(RandomValues& random) {
  switch (random.Below(4)) {
    case 0:
      return random.Double();
    case 1:
      return random.Int64();
    case 2:
      return random.Text();
    default:
      return random.Chance(0.5);
  }
}

core::Attempt RandomAttempt(RandomValues& random) {
  core::Attempt attempt;
  attempt.number = random.Int32();
  attempt.start_reason = static_cast<core::StartReason>(random.Below(6));
  attempt.executor_index = random.Int32();
  attempt.executor = random.Text();
  attempt.location = random.Text();
  attempt.launch_time = Maybe(random, random.Time());
  attempt.start_time = Maybe(random, random.Time());
  attempt.end_time = Maybe(random, random.Time());
  attempt.exit_code = Maybe(random, random.Int32());
  attempt.signal = Maybe(random, random.Int32());
  attempt.reason = random.Text();
  attempt.use = {random.Duration(), random.Int64(), random.Int64(), random.Int64()};
  attempt.artifact_path = random.Text();
  attempt.artifacts_remove_time = Maybe(random, random.Time());
  attempt.cursor.stdout_offset = random.Int64();
  attempt.cursor.stderr_offset = random.Int64();
  for (int64_t i = random.Below(4); i > 0; --i) attempt.cursor.last_step[random.Text()] = random.Int64();
  attempt.worker_id = random.Text();
  attempt.lease_expire_time = Maybe(random, random.Time());
  attempt.ending = random.Text();
  attempt.completion = random.Text();
  return attempt;
}

core::Trial RandomTrial(RandomValues& random) {
  core::Trial trial;
  trial.number = random.Int32();
  trial.definition = random.Text();
  for (int64_t i = random.Below(6); i > 0; --i) trial.parameters[random.Text()] = RandomParameter(random);
  trial.state = static_cast<core::TrialState>(random.Below(11));
  trial.reason = random.Text();
  trial.origin = static_cast<core::TrialOrigin>(random.Below(4));
  trial.objective = Maybe(random, random.Double());
  trial.best_objective = Maybe(random, random.Double());
  for (int64_t i = random.Below(4); i > 0; --i) trial.final_metrics[random.Text()] = random.Double();
  for (int64_t i = random.Below(4); i > 0; --i) trial.attempts.push_back(RandomAttempt(random));
  trial.basis.kind = static_cast<core::Basis::Kind>(random.Below(4));
  trial.basis.history_prefix = random.Int64();
  trial.basis.fingerprint = random.Text();
  trial.basis.warm_start_prefix = random.Int64();
  trial.basis.known_prefix = random.Int64();
  trial.basis.first_ordinal = random.Int64();
  trial.basis.asked_count = random.Int32();
  for (int64_t i = random.Below(4); i > 0; --i) trial.basis.pending_trials.push_back(random.Int32());
  trial.create_time = random.Time();
  trial.start_time = Maybe(random, random.Time());
  trial.end_time = Maybe(random, random.Time());
  trial.resource = random.Int64();
  trial.ordinal = Maybe(random, random.Int64());
  trial.measurement_count = random.Int64();
  trial.finish_seq = random.Int64();
  trial.retry_time = Maybe(random, random.Time());
  trial.stop_as = static_cast<core::TrialState>(random.Below(11));
  trial.request_id = random.Text();
  trial.failures = random.Int32();
  return trial;
}

core::JobHeader RandomHeader(RandomValues& random) {
  core::JobHeader header;
  header.job_id = random.Text();
  header.uid = random.Text();
  header.spec_bytes = random.Text() + "\xFF\xFE";
  header.base_dir = random.Text() + "\xC0";
  header.provenance_bytes = random.Text() + "\x80";
  for (int64_t i = random.Below(4); i > 0; --i) header.advice.push_back(random.Text());
  header.request_id = random.Text();
  header.spec_hash = static_cast<uint64_t>(random.Int64());
  for (int64_t i = random.Below(4); i > 0; --i) header.tags[random.Text()] = random.Text();
  header.status = static_cast<core::JobStatus>(random.Below(6));
  header.stop_as = static_cast<core::JobStatus>(random.Below(6));
  header.reason = random.Text();
  header.limits = {Maybe(random, random.Int32()), random.Int32(), Maybe(random, random.Duration()),
                   Maybe(random, random.Int32())};
  header.create_time = random.Time();
  header.update_time = random.Time();
  header.end_time = Maybe(random, random.Time());
  header.grid_size = random.Int64();
  header.next_artifact_removal = Maybe(random, random.Time());
  header.definitions.resize(1 + random.Below(3));
  for (core::DefinitionProgress& progress : header.definitions) {
    progress.next_ordinal = random.Int64();
    progress.exhausted = random.Chance(0.5);
    progress.exhausted_reason = random.Text();
    progress.calm_forecasts = random.Int32();
    progress.converged = random.Text();
    for (int32_t& count : progress.counts.by_state) count = random.Int32();
    progress.counts.attempts = random.Int32();
    progress.best_trial = Maybe(random, random.Int32());
    progress.best_objective = Maybe(random, random.Double());
  }
  header.finished = random.Int64();
  for (int32_t& count : header.counts.by_state) count = random.Int32();
  header.counts.imported = random.Int32();
  header.counts.attempts = random.Int32();
  header.best_trial = Maybe(random, random.Int32());
  header.best_objective = Maybe(random, random.Double());
  if (header.definitions.size() == 1) {  // what the job has come to, it has
    core::DefinitionProgress& only = header.definitions.front();
    only.counts = header.counts;
    only.best_trial = header.best_trial;
    only.best_objective = header.best_objective;
  }
  header.best_finish_seq = random.Int64();
  for (uint64_t i = random.Below(4); i > 0; --i) header.pareto_front.push_back(random.Int32());
  if (random.Chance(0.5)) header.best_of_parents = core::ParentTrial{random.Text(), RandomTrial(random)};
  return header;
}

TEST(StoredTest, TrialsComeBackAsTheyWere) {
  RandomValues random;
  for (int i = 0; i < 2000 && !::testing::Test::HasFailure(); ++i) {
    const core::Trial trial = RandomTrial(random);
    internal::v1::StoredTrial stored;
    ASSERT_TRUE(stored.ParseFromString(ToStored(trial).SerializeAsString()));
    const absl::StatusOr<core::Trial> back = FromStored(stored);
    ASSERT_TRUE(back.ok()) << back.status();
    ExpectSame(trial, *back);
  }
}

TEST(StoredTest, JobsComeBackAsTheyWere) {
  RandomValues random;
  for (int i = 0; i < 2000 && !::testing::Test::HasFailure(); ++i) {
    const core::JobHeader header = RandomHeader(random);
    internal::v1::StoredJob stored;
    ASSERT_TRUE(stored.ParseFromString(ToStored(header).SerializeAsString()));
    ExpectSame(header, FromStored(stored));
  }
}

TEST(StoredTest, ParentsComeBackAsTheyWere) {
  RandomValues random;
  for (int i = 0; i < 200 && !::testing::Test::HasFailure(); ++i) {
    core::ParentJob parent{.job_id = random.Text(), .uid = random.Text()};
    parent.static_parameters = {{"rate", 0.5}, {"mode", std::string("fast")}, {"quiet", true}};
    for (int64_t t = random.Below(4); t > 0; --t) parent.trials.push_back(RandomTrial(random));
    internal::v1::StoredParent stored;
    ASSERT_TRUE(stored.ParseFromString(ToStored(parent).SerializeAsString()));
    const absl::StatusOr<core::ParentJob> back = FromStored(stored);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->job_id, parent.job_id);
    EXPECT_EQ(back->uid, parent.uid);
    EXPECT_EQ(back->static_parameters, parent.static_parameters);
    ASSERT_EQ(back->trials.size(), parent.trials.size());
    for (size_t t = 0; t < parent.trials.size(); ++t) ExpectSame(parent.trials[t], back->trials[t]);
  }
}

TEST(StoredTest, DefaultsComeBackAsTheyWere) {
  ExpectSame(core::Trial{}, FromStored(ToStored(core::Trial{})).value());
  ExpectSame(core::JobHeader{}, FromStored(ToStored(core::JobHeader{})));
}

// google.protobuf.Value has one kind of number.
TEST(StoredTest, IntegersAndDoublesStayApart) {
  core::Trial trial;
  trial.parameters = {
      {"double", 4.0}, {"integer", int64_t{4}}, {"large", int64_t{9007199254740993}}, {"zero", int64_t{0}}};
  const core::Trial back = FromStored(ToStored(trial)).value();
  EXPECT_EQ(back.parameters, trial.parameters);
  EXPECT_TRUE(std::holds_alternative<double>(back.parameters.at("double")));
  EXPECT_TRUE(std::holds_alternative<int64_t>(back.parameters.at("integer")));
}

// A trial's last words may be any bytes. Protobuf would store them and refuse to read them again.
TEST(StoredTest, OutputThatIsNotUtf8StaysReadable) {
  core::Trial trial;
  trial.reason = "exit code 1: caf\xE9 \xFF";
  trial.attempts.emplace_back();
  trial.attempts[0].reason = "\x80";
  trial.attempts[0].location = "host\xC3";
  trial.attempts[0].artifact_path = "/data/\xED\xA0\x80";
  internal::v1::StoredTrial stored;
  ASSERT_TRUE(stored.ParseFromString(ToStored(trial).SerializeAsString()));
  const core::Trial back = FromStored(stored).value();
  EXPECT_EQ(back.reason, "exit code 1: caf\xEF\xBF\xBD \xEF\xBF\xBD");
  EXPECT_EQ(back.attempts[0].reason, "\xEF\xBF\xBD");
  EXPECT_EQ(back.attempts[0].location, "host\xEF\xBF\xBD");
  EXPECT_EQ(back.attempts[0].artifact_path, "/data/\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(StoredTest, RecordsThatCannotHaveBeenStoredAreDataLoss) {
  internal::v1::StoredTrial stored = ToStored(core::Trial{.number = 3});
  stored.mutable_trial()->add_attempts();
  EXPECT_EQ(FromStored(stored).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(FromStored(stored).status().message()), HasSubstr("stored trial 3"));

  stored = ToStored(core::Trial{});
  (*stored.mutable_trial()->mutable_parameters())["x"].mutable_list_value();
  EXPECT_EQ(FromStored(stored).status().code(), absl::StatusCode::kDataLoss);
}

// A record of a later version may hold states that this one does not know; they are not mistaken for others.
TEST(StoredTest, UnknownStatesAreUnspecified) {
  internal::v1::StoredTrial stored;
  stored.mutable_trial()->set_state(static_cast<v1::Trial::State>(99));
  EXPECT_EQ(FromStored(stored).value().state, core::TrialState::kUnspecified);
}

}  // namespace
}  // namespace tuner
